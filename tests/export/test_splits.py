"""Splits by person: nobody in two of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.errors import ConfigError
from fundoscope.export.splits import SplitReport, assign_splits
from fundoscope.records import Photograph

FRACTIONS = (0.6, 0.2, 0.2)


def photograph(key: str, patient: str | None = None) -> Photograph:
    dataset, split, id = key.split("/")
    return Photograph(dataset, split, id, patient=patient)


@st.composite
def photographs_and_clusters(draw: st.DrawFn) -> tuple[list[Photograph], dict[str, str]]:
    n = draw(st.integers(1, 25))
    photographs = [
        Photograph(
            draw(st.sampled_from("ab")),
            draw(st.sampled_from(["all", "all", "train", "val", "test"])),
            f"p{i}",
            patient=draw(st.none() | st.sampled_from("123456")),
        )
        for i in range(n)
    ]
    tied = draw(st.lists(st.sampled_from(photographs), max_size=8))
    clusters = {p.key: draw(st.sampled_from("xyz")) for p in tied}
    return photographs, clusters


@settings(deadline=None)
@given(photographs_and_clusters(), st.none() | st.just(FRACTIONS), st.booleans())
def test_no_patient_and_no_cluster_is_in_two_splits(
    drawn: tuple[list[Photograph], dict[str, str]],
    fractions: tuple[float, float, float] | None,
    respect: bool,
) -> None:
    photographs, clusters = drawn
    respect = respect or fractions is None
    report = assign_splits(photographs, fractions, clusters, respect_official=respect)
    splits_of: dict[object, set[str]] = {}
    for p in photographs:
        if p.patient is not None:
            splits_of.setdefault((p.dataset, p.patient), set()).add(report.split_of[p.key])
        if p.key in clusters:
            splits_of.setdefault(clusters[p.key], set()).add(report.split_of[p.key])
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert sum(report.counts.values()) == len(photographs)


@settings(deadline=None)
@given(photographs_and_clusters(), st.randoms())
def test_the_order_does_not_matter(
    drawn: tuple[list[Photograph], dict[str, str]], random: st.DataObject
) -> None:
    photographs, clusters = drawn
    shuffled = list(photographs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = assign_splits(photographs, FRACTIONS, clusters)
    other = assign_splits(shuffled, FRACTIONS, clusters)
    assert one.split_of == other.split_of
    assert one == other


@settings(deadline=None)
@given(st.lists(st.integers(0, 99), min_size=1, max_size=20, unique=True), st.integers(100, 999))
def test_another_patients_photograph_moves_nobody(patients: list[int], newcomer: int) -> None:
    old = [photograph(f"odir/all/{n}_left", str(n)) for n in patients]
    new = photograph(f"odir/all/{newcomer}_left", str(newcomer))
    before = assign_splits(old, FRACTIONS, {}).split_of
    after = assign_splits([new, *old], FRACTIONS, {}).split_of
    assert {key: after[key] for key in before} == before


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_the_other_eye_of_a_patient_moves_nobody(n: int) -> None:
    right = photograph(f"odir/all/{n}_right", str(n))
    left = photograph(f"odir/all/{n}_left", str(n))
    before = assign_splits([right], FRACTIONS, {}).split_of[right.key]
    assert set(assign_splits([left, right], FRACTIONS, {}).split_of.values()) == {before}


def test_official_splits_stay_and_the_rest_is_drawn() -> None:
    official = [photograph("idrid/train/1"), photograph("idrid/test/1")]
    free = [photograph(f"odir/all/{n}") for n in range(1000)]
    report = assign_splits([*official, *free], FRACTIONS, {})
    assert report.split_of["idrid/train/1"] == "train"
    assert report.split_of["idrid/test/1"] == "test"
    # 1000 draws: three standard deviations are 47 (p = 0.6) and 38 (p = 0.2)
    assert report.counts["train"] == pytest.approx(600, abs=47)
    assert report.counts["val"] == pytest.approx(200, abs=38)
    assert report.drawn_again == ()


def test_without_fractions_the_rest_stays_in_all() -> None:
    report = assign_splits([photograph("odir/all/1"), photograph("idrid/test/1")], None, {})
    assert report.counts == {"test": 1, "all": 1}


def test_a_group_that_spans_official_splits_goes_to_test_and_is_listed() -> None:
    report = assign_splits(
        [photograph("a/train/1", "7"), photograph("a/val/1", "7"), photograph("a/test/1", "7")],
        None,
        {},
    )
    assert set(report.split_of.values()) == {"test"}
    (group,) = report.spanning
    assert group.name == "a//7"
    assert group.found_in == ("train", "val", "test")
    assert group.went_to == "test"
    assert group.photographs == ("a/test/1", "a/train/1", "a/val/1")


def test_val_protects_before_train() -> None:
    report = assign_splits(
        [photograph("a/train/1", "7"), photograph("a/val/1", "7"), photograph("a/test/1")], None, {}
    )
    assert report.split_of["a/train/1"] == "val"


def test_a_copy_of_a_test_photograph_in_another_set_goes_to_test_with_its_patient() -> None:
    report = assign_splits(
        [photograph("a/test/1"), photograph("b/all/1", "5"), photograph("b/all/2", "5")],
        (1.0, 0.0, 0.0),
        {"a/test/1": "copies", "b/all/1": "copies"},
    )
    assert set(report.split_of.values()) == {"test"}
    assert report.spanning == ()  # only one official split
    assert (report.groups, report.largest_size, report.largest) == (1, 3, "a/test/1")


def test_patient_7_of_one_set_is_not_patient_7_of_another() -> None:
    report = assign_splits([photograph("a/test/1", "7"), photograph("b/train/1", "7")], None, {})
    assert report.split_of == {"a/test/1": "test", "b/train/1": "train"}


def test_a_set_with_labels_for_training_only_is_drawn_again() -> None:
    aptos = [photograph(f"aptos/train/{n}") for n in range(200)]
    idrid = [photograph(f"idrid/train/{n}") for n in range(50)] + [photograph("idrid/test/1")]
    report = assign_splits(aptos + idrid, FRACTIONS, {})
    assert report.drawn_again == ("aptos",)
    assert {report.split_of[p.key] for p in aptos} == {"train", "val", "test"}
    assert {report.split_of[p.key] for p in idrid[:-1]} == {"train"}
    assert assign_splits(aptos, None, {}).counts == {"train": 200}


def test_everything_is_drawn_when_official_splits_do_not_count() -> None:
    report = assign_splits(
        [photograph(f"a/fold1/{n}") for n in range(100)], FRACTIONS, {}, respect_official=False
    )
    assert set(report.counts) == {"train", "val", "test"}
    assert report.drawn_again == ()


def test_a_share_of_nothing_gets_nothing() -> None:
    photographs = [photograph(f"a/all/{n}") for n in range(500)]
    assert assign_splits(photographs, (0.9, 0.1, 0.0), {}).counts.keys() == {"train", "val"}


def test_another_seed_is_another_draw() -> None:
    photographs = [photograph(f"a/all/{n}") for n in range(100)]
    one = assign_splits(photographs, FRACTIONS, {}, seed=0)
    assert one.split_of != assign_splits(photographs, FRACTIONS, {}, seed=1).split_of


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (0.5, 0.5)])
def test_fractions_that_are_no_shares_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="add up to 1"):
        assign_splits([], fractions, {})


def test_no_official_splits_and_no_fractions_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be fractions"):
        assign_splits([], None, {}, respect_official=False)


def test_a_split_of_another_name_is_refused_with_its_photograph() -> None:
    with pytest.raises(ConfigError, match="fold1") as caught:
        assign_splits([photograph("a/fold1/9")], FRACTIONS, {})
    assert "a/fold1/9" in str(caught.value)


def test_no_photographs_give_an_empty_report() -> None:
    report: SplitReport = assign_splits([], FRACTIONS, {})
    assert (report.groups, report.largest, report.largest_size) == (0, "", 0)
