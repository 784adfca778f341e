"""What a run may vary: one frozen model, unknown keys refused, saved beside every output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from fundoscope.errors import ConfigError, nearest
from fundoscope.records import LANGUAGES, Language

WITHOUT_ROOT = ("knowledge",)
"""Sources that need no folder: what they tell lies in the package."""


class Endpoint(BaseModel):
    """A server that speaks OpenAI's chat completions, and how it may be used."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str
    """As the server calls it."""
    base_url: str = ""
    """`https://HOST/v1`; empty: the environment's OPENAI_BASE_URL, else OpenAI itself."""
    key_env: str = "OPENAI_API_KEY"
    """Variable of the environment that holds the key. A key itself is never part of a job."""
    key_file: Path | None = None
    """File that holds the key, when no variable does."""
    photograph: bool = False
    """Send the photograph too, not only what is known of it."""
    photograph_px: int = Field(default=768, ge=64, le=4096)
    """Longest side of the photograph as it is sent, cropped to its field of view."""
    jpeg_quality: int = Field(default=85, ge=30, le=100)
    temperature: float | None = Field(default=0.7, ge=0, le=2)
    """None leaves it to the server; some models take none."""
    max_tokens: int = Field(default=2000, ge=64)
    """Most tokens of one answer."""
    structured: bool = False
    """Ask for JSON by a schema, where the server can."""
    body: dict[str, Any] = Field(default_factory=dict)
    """Further fields of a request, such as `{reasoning_effort: low}`."""

    at_once: int = Field(default=0, ge=0, le=2048)
    """Requests in flight; 0 finds out what the server bears."""
    requests_per_minute: int = Field(default=0, ge=0)
    tokens_per_minute: int = Field(default=0, ge=0)
    timeout_s: float = Field(default=120, gt=0)
    """How long one request may take."""
    attempts: int = Field(default=8, ge=1, le=50)
    """How often one request is sent before it is given up in this run."""
    repairs: int = Field(default=2, ge=0, le=10)
    """How often an answer is sent back with what is wrong in it."""
    budget_usd: float | None = Field(default=None, gt=0)
    """What the whole run may cost."""
    price: tuple[float, float] | None = None
    """US dollars for a million tokens, in and out; needed where our table lacks the model."""

    def deciding(self) -> dict[str, Any]:
        """Return what decides an answer; limits, keys, prices and addresses do not."""
        decides = ("model", "photograph", "temperature", "max_tokens", "structured", "body")
        chosen = {name: getattr(self, name) for name in decides}
        if self.photograph:
            chosen |= {"px": self.photograph_px, "quality": self.jpeg_quality}
        return chosen


class Job(BaseModel):
    """One main job: a folder of photographs with label files in, verified dialogues out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """Which set it is: `odir`, `idrid`, `table`, ... (`fundoscope jobs` lists them)."""
    root: Path = Path()
    """The folder that holds the set; a source without photographs needs none."""
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
    max_per_topic: int = Field(default=100, ge=1)
    """Most dialogues about one condition, for the source `knowledge`."""
    tracks: tuple[str, ...] = ("instruction",)
    """`instruction` (3 to 6 turns), `alignment` (one turn), `knowledge` (1 to 5 turns)."""
    languages: tuple[Language, ...] = LANGUAGES
    engine: str = "composer"
    """`composer` works offline; `endpoint` asks a server, `batches` its Batch files."""
    endpoint: Endpoint | None = None
    """The server, for the engines that ask one."""
    seed: int = 0
    """Decides every choice of wording, with the photograph's key."""

    @model_validator(mode="after")
    def _has_its_folder(self) -> Job:
        if "root" not in self.model_fields_set and self.source not in WITHOUT_ROOT:
            raise PydanticCustomError("missing", "Field required")
        return self

    def resolved(self) -> dict[str, Any]:
        """Return plain data with absolute paths, as it is saved beside the output."""
        if self.source in WITHOUT_ROOT:
            return dict(self.model_dump(mode="json", exclude={"root", "photographs"}))
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
    _refuse_unknown(Job, fields, "a job has no field")
    if isinstance(fields.get("endpoint"), dict):
        fields["endpoint"] = _endpoint(fields["endpoint"])
    try:
        return Job(**fields)
    except ValidationError as problem:
        name, wrong = _first_wrong(problem)
        raise ConfigError(
            f"field {name or 'root'!r} of the job: {wrong}",
            mend="see `fundoscope jobs show NAME` for a job that works",
        ) from problem


def _refuse_unknown(model: type[BaseModel], fields: Mapping[str, Any], what: str) -> None:
    unknown = [name for name in fields if name not in model.model_fields]
    if unknown:
        raise ConfigError(f"{what} {unknown[0]!r}", mend=nearest(unknown[0], model.model_fields))


def _first_wrong(problem: ValidationError) -> tuple[str, str]:
    """Return the first field that is wrong, and what is wrong with it."""
    first = problem.errors()[0]
    return ".".join(map(str, first["loc"])), first["msg"].lower()


def read_job(file: Path, **changes: Any) -> Job:
    """Return the job of a YAML file; `changes` win over what the file says.

    Relative paths in the file are taken from the current folder, as on the command line.
    """
    loaded = read_fields(file, "job")
    if loaded is None:
        raise ConfigError(f"{file} holds no job", mend="see `fundoscope jobs show NAME`")
    return make_job(**{**loaded, **changes})


def read_fields(file: Path, kind: str) -> dict[str, Any] | None:
    """Return the fields that a YAML file names, or None where it names none.

    Raises
    ------
    ConfigError
        If the file is missing (`kind` says what it was to be) or is no YAML.
    """
    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise ConfigError(f"no {kind} file {file}", mend="check the path") from problem
    except yaml.YAMLError as problem:
        raise ConfigError(f"{file} is not YAML: {problem}", mend="mend the file") from problem
    return loaded if isinstance(loaded, dict) else None


def with_endpoint(job: Job, changes: Mapping[str, Any]) -> Job:
    """Return a job with another server, or other limits of it; one with a server asks it.

    Raises
    ------
    ConfigError
        If a field is of the wrong kind, or no model is named.
    """
    if not changes:
        return job
    known = job.endpoint.model_dump() if job.endpoint else {}
    engine = "endpoint" if job.engine == "composer" else job.engine
    endpoint = _endpoint({**known, **changes})
    return job.model_copy(update={"endpoint": endpoint, "engine": engine})


def _endpoint(fields: dict[str, Any]) -> Endpoint:
    _refuse_unknown(Endpoint, fields, "a server has no setting")
    try:
        return Endpoint(**fields)
    except ValidationError as problem:
        name, wrong = _first_wrong(problem)
        raise ConfigError(
            f"setting {name!r} of the server: {wrong}",
            mend="give --model NAME" if name == "model" else "see `fundoscope build --help`",
        ) from problem
