"""The probe finds labels that the file gives away, and flags scores that need no retina."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("sklearn", reason="needs the extra `evaluate`")

from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fundoscope.errors import ConfigError, PhotographError
from fundoscope.evaluate.answer_spaces import Findings, FoundTerms, Levels, Space, YesNo
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.file_features import FEATURES, features_of, file_features
from fundoscope.evaluate.items import Item, Prediction, Scored, Truth
from fundoscope.evaluate.label_words import answer_of
from fundoscope.evaluate.shortcut import Shortcut
from fundoscope.evaluate.shortcut_flag import shortcut_flags

GLAUCOMA = YesNo("glaucoma")


def drawn(file: Path, border_px: int, *, colour: int = 120, quality: int = 90) -> Path:
    """Write a square of one colour with a little noise, and a black border round it."""
    pixels = np.zeros((100, 120, 3), np.uint8)
    inside = pixels[border_px : 100 - border_px, border_px : 120 - border_px]
    chance = np.random.default_rng(abs(hash((file.name, border_px))) % 2**32)
    inside[:] = np.clip(chance.normal(colour, 4, inside.shape), 60, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, **({"quality": quality} if file.suffix == ".jpg" else {}))
    return file


def item(number: int, truth: Truth, file: Path, space: Space = GLAUCOMA, **more: Any) -> Item:
    fields: dict[str, Any] = {"patient": str(number), "language": "en"} | more
    key = f"set/all/{number}"
    return Item(
        id=f"{key}/form/{fields['language']}/0",
        asked=f"{key}/form",
        key=key,
        photographs=(file,),
        question="?",
        wording=0,
        space=space,
        truth=truth,
        **fields,
    )


# features


def test_a_border_is_measured_as_it_was_drawn(tmp_path: Path) -> None:
    """By geometry: 10 px of 100 x 120, so 1 - 80 * 100 / 12000 of the frame is border."""
    found = file_features(drawn(tmp_path / "a.png", 10))
    assert found["border_share"] == pytest.approx(1 - 80 * 100 / 12_000)
    assert found["border_left"] == found["border_right"] == pytest.approx(10 / 120)
    assert found["border_top"] == found["border_bottom"] == pytest.approx(10 / 100)
    assert found["border_red"] == found["border_noise"] == 0
    assert found["aspect"] == pytest.approx(np.log(1.2))
    assert found["jpeg"] == 0 and "jpeg_quality" not in found
    assert set(found) == set(FEATURES) - {"jpeg_quality"}


def test_dark_places_inside_are_no_border(tmp_path: Path) -> None:
    pixels = np.full((100, 100, 3), 120, np.uint8)
    pixels[40:60, 40:60] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert file_features(tmp_path / "a.png")["border_share"] == 0


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_told_as_it_was_asked_for(tmp_path: Path, quality: int) -> None:
    found = file_features(drawn(tmp_path / "a.jpg", 10, quality=quality))
    assert found["jpeg_quality"] == pytest.approx(quality, abs=0.5)
    assert set(found) == set(FEATURES)


def test_a_blurred_frame_is_less_sharp(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(60, 200, (256, 256, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "sharp.png")
    Image.fromarray(noise).resize((32, 32)).resize((256, 256)).save(tmp_path / "blurred.png")
    sharp, blurred = (file_features(tmp_path / f"{n}.png") for n in ("sharp", "blurred"))
    assert blurred["sharpness"] < sharp["sharpness"] - 1


def test_what_is_no_photograph_has_no_features(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"no photograph")
    with pytest.raises(PhotographError):
        file_features(file)
    assert features_of([file, tmp_path / "none.jpg"]) == [{}, {}]


# the probe


@pytest.fixture(scope="module")
def bordered(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Forty photographs; those of label yes have the wider border."""
    folder = tmp_path_factory.mktemp("bordered")
    return [
        item(
            n,
            "yes" if n % 2 else "no",
            drawn(folder / f"{n}.png", 14 + n % 5 if n % 2 else 4 + n % 5),
        )
        for n in range(40)
    ]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Sixty photographs whose border has nothing to do with the label."""
    folder = tmp_path_factory.mktemp("plain")
    chance = np.random.default_rng(5)
    return [
        item(n, "yes" if n % 2 else "no", drawn(folder / f"{n}.png", int(chance.integers(4, 20))))
        for n in range(60)
    ]


def test_a_border_that_gives_the_label_away_is_found(bordered: list[Item]) -> None:
    probe = Shortcut(bordered)
    (found,) = probe.guessable()
    assert found.auroc > 0.99 and found.low > 0.9 and found.best.startswith("border")
    assert found.label == "yes" and (found.photographs, found.patients) == (40, 40)
    made = list(probe.answers(bordered))
    right = [
        read_answer(one.answer, GLAUCOMA).label == asked.truth
        for one, asked in zip(made, bordered, strict=True)
    ]
    assert sum(right) >= 38
    assert all(sum(one.probabilities.values()) == pytest.approx(1) for one in made)


def test_a_border_that_tells_nothing_is_not_called_a_shortcut(plain: list[Item]) -> None:
    (found,) = Shortcut(plain).guessable()
    assert found.low < 0.5 < found.high


def test_the_area_is_scikit_learns(plain: list[Item]) -> None:
    probe = Shortcut(plain)
    made = {one.item: one.probabilities["yes"] for one in probe.answers(plain)}
    truth = [one.truth == "yes" for one in plain]
    area = roc_auc_score(truth, [made[one.id] for one in plain])
    assert probe.guessable()[0].auroc == pytest.approx(area)


def test_no_patient_is_judged_by_a_model_that_knew_him(bordered: list[Item]) -> None:
    """All photographs of one label are one patient's: there is nobody else to learn it from."""
    items = [replace(one, patient="one" if one.truth == "yes" else one.patient) for one in bordered]
    probe = Shortcut(items)
    assert probe.guessable() == ()
    assert all(made.error and not made.answer for made in probe.answers(items))


