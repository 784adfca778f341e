"""A task's items in the forms of other evaluation kits.

What is asked elsewhere is scored here: the kits' own scores of free text are what this package
replaces, so their files of answers are read back (`ecosystem_results`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fundoscope.errors import ConfigError, nearest
from fundoscope.evaluate.ecosystem_huggingface import write_huggingface
from fundoscope.evaluate.ecosystem_lmms_eval import write_lmms_eval
from fundoscope.evaluate.ecosystem_vlmevalkit import write_vlmevalkit
from fundoscope.evaluate.item_making import Asked

KITS: dict[str, Callable[[Asked, Path], Path]] = {
    "vlmevalkit": write_vlmevalkit,
    "lmms-eval": write_lmms_eval,
    "huggingface": write_huggingface,
}


def export_task(asked: Asked, kit: str, out: Path) -> Path:
    """Write a task's items for another kit into a folder; return the file or folder to give it.

    Parameters
    ----------
    asked : what `items_of` returned
    kit : `vlmevalkit`, `lmms-eval` or `huggingface`
    out : made where it is missing

    Raises
    ------
    ConfigError
        If no kit has the name, nothing is asked, or the kit cannot ask such items.
    """
    if kit not in KITS:
        raise ConfigError(f"no kit {kit!r}", mend=nearest(kit, KITS))
    if not asked.items:
        raise ConfigError(
            f"the task {asked.task.name} asks nothing of this copy",
            mend="see what was left out with `fundoscope evaluate show`",
        )
    out.mkdir(parents=True, exist_ok=True)
    return KITS[kit](asked, out)
