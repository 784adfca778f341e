"""An outliner learns what is drawn, goes on when cut, and ships as it was scored."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from fundoscope.errors import ConfigError  # noqa: E402
from fundoscope.train import segmenters, shipping  # noqa: E402
from fundoscope.train.crops import Draw  # noqa: E402
from fundoscope.train.examples import Example  # noqa: E402
from fundoscope.train.loop import Learner, rate_at, trained, write_start  # noqa: E402
from fundoscope.train.orthogonal import _orthogonal  # noqa: E402
from fundoscope.train.outliner_tasks import (  # noqa: E402
    OUTLINER_TASKS,
    OutlinerTask,
)
from fundoscope.train.segmenters import (  # noqa: E402
    SegmenterConfig,
    new_outliner,
    outline_loss,
    train_segmenter,
)

SIDE = 64


def bars(number: int) -> Example:
    """A bright bar (part 0) and a dark one (part 1) on noise."""
    chance = np.random.default_rng(number)
    picture = chance.integers(118, 138, (SIDE, SIDE, 3)).astype(np.uint8)
    truth = np.zeros((SIDE, SIDE), np.uint8)
    first, second = chance.choice(np.arange(6, 56, 8), 2, replace=False)
    picture[first : first + 4], truth[first : first + 4] = 220, 1
    picture[second : second + 4], truth[second : second + 4] = 30, 2
    return Example(str(number), "drawn", picture, truth, known=3)


TASK = OutlinerTask(
    name="bars",
    parts=("bright", "dark"),
    field_px=SIDE,
    prepare=lambda data, work: iter([]),
    draw=Draw(crop_px=SIDE, detail=1.0, parts=2, whole=True, turns=20),
    widths=(8, 12),
    channels=3,
    batch=4,
    held_out=lambda e: int(e.name) >= 6,
    licence="drawn",
)


@pytest.fixture
def drawn(monkeypatch):
    monkeypatch.setitem(OUTLINER_TASKS, "bars", TASK)
    monkeypatch.setattr(segmenters, "prepared", lambda task, config: [bars(i) for i in range(8)])


def config(run: Path, steps: int, **changes) -> SegmenterConfig:
    return SegmenterConfig(
        "bars", run, run, steps, keep_every_steps=2, score_every_steps=200, **changes
    )


def test_an_outliner_learns_bars_and_ships_as_it_was_scored(drawn, tmp_path) -> None:
    asked = config(tmp_path / "run", 300)
    train_segmenter(asked)
    manifest = json.loads(shipping.ship_segmenter(asked, tmp_path / "weights").read_text())
    assert manifest["held_out"]["drawn/bright"]["dice"] > 0.9
    assert manifest["held_out"]["drawn/dark"]["photographs"] == 2
    assert manifest["steps"] == 300
    _same_answers(tmp_path)


def _same_answers(folder: Path) -> None:
    """The file, its kernels in 8 bits, answers as the network does."""
    onnxruntime = pytest.importorskip("onnxruntime")
    network, _ = trained(partial(new_outliner, TASK), folder / "run")
    picture = np.random.default_rng(0).normal(0, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        folder / "weights/bars.onnx", providers=["CPUExecutionProvider"]
    )
    (said,) = session.run(None, {"picture": picture})
    with torch.no_grad():
        true = torch.sigmoid(network(torch.from_numpy(picture))).numpy()
    assert np.abs(said - true).max() < 0.01


def test_a_cut_training_goes_on_to_the_same_end(drawn, tmp_path) -> None:
    ends = []
    for name, stops in (("whole", [6]), ("cut", [2, 6])):
        for stop in stops:
            kept = train_segmenter(config(tmp_path / name, stop, decay=0.0))
        ends.append(torch.load(kept, weights_only=True)["network"])
    for key, whole in ends[0].items():
        assert torch.allclose(whole.float(), ends[1][key].float(), atol=1e-6), key


def test_a_run_may_start_from_the_weights_of_another(drawn, tmp_path) -> None:
    train_segmenter(config(tmp_path / "first", 4))
    new = partial(new_outliner, TASK)
    write_start(new, tmp_path / "first", tmp_path / "starts/bars.pt")
    first, _ = trained(new, tmp_path / "first")
    learner = Learner(new, tmp_path / "second", 1, start_from=tmp_path / "starts/bars.pt")
    for name, value in first.state_dict().items():
        now = learner.network.state_dict()[name]
        assert torch.allclose(now.float(), value.float(), rtol=2e-3, atol=1e-4), name


def test_a_left_out_camera_is_only_tried(drawn, tmp_path) -> None:
    learned, trial = segmenters.parted(TASK, config(tmp_path, 1, leave_out="drawn"))
    assert learned == []
    assert len(trial) == 8


def test_an_unknown_task_offers_the_nearest(tmp_path) -> None:
    with pytest.raises(ConfigError, match="vesels"):
        train_segmenter(replace(config(tmp_path, 1), task="vesels"))


def test_a_certain_right_outline_costs_nothing_and_a_wrong_one_much() -> None:
    truth = torch.zeros(1, 1, 4, 4)
    truth[0, 0, :2] = 1
    weight = torch.ones_like(truth)
    right = outline_loss((truth - 0.5) * 40, truth, weight)
    wrong = outline_loss((0.5 - truth) * 40, truth, weight)
    assert float(right) < 1e-3
    assert float(wrong) > 10


def test_the_rate_rises_stays_and_falls() -> None:
    rates = [rate_at(step, 100, 1.0, warm=10, decay=0.5) for step in (0, 9, 49, 75, 99)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.02])


def test_steps_of_kernels_have_singular_values_about_one() -> None:
    matrices = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (2, 12, 30)))
    values = torch.linalg.svdvals(_orthogonal(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.5