def test_levels_and_findings_are_probed_too(bordered: list[Item]) -> None:
    levels = [
        replace(one, space=Levels("icdr"), truth=4 if one.truth == "yes" else 1) for one in bordered
    ]
    made = list(Shortcut(levels).answers(levels))
    assert {read_answer(one.answer, Levels("icdr")).label for one in made} == {1, 4}
    space = Findings(("glaucoma", "cataract"))
    findings = [
        replace(
            one,
            space=space,
            truth=FoundTerms(
                (
                    ("glaucoma", "present" if one.truth == "yes" else "absent"),
                    ("cataract", "absent"),
                )
            ),
        )
        for one in bordered
    ]
    probe = Shortcut(findings)
    (found,) = probe.guessable()  # of cataract there is one label only
    assert found.label == "glaucoma" and found.auroc > 0.99
    for one in probe.answers(findings):
        label = read_answer(one.answer, space).label
        assert isinstance(label, FoundTerms)
        assert label.status_of("cataract") == "not_mentioned"


def test_a_photograph_that_cannot_be_read_is_left_out(bordered: list[Item], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"none")
    items = [*bordered, item(99, "yes", broken)]
    probe = Shortcut(items)
    assert probe.guessable()[0].photographs == 40
    assert list(probe.answers(items))[-1].error == "the photograph cannot be read"


# the flag


def scored(items: Sequence[Item], chances: Sequence[float], *, give: bool = True) -> list[Scored]:
    """Return answers yes where the chance is at least a half."""
    made = []
    for one, chance in zip(items, chances, strict=True):
        answer = answer_of("yes" if chance >= 0.5 else "no", one.space, "en")
        shares = {"yes": float(chance), "no": 1 - float(chance)} if give else {}
        prediction = Prediction(one.id, answer, shares)
        made.append(Scored(one, prediction, read_answer(answer, one.space)))
    return made


ITEMS = [item(n, "yes" if n % 2 else "no", Path("x.png")) for n in range(200)]
TRUTH = np.array([one.truth == "yes" for one in ITEMS])


def chances(right: float, seed: int) -> np.ndarray:
    """Return chances that are on the right side for a share of the items."""
    draw = np.random.default_rng(seed)
    good = draw.random(len(ITEMS)) < right
    away = draw.uniform(0.01, 0.49, len(ITEMS))
    return np.where(good == TRUTH, 0.5 + away, 0.5 - away)


