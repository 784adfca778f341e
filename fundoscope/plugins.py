"""Named functions that others may add to: sources, formats, engines.

A plain function and its name are enough. Other packages register theirs through an entry point
of the group `fundoscope.<kind>`; two owners of one name are an error that names both.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from fundoscope.errors import ConfigError, nearest

F = TypeVar("F", bound=Callable[..., object])


class Registry(Generic[F]):
    """Functions of one kind, by name.

    Examples
    --------
    >>> greetings: Registry = Registry("greetings")
    >>> @greetings.register("hello")
    ... def say_hello() -> str:
    ...     return "hello"
    >>> greetings.get("hello")()
    'hello'
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._owners: dict[str, F] = {}
        self._entry_points_read = False

    def register(self, name: str) -> Callable[[F], F]:
        """Return a decorator that registers a function under `name`."""

        def add(function: F) -> F:
            self._add(name, function)
            return function

        return add

    def _add(self, name: str, function: F) -> None:
        owner = self._owners.get(name)
        if owner is not None and owner is not function:
            raise ConfigError(
                f"two owners of the name {name!r} among {self.kind}: "
                f"{owner.__module__} and {function.__module__}",
                mend="rename one, or uninstall one of the two packages",
            )
        self._owners[name] = function

    def _read_entry_points(self) -> None:
        if not self._entry_points_read:
            self._entry_points_read = True
            for point in entry_points(group=f"fundoscope.{self.kind}"):
                self._add(point.name, point.load())

    def names(self) -> list[str]:
        """Return the registered names, sorted."""
        self._read_entry_points()
        return sorted(self._owners)

    def get(self, name: str) -> F:
        """Return the function called `name`; an unknown name offers the nearest known one."""
        self._read_entry_points()
        if name not in self._owners:
            raise ConfigError(f"no {name!r} among {self.kind}", mend=nearest(name, self._owners))
        return self._owners[name]
