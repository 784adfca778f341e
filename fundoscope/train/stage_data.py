"""The dialogues of a stage, from its configuration."""

from __future__ import annotations

from collections.abc import Sequence

from fundoscope.errors import ConfigError
from fundoscope.train.dialogue_data import DialogueData
from fundoscope.train.dialogue_files import DialogueFile, open_dialogues
from fundoscope.train.mixing import Mix, Portion, counts_of
from fundoscope.train.stage_config import SourceConfig, StageConfig
from fundoscope.train.stage_parts import StageModel


def dialogue_data(
    config: StageConfig,
    sources: Sequence[SourceConfig],
    model: StageModel,
    batch: int = 0,
    places: int | None = None,
) -> DialogueData:
    """Return the stream of dialogues of a stage's sources.

    Parameters
    ----------
    batch : dialogues of a step, where those that are alike shall stand together
    places : how many places of the stream are taken; an epoch by default
    """
    files = [opened(source, config.seed) for source in sources]
    sizes = [len(file) for file in files]
    counts = counts_of([Portion(s.count, s.share) for s in sources], sizes, config.epoch_size)
    alike = config.group_alike and batch > 1
    mix = Mix(
        counts,
        sizes,
        config.seed,
        [file.lengths for file in files] if alike else None,
        [file.pictured for file in files] if alike else None,
        max(1, batch),
    )
    return DialogueData(
        files,
        mix,
        model.wording,
        model.preparation,
        places,
        one_photograph=model.one_photograph,
        keep=config.photographs_kept,
    )


def opened(source: SourceConfig, seed: int) -> DialogueFile:
    """Return the rows of a source: its dialogues, or photographs paired with them anew."""
    if source.dialogues is None:
        raise ConfigError("a source names no dialogues", mend="give `dialogues: FILE`")
    if source.records is None:
        return open_dialogues(source.dialogues, source.photographs)
    from fundoscope.train.paired_dialogues import PairedRows

    return PairedRows(source.dialogues, source.records, source.photographs, seed)
