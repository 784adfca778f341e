"""An encoder learns labels, and what nobody looked for teaches it nothing."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.train.encoder_stage import (  # noqa: E402
    EncoderStage,
    batches,
    by_region,
    label_scores,
    masked_loss,
    presence_weight,
    train_encoder,
)
from fundoscope.train.freezing import hold_statistics  # noqa: E402

NAN = float("nan")


def test_an_unknown_label_counts_for_nothing() -> None:
    scores = torch.tensor([[0.0, 9.0], [0.0, -9.0]])
    targets = torch.tensor([[1.0, NAN], [0.0, NAN]])
    # log 2 by hand: both known labels have a score of 0
    assert float(masked_loss(scores, targets, torch.ones(2))) == pytest.approx(np.log(2))
    nothing = torch.full((2, 2), NAN)
    assert float(masked_loss(scores, nothing, torch.ones(2))) == 0


def test_rare_labels_weigh_more_and_not_without_bound() -> None:
    targets = np.array([[1, 1, NAN], [0, 1, 0]] + [[0, 1, 0]] * 98, np.float32)
    assert presence_weight(targets, most=10).tolist() == pytest.approx([10, 0.1, 10])


def test_every_photograph_has_its_turn_in_each_epoch() -> None:
    rows = np.concatenate(list(batches(10, EncoderStage(steps=5, batch=4))))
    assert sorted(rows[:10].tolist()) == sorted(rows[10:].tolist()) == list(range(10))


def test_a_region_shows_what_is_small_and_where_it_lies() -> None:
    seen = torch.zeros(1, 2, 6, 6)
    seen[0, 1, 5, 0] = 7.0  # the last region of the first column, of the second feature
    found = by_region(type("Seen", (), {"last_hidden_state": seen}))
    assert found.shape == (1, 18)
    assert found[0].nonzero().flatten().tolist() == [9 + 6] and found.max() == 7


def test_running_means_of_what_does_not_learn_stay_as_they_are() -> None:
    model = torch.nn.ModuleList([torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)])
    model[0].requires_grad_(False)
    hold_statistics(model)
    model.train()
    for part in model:
        part(torch.full((4, 2), 5.0))
    assert model[0].running_mean.tolist() == [0, 0]
    assert model[1].running_mean.tolist() == pytest.approx([0.5, 0.5])  # a tenth of 5


def test_an_encoder_learns_what_can_be_seen() -> None:
    torch.manual_seed(0)
    chance = np.random.default_rng(0)
    bright = chance.integers(0, 2, 32).astype(np.float32)
    values = chance.normal(0, 0.3, (32, 3, 32, 32)).astype(np.float32)
    values += (bright * 2 - 1)[:, None, None, None]
    encoder = transformers.ConvNextModel(
        transformers.ConvNextConfig(hidden_sizes=[8, 8, 8, 8], depths=[1] * 4, image_size=32)
    )
    head = torch.nn.Linear(8, 1)
    stage = EncoderStage(steps=60, batch=8, learning_rate=1e-2)
    losses = train_encoder(encoder, head, lambda rows: values[rows], bright[:, None], stage)
    found = label_scores(encoder, head, lambda rows: values[rows], 32)[:, 0] > 0.5
    assert losses[-1] < losses[0] / 3
    assert (found == bright.astype(bool)).mean() > 0.9
