"""One photograph, looked at by every network in turn: the gate first, then what it allows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from fundoscope.perceive.conditions import Conditions, judge_conditions
from fundoscope.perceive.disc import (
    DiscCup,
    Places,
    field_degrees,
    find_places,
    outline_disc,
    round_across,
)
from fundoscope.perceive.field import Field
from fundoscope.perceive.lesions import Lesions, find_lesions
from fundoscope.perceive.quality import Quality, judge_quality
from fundoscope.perceive.vessels import Vessels, find_vessels
from fundoscope.perceive.views import View
from fundoscope.read.dicom import DICOM_HEAD_BYTES, DicomFacts, dicom_facts, is_dicom
from fundoscope.read.photographs import read_pixels

Kind = Literal[
    "macula_centred", "disc_centred", "other_field", "ultra_wide", "not_a_fundus_photograph"
]
NOTHING_STATED = DicomFacts()
CENTRED_WITHIN = 0.35
"""Of the field's radius: how far from its middle the fovea or the disc may lie."""
SMALL_DISC = 0.09
"""Width of a disc, of the field's: 7 degrees of 78."""
SURELY_NO_FUNDUS = 0.8
"""Probability from which nothing more is asked; below it, disc and fovea together prove a fundus.
Thirteen of 30 wide frames of a good camera lie between; so do a cat's and a page of text."""
NEAR_FOVEA = 0.22
"""Distance of the fovea from the disc, of the field's width: 16 degrees of 73."""


@dataclass(frozen=True, eq=False)
class Perceived:
    """All that was seen in one photograph; None where it was not looked for or not found."""

    name: str
    """The photograph's file name without its suffix."""
    view: View
    quality: Quality
    kind: Kind
    vessels: Vessels | None = None
    places: Places | None = None
    disc_cup: DiscCup | None = None
    lesions: Lesions | None = None
    conditions: Conditions | None = None
    file_facts: DicomFacts = NOTHING_STATED
    """What the file itself states of eye and scale; only DICOM does."""
    refused: str = ""
    """Why nothing may be measured in it; empty where it may. Its outlines are there to be looked
    at all the same, unless it is no fundus photograph."""


def perceive_photograph(photograph: Path, *, mirrored: bool = False) -> Perceived:
    """Return what is seen in a photograph.

    Parameters
    ----------
    photograph : Path
        JPEG, PNG, TIFF, BMP or, with the extra `dicom`, an ophthalmic photograph in DICOM.
    mirrored : bool
        Let the vessels be looked at twice, the second time mirrored.

    Raises
    ------
    PhotographError
        If the file is missing, broken, too large or no image.
    """
    found = perceive_view(photograph.stem, View(read_pixels(photograph)), mirrored=mirrored)
    return replace(found, file_facts=_facts_of(photograph))


def _facts_of(photograph: Path) -> DicomFacts:
    with photograph.open("rb") as stream:
        stated = is_dicom(stream.read(DICOM_HEAD_BYTES))
    return dicom_facts(photograph) if stated else NOTHING_STATED


def perceive_view(name: str, view: View, *, mirrored: bool = False) -> Perceived:
    """Return what is seen in a photograph that is already read; see `perceive_photograph`."""
    quality = judge_quality(view.pixels, view.field)
    doubt = quality.kind == "not_a_fundus_photograph"
    if doubt and quality.kind_probabilities["not_a_fundus_photograph"] >= SURELY_NO_FUNDUS:
        return _no_fundus(name, view, quality)
    places = find_places(view)
    if doubt and not (places.disc and places.fovea):
        return _no_fundus(name, view, quality)
    if doubt:
        quality = replace(quality, kind="retina")
    disc_cup = outline_disc(view, places)
    kind = kind_of(view, quality, places, disc_cup)
    refused = _why_not(quality, kind)
    lesions = find_lesions(view, disc_cup.disc if disc_cup else None)
    return Perceived(
        name=name,
        view=view,
        quality=quality,
        kind=kind,
        vessels=find_vessels(view, field_degrees(view, places, disc_cup), mirrored=mirrored),
        places=places,
        disc_cup=disc_cup,
        lesions=lesions,
        conditions=None if refused else judge_conditions(view, lesions, disc_cup),
        refused=refused,
    )


def _no_fundus(name: str, view: View, quality: Quality) -> Perceived:
    kind: Kind = "not_a_fundus_photograph"
    return Perceived(name, view, quality, kind, refused=_why_not(quality, kind))


def kind_of(view: View, quality: Quality, places: Places, disc_cup: DiscCup | None) -> Kind:
    """Return what kind of picture it is; ultra-wide by its looks, or because the eye is small.

    A disc is about 7 degrees wide, and the fovea 16 degrees from it: in a field of 75 degrees or
    more the disc is narrower than `SMALL_DISC` of it, and the fovea nearer than `NEAR_FOVEA`.
    """
    across = 2 * view.field.radius_px
    small = near = False
    if disc_cup is not None and not view.field.whole_frame:
        small = round_across(disc_cup.disc) < SMALL_DISC * across
    if places.disc and places.fovea:
        near = math.dist(places.disc, places.fovea) < NEAR_FOVEA * across
    if quality.kind == "ultra_wide" or small or near:
        return "ultra_wide"
    return _centred_on(view.field, places)


def _centred_on(field: Field, places: Places) -> Kind:
    """Return what lies in the middle of the field: the nearer one of disc and fovea, if near."""
    far = {
        kind: math.hypot(place[0] - field.row, place[1] - field.col) / field.radius_px
        for kind, place in (("macula_centred", places.fovea), ("disc_centred", places.disc))
        if place is not None
    }
    nearest = min(far, key=lambda kind: far[kind], default="")
    return cast(Kind, nearest) if nearest and far[nearest] <= CENTRED_WITHIN else "other_field"


def _why_not(quality: Quality, kind: Kind) -> str:
    """Return why nothing may be measured in such a photograph, or nothing."""
    if kind == "not_a_fundus_photograph":
        return "this is not a fundus photograph"
    if quality.grade == "reject":
        return f"the photograph is too poor to be judged: {', '.join(quality.reasons)}"
    if kind == "ultra_wide":
        return "it is defined for a field of 30 to 60 degrees; this photograph is ultra-wide"
    return ""
