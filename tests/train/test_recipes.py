"""The recipes are stages that can be read, and say what of them is not published."""

from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.train.stage_config import read_stage

RECIPES = Path(__file__).parents[2] / "fundoscope" / "train" / "recipes"
STAGES = sorted(file for file in RECIPES.glob("*.yaml") if "accelerate" not in file.name)


@pytest.mark.parametrize("file", STAGES, ids=lambda file: file.stem)
def test_every_recipe_is_a_stage(file: Path) -> None:
    assert read_stage(file).learns


@pytest.mark.parametrize("file", STAGES, ids=lambda file: file.stem)
def test_rates_that_no_paper_states_are_marked_assumed(file: Path) -> None:
    lines = file.read_text().splitlines()
    for name in ("learning_rate", "epochs", "batch_each"):
        (line,) = [line for line in lines if line.startswith(f"{name}:")]
        assert "# assumed" in line


def test_retinalgpt_mixes_as_published() -> None:
    counts = [
        [source.count for source in read_stage(RECIPES / f"retinalgpt-stage{n}.yaml").data]
        for n in (1, 2)
    ]
    assert counts == [[38_000, 600_000], [38_000, 60_000]]


@pytest.mark.parametrize("file", sorted(RECIPES.glob("accelerate-*.yaml")), ids=lambda f: f.stem)
def test_accelerate_reads_the_examples(file: Path) -> None:
    config = pytest.importorskip("accelerate.commands.config.config_args", reason="needs `train`")
    held = yaml.safe_load(file.read_text())
    assert config.load_config_from_file(str(file)).num_processes == held["num_processes"]
