"""The vocabulary of conditions: names belong to one term, and what is implied is known."""

from collections import defaultdict

import pytest

from fundoscope import terms
from fundoscope.records import LANGUAGES, Language

OF_THE_PICTURE = {
    "media_haze",
    "lens_dust",
    "image_offset",
    "low_image_quality",
    "optic_disc_not_visible",
    "silicone_oil_filled_eye",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_belongs_to_two_terms(language: Language) -> None:
    owners = defaultdict(set)
    for family in (terms.conditions(), terms.lesions(), terms.anatomy(), terms.modalities()):
        for id, term in family.items():
            for name in term.names(language):
                owners[name.lower()].add(id)
    assert {name: ids for name, ids in owners.items() if len(ids) > 1} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_term_says_a_name_twice(language: Language) -> None:
    for id, term in terms.conditions().items():
        names = [name.lower() for name in term.names(language)]
        assert len(set(names)) == len(names), id


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_condition_bears_the_name_of_a_severity(language: Language) -> None:
    levels = {
        name.lower()
        for id in ("icdr", "dme_risk", "meta_pm", "messidor_dr")
        for level in terms.scales()[id].levels.values()
        for name in level.names(language)
    }
    names = {n.lower() for t in terms.conditions().values() for n in t.names(language)}
    assert names & levels == set()


def test_every_pathological_condition_implies_an_abnormality() -> None:
    silent = {
        id for id in terms.conditions() if "abnormality" not in terms.broader(id)
    } - OF_THE_PICTURE
    before_the_retina = {
        "asteroid_hyalosis",
        "cataract",
        "vitreous_degeneration",
        "vitreous_opacity",
    }
    assert silent == {"normal_fundus", "tessellated_fundus"} | before_the_retina


def test_nothing_of_the_picture_implies_an_abnormality() -> None:
    assert all("abnormality" not in terms.broader(id) for id in OF_THE_PICTURE)


def test_what_is_implied_exists() -> None:
    known = terms.conditions().keys() | terms.lesions().keys()
    assert {p for t in terms.conditions().values() for p in t.is_a} <= known


def test_every_scale_speaks_of_a_known_condition() -> None:
    spoken = {scale.term for scale in terms.scales().values()} - {"quality", "gradability"}
    assert spoken <= terms.conditions().keys()


def test_dry_macular_degeneration_is_macular_degeneration() -> None:
    assert "age_related_macular_degeneration" in terms.broader(
        "dry_age_related_macular_degeneration"
    )


def test_cupping_of_the_disc_is_not_glaucoma() -> None:
    assert "glaucoma" not in terms.broader("optic_disc_cupping")


def test_oedema_of_the_disc_is_not_called_papilloedema() -> None:
    names = " ".join(n for t in terms.conditions().values() for n in (*t.en, *t.zh)).lower()
    assert "papill" not in names.replace("papillitis", "").replace("papillary", "")
    assert "视乳头水肿" not in names


def test_ambiguous_abbreviations_are_left_out() -> None:
    names = {name for t in terms.conditions().values() for name in t.en}
    assert names & {"MH", "ST", "RT", "RS", "CF", "RP", "VH", "TD"} == set()


def test_codes_are_of_known_systems() -> None:
    systems = {key for t in terms.conditions().values() for key in t.codes}
    assert systems <= {"icd10cm", "mondo", "snomed", "hpo", "doid"}
