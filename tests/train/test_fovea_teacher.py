"""Anatomy finds the fovea of phantoms, whose place is known exactly."""

import numpy as np

from fundoscope.perceive.views import View
from fundoscope.phantoms import draw_phantom
from fundoscope.train.fovea_teacher import fovea_by_anatomy


def test_the_darkest_spot_beside_the_disc_is_the_phantoms_fovea() -> None:
    far = []
    for seed in range(8):
        phantom = draw_phantom(seed, 512)
        rows, cols = np.nonzero(phantom.disc)
        across = float(np.ptp(cols) + 1)
        found = fovea_by_anatomy(
            View(phantom.photograph), (float(rows.mean()), float(cols.mean())), across
        )
        assert found is not None
        far.append(np.hypot(found.row - phantom.fovea[0], found.col - phantom.fovea[1]) / across)
    assert np.median(far) < 0.25
    assert max(far) < 0.5
