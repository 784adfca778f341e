"""The doctor tells what is there, what is missing and what breaks other things."""

import shutil
import sqlite3
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from fundoscope import doctor
from fundoscope.doctor import Check, Requirement, examine


def add_distribution(site: Path, name: str, version: str, *lines: str) -> None:
    """Lay the metadata of an installed package into a fake site folder."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    head = ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}")
    (info / "METADATA").write_text("\n".join([*head, *lines]) + "\n")


def add_module(site: Path, name: str, body: str) -> None:
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(body)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first where Python looks for packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_this_installation_has_all_that_its_core_needs() -> None:
    checks = by_name(examine())
    for name in ("Python", "fundoscope", "numpy", "opencv-python-headless", "pydantic"):
        assert checks[name].state == "ok", checks[name]
    assert {"[train]", "[serve]", "[dicom]", "[cluster]", "[hub]"} <= checks.keys()


def test_what_is_not_well_says_how_to_mend_it() -> None:
    assert [check for check in examine() if check.state != "ok" and not check.mend] == []


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys; from fundoscope.doctor import examine; examine();"
        "print(sorted({'numpy', 'cv2', 'torch', 'transformers', 'scipy'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout.strip() == "[]", said.stderr


def test_extras_are_read_from_the_metadata(site: Path) -> None:
    add_distribution(site, "leaf", "2.5")
    add_distribution(
        site,
        "tree",
        "1.0",
        "Requires-Python: >=3.11",
        "Provides-Extra: autumn",
        "Provides-Extra: winter",
        "Requires-Dist: leaf>=2",
        'Requires-Dist: leaf<3; extra == "winter"',
        'Requires-Dist: leaf>=3; extra == "autumn"',
        'Requires-Dist: no-such-wind[gust]<6,>=5.1; extra == "autumn"',
    )
    checks = by_name(doctor.check_package("tree"))
    assert list(checks) == ["Python", "tree", "leaf", "[autumn]", "[winter]"]
    assert checks["tree"] == Check("tree", "ok", "1.0")
    assert checks["leaf"] == Check("leaf", "ok", "2.5")
    assert checks["[autumn]"] == Check(
        "[autumn]",
        "missing",
        "missing: leaf (2.5 is installed, >=3 is needed), no-such-wind (not installed)",
        "pip install 'tree[autumn]'",
    )
    assert checks["[winter]"] == Check("[winter]", "ok", "adds leaf 2.5")


def test_an_extra_that_is_whole_lists_what_it_adds(site: Path) -> None:
    add_distribution(site, "leaf", "2.5")
    add_distribution(
        site, "tree", "1.0", "Provides-Extra: autumn", 'Requires-Dist: leaf; extra == "autumn"'
    )
    assert doctor.check_package("tree")[-1] == Check("[autumn]", "ok", "adds leaf 2.5")


def test_a_core_dependency_that_is_missing_is_named() -> None:
    assert doctor.check_dependency(Requirement("no-such-wind", ">=5", "")) == Check(
        "no-such-wind", "missing", "not installed", "pip install 'no-such-wind>=5'"
    )


def test_a_package_that_is_not_installed_is_no_crash() -> None:
    (check,) = doctor.check_package("no-such-tree")
    assert (check.state, check.mend) == ("missing", "pip install no-such-tree")


def test_an_older_python_than_asked_for_is_a_trap() -> None:
    assert doctor.check_python(">=3.99").state == "trap"


@pytest.mark.parametrize(
    ("found", "wanted", "answer"),
    [
        ("2.10", ">=2.9", True),  # numbers, not letters
        ("2.5.0", ">=2.5", True),
        ("2.5", ">=2.5.0", True),
        ("2.4.9", ">=2.5", False),
        ("6.0.0", ">=5.17,<6", False),
        ("2.13.0+cpu", ">=2.5", True),
        ("1.0", "==1", True),
    ],
)
def test_versions_compare_by_their_numbers(found: str, wanted: str, answer: bool) -> None:
    assert doctor.suits(found, wanted) is answer


def test_a_torchvision_that_cannot_be_imported_is_a_trap(site: Path) -> None:
    add_module(
        site, "torchvision", "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    check = doctor.check_torchvision()
    assert check.state == "trap"
    assert "operator torchvision::nms does not exist" in check.detail
    assert "CLIPImageProcessor and LLaVA" in check.detail
    assert check.mend == "pip uninstall torchvision"


def test_a_torchvision_that_can_be_imported_is_let_be(site: Path) -> None:
    add_module(site, "torchvision", "")
    assert doctor.check_torchvision().state == "ok"


def test_without_torchvision_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    monkeypatch.setattr(doctor, "import_problem", lambda name: pytest.fail("was imported"))
    assert doctor.check_torchvision().state == "ok"


def test_an_import_that_hangs_is_given_up(site: Path) -> None:
    add_module(site, "slow_import", "import time\ntime.sleep(30)")
    assert doctor.import_problem("slow_import", limit_s=0.3) == "not done after 0.3 s"


def test_an_import_that_dies_without_a_word_tells_its_exit_status(site: Path) -> None:
    add_module(site, "dies", "import os\nos._exit(7)")
    assert doctor.import_problem("dies") == "exit status 7"


def test_two_builds_of_opencv_are_a_trap(site: Path) -> None:
    add_distribution(site, "opencv-python", "4.9.0")
    add_distribution(site, "opencv-python-headless", "4.9.0")
    check = doctor.check_opencv_builds()
    assert check.state == "trap"
    assert check.mend.startswith("pip uninstall -y opencv-python opencv-python-headless &&")


def test_a_cv2_that_does_not_fit_numpy_is_a_trap(site: Path) -> None:
    add_module(site, "cv2", "raise ImportError('numpy.core.multiarray failed to import')")
    check = doctor.check_opencv_imports()
    assert (check.state, "multiarray failed" in check.detail) == ("trap", True)


def test_an_old_sqlite_is_a_trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_sqlite(tmp_path).state == "ok"
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    assert doctor.check_sqlite(tmp_path).state == "trap"


def test_a_folder_without_write_ahead_logs_is_a_trap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_journal_mode", lambda folder: "delete")
    assert doctor.check_sqlite(tmp_path).state == "trap"


def test_the_checks_leave_nothing_behind(tmp_path: Path) -> None:
    examine(folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_a_trap(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert doctor.check_writable(absent).state == "trap"
    assert doctor.check_sqlite(absent).state == "trap"
    assert doctor.check_disk(absent).state == "missing"


def test_a_full_disk_is_a_trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(9, 9, 999_999_999))
    assert doctor.check_disk(tmp_path).state == "trap"
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(9, 9, 1_000_000_000))
    assert doctor.check_disk(tmp_path).state == "ok"


def test_an_encoding_other_than_utf8_is_a_trap() -> None:
    assert doctor.check_encoding("utf-8", "UTF-8").state == "ok"
    check = doctor.check_encoding("utf-8", "ANSI_X3.4-1968")
    assert (check.state, check.mend) == ("trap", "set PYTHONUTF8=1")