@pytest.mark.parametrize("give", [True, False])
def test_a_model_no_better_than_the_probe_is_flagged(give: bool) -> None:
    model, probe = scored(ITEMS, chances(0.9, 1), give=give), scored(ITEMS, chances(0.9, 2))
    (flag,) = shortcut_flags(model, probe)
    assert flag.flagged and flag.words().startswith("FLAGGED.")
    assert flag.score == ("AUROC" if give else "balanced accuracy")


def test_a_model_that_knows_far_more_is_not_flagged() -> None:
    (flag,) = shortcut_flags(scored(ITEMS, chances(0.99, 1)), scored(ITEMS, chances(0.65, 2)))
    assert not flag.flagged and "know more" in flag.words()
    assert flag.lead[1] > flag.near


def test_a_probe_that_knows_nothing_flags_nothing() -> None:
    (flag,) = shortcut_flags(scored(ITEMS, chances(0.5, 3)), scored(ITEMS, chances(0.5, 4)))
    assert not flag.flagged and "not shown to do better than chance" in flag.words()


def test_with_few_patients_a_lead_is_not_shown() -> None:
    """The probe fails for one of three patients; drawn without him, the model does not lead."""
    few = [replace(one, patient=str(n % 3)) for n, one in enumerate(ITEMS)]
    model = np.where(TRUTH, 0.9, 0.1)
    fails = np.array([n % 3 == 0 for n in range(len(ITEMS))])
    probe = np.where(fails, chances(0.75, 7), model)
    (flag,) = shortcut_flags(scored(few, model), scored(few, probe))
    assert flag.lead[0] > 0 and flag.lead[1] == 0
    assert flag.flagged and flag.patients == 3


def test_the_scores_are_scikit_learns_on_the_same_answers() -> None:
    one, other = chances(0.8, 1), chances(0.7, 2)
    (flag,) = shortcut_flags(scored(ITEMS, one), scored(ITEMS, other))
    assert flag.model == pytest.approx(roc_auc_score(TRUTH, one))
    assert flag.probe == pytest.approx(roc_auc_score(TRUTH, other))
    (flag,) = shortcut_flags(scored(ITEMS, one, give=False), scored(ITEMS, other))
    assert flag.model == pytest.approx(balanced_accuracy_score(TRUTH, one >= 0.5))
    assert flag.probe == pytest.approx(balanced_accuracy_score(TRUTH, other >= 0.5))


def test_answers_to_two_forms_are_refused() -> None:
    two = [ITEMS[0], replace(ITEMS[1], asked=f"{ITEMS[1].key}/other")]
    made = scored(two, [0.1, 0.9])
    with pytest.raises(ConfigError, match="several forms"):
        shortcut_flags(made, made)


def test_an_answer_that_abstains_is_not_compared() -> None:
    model = scored(ITEMS, chances(0.9, 1), give=False)
    silent = read_answer("I cannot tell.", GLAUCOMA)
    model[:50] = [replace(one, reading=silent) for one in model[:50]]
    (flag,) = shortcut_flags(model, scored(ITEMS, chances(0.9, 2)))
    assert flag.answers == 150


@pytest.mark.slow
def test_the_border_of_a_real_set_gives_its_label_away(real_data: Path) -> None:
    """UNAM_FUNDUS: photographs with oedema have another border than those without."""
    folder = real_data / "UNAM_FUNDUS"
    with (folder / "labels.csv").open(encoding="utf-8-sig") as stream:
        truth = {row["Name"]: row["DME"] for row in csv.DictReader(stream)}
    files = sorted((folder / "images").iterdir())
    space = YesNo("diabetic_macular_oedema")
    items = [
        item(n, "yes" if truth[file.stem] == "1" else "no", file, space,
             patient=file.stem.split("_")[0])
        for n, file in enumerate(files)
        if file.stem in truth
    ]  # fmt: skip
    (found,) = Shortcut(items, jobs=2).guessable()
    assert found.photographs == 150
    assert found.low > 0.85 and found.best == "border_share" and found.best_auroc > 0.95
