"""The photographs of a run, beside the dialogues about them: linked, copied, or left alone."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from fundoscope.errors import ConfigError, PhotographError
from fundoscope.export.whole_files import whole_file
from fundoscope.read.dicom import DICOM_HEAD_BYTES, is_dicom
from fundoscope.records import Photograph

Placement = Literal["none", "link", "copy"]
FOLDER = "photographs"
"""Where linked and copied photographs stand in the folder of an export."""
_CHUNK = 1 << 20


def file_inside(photograph: Photograph) -> str:
    """Return a photograph's path within the run's folder of photographs, POSIX style.

    Raises
    ------
    PhotographError
        If there is none, or it leads out of the folder.
    """
    file = photograph.file
    if not file:
        raise PhotographError(
            "the photograph has no file: the run was built from labels only",
            where=photograph.key,
            mend="build the run with its photographs",
        )
    if leads_out(file):
        raise PhotographError(
            f"the path {file!r} leads out of the folder of photographs",
            where=photograph.key,
            mend="build the run with paths inside its folder of photographs",
        )
    return file


def leads_out(file: str) -> bool:
    """Whether a path is absolute, on this system or another, or climbs with `..`."""
    windows = PureWindowsPath(file)
    climbs = ".." in windows.parts  # Windows paths part at either slash
    return climbs or bool(windows.root or windows.drive) or PurePosixPath(file).is_absolute()


def existing(folder: Path | None, photograph: Photograph) -> Path:
    """Return a photograph's file, which must be there.

    Raises
    ------
    ConfigError
        If the run names no folder of photographs.
    PhotographError
        If the file is not there or its path leads out of the folder.
    """
    inside = file_inside(photograph)
    if folder is None:
        raise ConfigError(
            "the run does not say where its photographs lie",
            where=photograph.key,
            mend="build the run again with its photographs, or export without them",
        )
    if not (folder / inside).is_file():
        raise PhotographError(
            f"the photograph {inside!r} is not there",
            where=f"{photograph.key}: {folder / inside}",
            mend="put it back, or leave it out and build again",
        )
    return folder / inside


def put_beside(out: Path, source: Path, inside: str, how: Placement) -> str:
    """Link or copy a photograph into an export; return the SHA-256 of a copy, else nothing.

    Parameters
    ----------
    out : Path
        Folder of the export; the photograph goes to `photographs/` in it.
    source : Path
        The photograph's file.
    inside : str
        Its path in the folder of photographs, from `file_inside`.
    how : `link` (symbolic, absolute), `copy`, or `none`
    """
    target = out / FOLDER / inside
    if how == "none":
        return ""
    if target.resolve() == source.resolve() and not target.is_symlink():
        raise ConfigError(
            f"{target} is the photograph itself",
            mend="export into a folder that does not hold the photographs",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if how == "link":
        _link(target, source)
        return ""
    return _copy(target, source)


def _link(target: Path, source: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.symlink_to(source.resolve())
    except OSError as problem:
        raise ConfigError(
            f"no link can be made here: {problem}",
            where=str(target),
            mend="export with photographs='copy'",
        ) from problem


def check_nameless(file: Path) -> None:
    """Refuse to pass on a photograph whose file holds a person's name.

    Raises
    ------
    PhotographError
        If it is DICOM, whatever its suffix.
    """
    with file.open("rb") as stream:
        if is_dicom(stream.read(DICOM_HEAD_BYTES)):
            raise PhotographError(
                "a DICOM file may hold the name of the person, so it is not copied",
                where=str(file),
                mend="save the photographs as PNG and build again, or export links to them",
            )


def _copy(target: Path, source: Path) -> str:
    check_nameless(source)
    digest = hashlib.sha256()
    with source.open("rb") as original, whole_file(target) as stream:
        while chunk := original.read(_CHUNK):
            digest.update(chunk)
            stream.write(chunk)
    return digest.hexdigest()
