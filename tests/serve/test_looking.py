"""A photograph is looked at once, and nothing of its file but the pixels is kept."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope import phantoms
from fundoscope.errors import PhotographError
from fundoscope.measure.perceived_parts import _around
from fundoscope.records import Measured, record_to_json
from fundoscope.serve import looking
from fundoscope.serve.looking import Looker
from fundoscope.serve.repeats_known import LIMIT, known
from fundoscope.testing.made_up_looks import made_up_look


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Let looking take no time; what was looked at, in order."""
    looked: list[bytes] = []

    def look(raw: bytes, sha256: str, repeats: int) -> object:
        looked.append(raw)
        if raw == b"broken":
            raise PhotographError("broken", where=looking.SHOWN, mend="-")
        return made_up_look(name=sha256[:12])

    monkeypatch.setattr(looking, "_looked_at", look)
    return looked


def test_one_photograph_is_looked_at_once_whatever_it_is_called(
    counted: list[bytes], tmp_path: Path
) -> None:
    looker = Looker()
    for name in ("MRN12345_JaneDoe.jpg", "other.png"):
        (tmp_path / name).write_bytes(b"pixels")
        seen = looker.look(tmp_path / name)
        assert "Jane" not in repr(seen.record) and "MRN" not in repr(seen.record)
    looker.look(b"pixels", "left")
    assert counted == [b"pixels"]


def test_two_callers_at_once_look_once(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end, looked = threading.Event(), threading.Event(), list[bytes]()

    def look(raw: bytes, sha256: str, repeats: int) -> object:
        looked.append(raw)
        begun.set()
        assert may_end.wait(10)
        return made_up_look(name=sha256[:12])

    monkeypatch.setattr(looking, "_looked_at", look)
    looker, found = Looker(), list[object]()
    callers = [
        threading.Thread(target=lambda: found.append(looker.look(b"one").perceived))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    assert begun.wait(10)
    may_end.set()
    for caller in callers:
        caller.join(10)
    assert looked == [b"one"] and len(found) == 4 and len(set(map(id, found))) == 1


def test_the_oldest_photograph_is_forgotten_first(counted: list[bytes]) -> None:
    looker = Looker(most=2)
    for raw in (b"1", b"2", b"1", b"3", b"1", b"2"):
        looker.look(raw)
    assert counted == [b"1", b"2", b"3", b"2"]


def test_what_cannot_be_read_is_not_remembered(counted: list[bytes]) -> None:
    looker = Looker()
    for _ in range(2):
        with pytest.raises(PhotographError):
            looker.look(b"broken")
    assert counted == [b"broken", b"broken"]


def test_the_eye_that_the_asker_states_is_the_records(counted: list[bytes]) -> None:
    looker = Looker()
    assert looker.look(b"1", "left", "2024").record.photograph.eye == "left"
    again = looker.look(b"1", "right")
    assert (again.eye, again.visit, again.record.photograph.eye) == ("right", "", "right")
    assert looker.look(b"1").eye is None


def test_errors_name_no_file(tmp_path: Path) -> None:
    (tmp_path / "Jane_Doe.jpg").write_bytes(b"<script>no photograph</script>")
    for photograph in (tmp_path / "Jane_Doe.jpg", tmp_path / "Jane_none.jpg", Path("a\0Jane.jpg")):
        with pytest.raises(PhotographError) as told:
            Looker().look(photograph)
        assert "Jane" not in str(told.value)


def test_bytes_leave_no_file_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for with_memory in (True, False):
        if not with_memory:
            monkeypatch.delattr("os.memfd_create", raising=False)
        with looking._as_file(b"pixels") as path:
            assert path.read_bytes() == b"pixels"
        assert list(tmp_path.iterdir()) == []


def test_a_drawn_photograph_with_gps_is_measured_and_its_gps_is_gone() -> None:
    exif = Image.Exif()
    exif[0x9286] = "Jane Doe, MRN 12345"  # UserComment
    exif.get_ifd(0x8825)[1] = "N"
    stream = io.BytesIO()
    Image.fromarray(phantoms.draw_phantom(1, 512).photograph).save(stream, "JPEG", exif=exif)
    assert b"Jane" in stream.getvalue()
    seen = Looker().look(stream.getvalue())
    assert seen.perceived.view.shape == (512, 512)
    assert b"Jane" not in record_to_json(seen.record) and "Jane" not in repr(
        seen.perceived.file_facts
    )
    assert seen.record.photograph.key == f"shown/all/{seen.sha256[:12]}"
    assert seen.perceived.name == seen.masks.name == seen.sha256[:12]


def test_the_fovea_is_boxed_by_one_disc_diameter() -> None:
    # a disc 0.2 of 100 rows high is 20 pixels: 10 to each side of (50, 100) on 100 x 200
    assert _around((50, 100), (0.1, 0.4, 0.2, 0.6), (100, 200)) == (0.45, 0.4, 0.55, 0.6)
    assert _around((2, 4), (0.1, 0.4, 0.2, 0.6), (100, 200)) == (0, 0, 0.07, 0.12)


def test_a_value_without_its_own_repeatability_gets_the_tools() -> None:
    own = Measured("fractal_dimension", 1.4, "1", "t", of="all", where="whole", repeatability=0.5)
    bare = Measured("fractal_dimension", 1.4, "1", "t", of="all", where="whole")
    assert known(own) == 0.5
    figure = known(bare)
    assert figure is not None and 0 < figure < 0.05
    assert known(Measured("fractal_dimension", 1.4, "1", "t", of="all", where="nowhere")) is None


def test_the_limit_of_repeats_is_that_of_a_normal_distribution() -> None:
    apart = np.abs(np.diff(np.random.default_rng(0).normal(size=(200_000, 2)), axis=1))
    assert (apart < LIMIT * apart.mean()).mean() == pytest.approx(0.95, abs=0.003)


def test_a_real_photograph_is_looked_at_through_all_networks(real_data: Path) -> None:
    photograph = next(iter(sorted((real_data / "UNAM_FUNDUS" / "images").glob("0*.jpg"))))
    with Image.open(photograph) as image:
        assert image.width > 0
    seen = Looker().look(photograph, "right")
    assert seen.record.photograph.sha256 == seen.sha256 and seen.seconds > 0
    assert photograph.stem.encode() not in record_to_json(seen.record)
    assert any(isinstance(m, Measured) and m.repeatability for m in seen.record.measurements)
