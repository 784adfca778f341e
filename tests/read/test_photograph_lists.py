"""Which photographs a command line means."""

from pathlib import Path

import pytest

from fundoscope.errors import PhotographError
from fundoscope.phantoms import write_phantoms
from fundoscope.read.photograph_lists import photographs_of


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_files_come_as_given_and_folders_sorted_each_once(tmp_path: Path) -> None:
    late, early = _touch(tmp_path / "deep/b.png"), _touch(tmp_path / "deep/a.jpg")
    first = _touch(tmp_path / "z.jpg")
    assert photographs_of([first, tmp_path / "deep", late]) == [first, early, late]


def test_masks_below_a_folder_are_no_photographs(tmp_path: Path) -> None:
    phantoms = write_phantoms(tmp_path, 2, size_px=192)
    assert len(photographs_of([phantoms])) == 2


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotographError) as refused:
        photographs_of([tmp_path / "nowhere"])
    assert "nowhere" in str(refused.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotographError, match="no photograph was found"):
        photographs_of([tmp_path])


def test_two_photographs_of_one_name_are_refused_for_their_masks_would_be_one(
    tmp_path: Path,
) -> None:
    _touch(tmp_path / "one/a.jpg")
    _touch(tmp_path / "two/a.png")
    with pytest.raises(PhotographError, match="two photographs are called 'a'"):
        photographs_of([tmp_path])
