"""The judge learns, and a cut training goes on to the same end."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fundoscope.train import quality  # noqa: E402
from fundoscope.train.quality import QualityConfig, judge_loss, new_judge, train_quality  # noqa: E402
from fundoscope.train.quality_pool import Pool  # noqa: E402


def _pool(size: int) -> Pool:
    chance = np.random.default_rng(0)
    grades = np.eye(3, dtype=np.float32)[chance.integers(0, 3, size)]
    grades[0] = np.nan
    severities = chance.random((size, 4)).astype(np.float32)
    severities[1, 2] = np.nan
    pictures = chance.integers(0, 255, (size, 32, 32, 6)).astype(np.uint8)
    return Pool(pictures, severities, grades, chance.integers(0, 3, size), np.zeros(size, bool))


def test_what_is_not_known_has_no_part_in_the_loss() -> None:
    logits = torch.zeros(2, 10)
    nan = float("nan")
    severities = torch.tensor([[0.5] * 4, [nan] * 4])
    grades = torch.tensor([[1.0, 0, 0], [nan] * 3])
    loss = judge_loss(logits, severities, grades, torch.tensor([0, 1]))
    # ln 2 of the severities, ln 3 of the one grade, 0.7 ln 3 of the kinds
    assert float(loss) == pytest.approx(np.log(2) + 1.7 * np.log(3), abs=1e-5)


def test_the_judge_is_compact() -> None:
    assert sum(p.numel() for p in new_judge().parameters()) <= 500_000


def test_a_cut_training_goes_on_to_the_same_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(quality, "pools", lambda config: (_pool(8), _pool(8)))
    ends = []
    for name, stops in (("whole", [4]), ("cut", [2, 4])):
        for stop in stops:
            # keep every two steps; a rate that does not depend on where the run ends
            config = QualityConfig(
                tmp_path, tmp_path / name, steps=stop, batch=4, keep_every_steps=2, decay=0.0
            )
            monkeypatch.setattr(quality, "_rate", lambda step, config: 0.01)
            kept = train_quality(config)
        ends.append(torch.load(kept, weights_only=True)["network"])
    for key, whole in ends[0].items():
        assert torch.allclose(whole.float(), ends[1][key].float(), atol=1e-6), key
