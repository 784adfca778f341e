"""fundoscope: from retinal photographs and their labels to verified dialogues.

The public names below are imported when first used, so that `import fundoscope` stays quick and
does nothing. Research use; not a medical device.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fundoscope.config import Endpoint, Job, read_job
    from fundoscope.converse.build import build
    from fundoscope.converse.composer import compose
    from fundoscope.converse.consulting import build_consultations
    from fundoscope.converse.estimate import estimate
    from fundoscope.converse.jobs import ready_jobs
    from fundoscope.describe.description import description
    from fundoscope.describe.statements import statements
    from fundoscope.describe.wording import sentences
    from fundoscope.doctor import examine
    from fundoscope.errors import FundoscopeError
    from fundoscope.export.card import write_card
    from fundoscope.export.runs import export_run
    from fundoscope.export.verified_files import verify_dialogues
    from fundoscope.knowledge.graph import facts_of
    from fundoscope.ledger import Ledger
    from fundoscope.measure.all_sources import sources
    from fundoscope.measure.mask_folders import read_mask_folder
    from fundoscope.measure.measuring import measure_folder
    from fundoscope.measure.overlay import draw_overlay
    from fundoscope.measure.perceived import masks_of, measure_photographs
    from fundoscope.measure.survey import survey
    from fundoscope.perceive.mask_files import perceive_photographs
    from fundoscope.perceive.perceiving import perceive_photograph
    from fundoscope.phantoms import draw_phantom, write_phantoms
    from fundoscope.read.automorph import join_features
    from fundoscope.read.masks import lesion_boxes
    from fundoscope.read.recognise import recognise
    from fundoscope.read.sources import SourceRequest
    from fundoscope.records import (
        Conversation,
        Finding,
        Grade,
        LeftOut,
        Lesion,
        Measured,
        Photograph,
        Record,
        Statement,
        Turn,
        Unmeasured,
    )
    from fundoscope.verify.check import Facts, check_text, judge
    from fundoscope.verify.claims import claims

__version__ = "0.1.0"

_HOMES = {
    "Conversation": "records",
    "Endpoint": "config",
    "Facts": "verify.check",
    "Finding": "records",
    "FundoscopeError": "errors",
    "Grade": "records",
    "Job": "config",
    "Ledger": "ledger",
    "LeftOut": "records",
    "Lesion": "records",
    "Measured": "records",
    "Photograph": "records",
    "Record": "records",
    "SourceRequest": "read.sources",
    "Statement": "records",
    "Turn": "records",
    "Unmeasured": "records",
    "build": "converse.build",
    "build_consultations": "converse.consulting",
    "check_text": "verify.check",
    "claims": "verify.claims",
    "compose": "converse.composer",
    "description": "describe.description",
    "draw_overlay": "measure.overlay",
    "draw_phantom": "phantoms",
    "estimate": "converse.estimate",
    "examine": "doctor",
    "export_run": "export.runs",
    "facts_of": "knowledge.graph",
    "join_features": "read.automorph",
    "judge": "verify.check",
    "lesion_boxes": "read.masks",
    "masks_of": "measure.perceived",
    "measure_folder": "measure.measuring",
    "measure_photographs": "measure.perceived",
    "perceive_photograph": "perceive.perceiving",
    "perceive_photographs": "perceive.mask_files",
    "read_job": "config",
    "read_mask_folder": "measure.mask_folders",
    "ready_jobs": "converse.jobs",
    "recognise": "read.recognise",
    "sentences": "describe.wording",
    "sources": "measure.all_sources",
    "statements": "describe.statements",
    "survey": "measure.survey",
    "verify_dialogues": "export.verified_files",
    "write_card": "export.card",
    "write_phantoms": "phantoms",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fundoscope' has no attribute {name!r}")
    return getattr(import_module(f"fundoscope.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*_HOMES, "__version__"])
