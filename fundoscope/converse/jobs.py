"""Ready-made jobs: one for every set and track, by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from fundoscope.config import WITHOUT_ROOT
from fundoscope.errors import ConfigError, nearest

TRACKS = ("instruction", "alignment")


@dataclass(frozen=True, slots=True)
class ReadyJob:
    """A job that only lacks the folder."""

    name: str
    source: str
    track: str
    title: str
    layout: str
    licence: str

    def yaml(self) -> str:
        """Return the job as a file to start one's own from."""
        return (
            f"# {self.title}: {self.track}\n"
            f"# expects: {self.layout}\n"
            f"# licence: {self.licence}\n"
            f"source: {self.source}\n"
            + ("" if self.source in WITHOUT_ROOT else "root: PATH/TO/THE/SET\n")
            + "# labels: [FILE, ...]        label files outside root, or with other names\n"
            "# photographs: FOLDER        when the photographs are not under root\n"
            "# features: [FILE, ...]      AutoMorph or RBAD tables; SPLIT=FILE where ids restart\n"
            "# columns: {image: filename} a user's table: our name -> the file's\n"
            f"tracks: [{self.track}]\n"
            "languages: [en, zh]\n"
            "engine: composer             # offline; direct and batch engines go here\n"
            "max_boxes: 10\n"
            "seed: 0\n"
        )


@cache
def ready_jobs() -> dict[str, ReadyJob]:
    """Return every ready-made job by name (`SOURCE-TRACK`)."""
    file = files("fundoscope") / "converse" / "jobs.yaml"
    found = {}
    for source, about in yaml.safe_load(file.read_text(encoding="utf-8")).items():
        for track in about.pop("tracks", TRACKS):
            name = f"{source}-{track}"
            found[name] = ReadyJob(name, source, track, **about)
    return found


def ready_job(name: str) -> ReadyJob:
    """Return the ready-made job called `name`; ConfigError offers the nearest."""
    if name not in ready_jobs():
        raise ConfigError(f"no ready-made job {name!r}", mend=nearest(name, ready_jobs()))
    return ready_jobs()[name]
