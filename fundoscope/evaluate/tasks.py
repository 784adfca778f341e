"""What a model can be scored on: a task is data, one YAML file, and adding one needs no code.

A task says where its photographs come from, which of them are asked about, in which words, what
may be answered, and what is right. Those that ship stand in `task_files/`; a path to any other
YAML file is a task too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fundoscope.config import read_fields
from fundoscope.errors import ConfigError, FundoscopeError, nearest
from fundoscope.evaluate.answer_spaces import Space, space_from
from fundoscope.evaluate.question_forms import expanded
from fundoscope.evaluate.truths import truth_rule
from fundoscope.records import LANGUAGES, Language

Kind = Literal["labels", "findings", "boxes", "numbers", "knowledge", "dialogue"]
"""Which family of metrics scores a task."""
Part = Literal["all", "train", "val", "test"]
NAMED_PARTS = ("patient", "eye")
"""Groups of a pattern of names that every task understands."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Split(_Frozen):
    """Which photographs of the set are asked about."""

    part: Part = "all"
    """A part of the official split; of the drawn one where `drawn` is given; `all` of them."""
    drawn: tuple[float, float, float] | None = None
    """Shares of train, val and test, drawn by patient as `fundoscope export --split` draws them;
    for sets that publish no labels of a test part."""
    seed: int = 0

    def said(self) -> str:
        """Return which part it is, in words."""
        if self.part == "all":
            return "all photographs"
        if self.drawn is None:
            return f"the official part {self.part!r}"
        shares = "/".join(f"{share:g}" for share in self.drawn)
        return f"the part {self.part!r} of {shares}, drawn by patient with seed {self.seed}"


class Form(_Frozen):
    """One question in several wordings, what it may be answered with, and what is right."""

    id: str = Field(pattern=r"^[a-z0-9_.-]+$")
    questions: Mapping[Language, tuple[str, ...]]
    """Wordings by language. Those of a yes/no question are so worded that a bare "yes" says that
    the term of the space is there."""
    space: Mapping[str, Any]
    """As `answer_spaces.space_from` reads it; or one for each language, where options are words."""
    truth: Mapping[str, Any]
    """`rule`, a name of `fundoscope.evaluate.truths`, and its parameters."""

    def answer_space(self, language: Language) -> Space:
        """Return what the question may be answered with."""
        return space_from(self.space.get(language, self.space))

    @model_validator(mode="after")
    def _can_be_asked(self) -> Form:
        if not self.questions or not all(self.questions.values()):
            raise ValueError(f"form {self.id!r} has a language without a wording")
        try:
            for language in self.questions:
                self.answer_space(language)
            truth_rule(self.truth)
        except FundoscopeError as problem:
            raise ValueError(f"form {self.id!r}: {problem.what}; {problem.mend}") from problem
        return self


class Task(_Frozen):
    """One thing that a model is scored on."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    kind: Kind
    metrics: tuple[str, ...] = ()
    """Beyond those of its kind, such as `quadratic_kappa` for a scale with an order."""
    source: str
    """A source of `fundoscope.read`, of which `knowledge` has no photographs; or `photographs`,
    every photograph of a folder, for sets whose labels a truth reads."""
    your_copy: str
    """What to give as the folder of the set, in words."""
    labels: tuple[str, ...] = ()
    """Patterns of label files below the folder, where the source's own names do not fit."""
    photographs: str = ""
    """Folder of the photographs below the folder of the set, where they are not all of it."""
    columns: Mapping[str, str] = Field(default_factory=dict)
    """For the source `table`: our column name -> the file's."""
    features: tuple[str, ...] = ()
    """Patterns of tables below the folder whose measurements are joined."""
    names: str = ""
    """Pattern of a photograph's id; its groups `patient` and `eye` are used, others by truths."""
    split: Split = Split()
    licence: str
    means: str
    """What the labels mean, and for yes or no, what exactly yes means."""
    forms: tuple[Form, ...] = Field(min_length=1)
    """In a dialogue, its questions in their order."""
    notes: tuple[str, ...] = ()
    """Traps of the set, and how the task avoids them."""
    shows_shortcut: bool = False
    """Whether its labels can be told without looking at the retina: it is not to be scored."""

    @field_validator("names")
    @classmethod
    def _is_a_pattern(cls, names: str) -> str:
        try:
            re.compile(names)
        except re.error as problem:
            raise ValueError(f"no regular expression: {problem}") from problem
        return names

    @model_validator(mode="after")
    def _forms_differ(self) -> Task:
        ids = [form.id for form in self.forms]
        twice = next((id for id in ids if ids.count(id) > 1), None)
        if twice is not None:
            raise ValueError(f"two forms are called {twice!r}")
        return self

    @property
    def languages(self) -> tuple[Language, ...]:
        """Languages in which every form can be asked."""
        return tuple(
            language
            for language in LANGUAGES
            if all(language in form.questions for form in self.forms)
        )


@cache
def task_names() -> tuple[str, ...]:
    """Return the names of the tasks that ship, sorted."""
    folder = files("fundoscope.evaluate") / "task_files"
    found = (Path(file.name) for file in folder.iterdir())
    return tuple(sorted(file.stem for file in found if file.suffix == ".yaml"))


def task(name: str | Path) -> Task:
    """Return a task that ships, by its name, or the task of a YAML file, by its path.

    Raises
    ------
    ConfigError
        If there is none of the name (the nearest is offered), or the file is no task.
    """
    if str(name) in task_names():
        return _shipped(str(name))
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        fields = read_fields(path, "task")
        return make_task(fields or {}, str(path))
    raise ConfigError(
        f"no task {str(name)!r}",
        mend=f"{nearest(str(name), task_names())} A task of your own is a path: ./my-task.yaml",
    )


@cache
def _shipped(name: str) -> Task:
    file = files("fundoscope.evaluate") / "task_files" / f"{name}.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return make_task(yaml.load(file.read_text(encoding="utf-8"), loader), f"{name}.yaml")


def make_task(fields: Mapping[str, Any], where: str) -> Task:
    """Return the task that fields describe; forms with `each` become one form a term.

    Raises
    ------
    ConfigError
        Naming the first field that is wrong, and `where`.
    """
    try:
        forms = [form for entry in fields.get("forms") or () for form in expanded(entry)]
        return Task(**{**fields, "forms": forms})
    except ValidationError as problem:
        first = problem.errors()[0]
        name = ".".join(map(str, first["loc"])) or "forms"
        known = Form.model_fields if name.startswith("forms.") else Task.model_fields
        unknown = first["type"] == "extra_forbidden"
        raise ConfigError(
            f"no field {name!r} in a task" if unknown else f"field {name!r}: {first['msg']}",
            where=where,
            mend=nearest(name.rpartition(".")[2], known) if unknown else "see `evaluate show`",
        ) from problem
    except FundoscopeError as problem:
        raise ConfigError(problem.what, where=where, mend=problem.mend) from problem
