"""What a run may vary: one frozen model, unknown keys refused, saved beside every output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fundoscope.errors import ConfigError, nearest
from fundoscope.records import LANGUAGES, Language


class Job(BaseModel):
    """One main job: a folder of photographs with label files in, verified dialogues out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """Which set it is: `odir`, `idrid`, `table`, ... (`fundoscope jobs` lists them)."""
    root: Path
    """The folder that holds the set."""
    labels: tuple[Path, ...] = ()
    """Label files, when they are not under `root` by their original names."""
    photographs: Path | None = None
    """Folder of the photographs, when it is not `root`."""
    features: tuple[str, ...] = ()
    """Tables of AutoMorph, RBAD or `fundoscope measure` to join; `SPLIT=FILE` where ids restart."""
    columns: dict[str, str] = Field(default_factory=dict)
    """For a user's table: our column name -> the file's."""
    labels_only: bool = False
    """Also use labels whose photograph is not there."""
    max_boxes: int = Field(default=10, ge=1)
    """Most boxes of one kind of lesion in a record."""
    tracks: tuple[str, ...] = ("instruction",)
    """`instruction` (3 to 6 turns), `alignment` (one turn)."""
    languages: tuple[Language, ...] = LANGUAGES
    engine: str = "composer"
    """`composer` works offline; others are listed by `fundoscope doctor`."""
    seed: int = 0
    """Decides every choice of wording, with the photograph's key."""

    def resolved(self) -> dict[str, Any]:
        """Return plain data with absolute paths, as it is saved beside the output."""
        data = self.model_copy(
            update={
                "root": self.root.resolve(),
                "labels": tuple(file.resolve() for file in self.labels),
                "photographs": (self.photographs or self.root).resolve(),
            }
        ).model_dump(mode="json")
        return dict(data)


def make_job(**fields: Any) -> Job:
    """Return a job from its fields, or a ConfigError that names the wrong one.

    Raises
    ------
    ConfigError
        If a field is unknown (the nearest is offered), missing or of the wrong kind.
    """
    unknown = [name for name in fields if name not in Job.model_fields]
    if unknown:
        raise ConfigError(
            f"a job has no field {unknown[0]!r}", mend=nearest(unknown[0], Job.model_fields)
        )
    try:
        return Job(**fields)
    except ValidationError as problem:
        first = problem.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"field {field!r} of the job: {first['msg'].lower()}",
            mend="see `fundoscope jobs show NAME` for a job that works",
        ) from problem


def read_job(file: Path, **changes: Any) -> Job:
    """Return the job of a YAML file; `changes` win over what the file says.

    Relative paths in the file are taken from the current folder, as on the command line.
    """
    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise ConfigError(f"no job file {file}", mend="check the path") from problem
    except yaml.YAMLError as problem:
        raise ConfigError(f"{file} is not YAML: {problem}", mend="mend the file") from problem
    if not isinstance(loaded, dict):
        raise ConfigError(f"{file} holds no job", mend="see `fundoscope jobs show NAME`")
    return make_job(**{**loaded, **changes})
