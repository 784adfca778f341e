"""How near numbers come: a measured quantity against the number that was said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fundoscope.errors import ConfigError
from fundoscope.evaluate.bootstrap import RESAMPLES, Ints, Resamples, ratio
from fundoscope.evaluate.estimates import Estimate, Floats, estimate, sklearn_metrics
from fundoscope.evaluate.probability_metrics import Bools

LIMIT = 1.96
"""Standard deviations from the bias to the limits of agreement."""
NOT_COMPARED = ("other", "implausible")
"""Unit errors after which the number means something else; a missing unit is taken as the one
that was asked for."""
UNIT_ERRORS = ("missing", *NOT_COMPARED)


@dataclass(frozen=True)
class BlandAltman:
    """Differences against means (Bland and Altman 1986, 10.1016/S0140-6736(86)90837-8)."""

    means: Floats
    """Shape (n,), of what was said and the truth."""
    differences: Floats
    """Shape (n,), said minus true."""
    bias: float
    lower: float
    """Lower limit of agreement: bias - 1.96 standard deviations."""
    upper: float


def bland_altman(truth: Floats, said: Floats) -> BlandAltman | None:
    """Return the data of the plot; NaN is left out. None with fewer than two pairs."""
    both = np.isfinite(truth) & np.isfinite(said)
    if both.sum() < 2:
        return None
    truth, said = truth[both], said[both]
    apart = said - truth
    spread = LIMIT * float(apart.std(ddof=1))
    bias = float(apart.mean())
    return BlandAltman((truth + said) / 2, apart, bias, bias - spread, bias + spread)


def number_scores(
    truth: Floats,
    said: Floats,
    patients: Ints,
    *,
    repeatability: Floats | None = None,
    unit_errors: Sequence[str] = (),
    quantity: str = "",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """Return the scores of numbers, with 95 % intervals by patient.

    `coverage`: answers with a number; `unit_error_missing`, `_other`, `_implausible`: shares of
    those, the last two left out of all that follows. `relative_error`: mean of |said - true| /
    |true|, zeros left out; `mae` in the unit; `pearson`; `concordance` (Lin 1989, 10.2307/2532051);
    `bias`, `lower_limit`, `upper_limit` (Bland and Altman 1986); `within_repeatability`: share no
    further off than the tool's own repetition.

    Parameters
    ----------
    truth : shape (N,), finite
    said : shape (N,); NaN is no number
    repeatability : shape (N,), in the unit of the truth; NaN where it is not known
    unit_errors : of each answer `""`, `missing`, `other` or `implausible`; empty for none at all
    quantity : for `Estimate.of`

    Raises
    ------
    ConfigError
        If lengths differ, a truth is not finite, or a unit error is unknown.
    """
    truth, said = np.asarray(truth, np.float64), np.asarray(said, np.float64)
    errors = np.asarray(list(unit_errors) or [""] * len(truth), dtype=object)
    _check(truth, said, patients, errors)
    drawn = Resamples.of(patients, resamples, seed)
    given = np.isfinite(said)
    used = given & ~np.isin(errors, NOT_COMPARED)
    found = [_mean("coverage", given * 1.0, np.ones(len(truth), bool), drawn, quantity)]
    for error in UNIT_ERRORS:
        found.append(_mean(f"unit_error_{error}", (errors == error) * 1.0, given, drawn, quantity))
    apart = np.abs(said - truth)
    nonzero = used & (truth != 0)
    relative = np.divide(apart, np.abs(truth), out=np.zeros_like(apart), where=nonzero)
    zeros = int((used & (truth == 0)).sum())
    found.append(
        _mean("relative_error", relative, nonzero, drawn, quantity,
              note=f"{zeros} true zeros left out" if zeros else "")
    )  # fmt: skip
    found += _agreement(truth[used], said[used], drawn.chosen(used), quantity)
    if repeatability is not None:
        known = used & np.isfinite(repeatability)
        within = np.zeros(len(truth))
        within[known] = apart[known] <= repeatability[known]
        found.append(_mean("within_repeatability", within, known, drawn, quantity))
    return found


def _check(truth: Floats, said: Floats, patients: Ints, errors: np.ndarray) -> None:
    if not len(truth) == len(said) == len(patients) == len(errors):
        raise ConfigError(
            f"{len(truth)} truths, {len(said)} answers, {len(patients)} patients and"
            f" {len(errors)} unit errors",
            mend="one of each an answer",
        )
    if not np.isfinite(truth).all():
        raise ConfigError("a true number is not finite", mend="leave the item out of the task")
    unknown = set(errors) - {"", *UNIT_ERRORS}
    if unknown:
        raise ConfigError(f"unknown unit errors {sorted(unknown)}", mend=", ".join(UNIT_ERRORS))


def _mean(
    name: str, values: Floats, these: Bools, drawn: Resamples, of: str, note: str = ""
) -> Estimate:
    n = int(these.sum())
    totals = drawn.totals(np.stack([np.where(these, values, 0.0), these * 1.0], axis=1))
    return estimate(
        name, float(values[these].mean()) if n else None, ratio(totals[:, 0], totals[:, 1]),
        n=n, of=of, note=note, patients=drawn.patients_of(these),
    )  # fmt: skip


def _agreement(truth: Floats, said: Floats, drawn: Resamples, of: str) -> Iterator[Estimate]:
    """Yield what is computed from means, variances and the covariance."""
    points = _points(truth, said)
    moments = _Moments.of(truth, said, drawn)
    for name, draws in moments.statistics().items():
        yield estimate(
            name, points.get(name), draws, n=len(truth), of=of,
            patients=drawn.patients_of(np.ones(len(truth), bool)),
            undefined=_UNDEFINED.get(name, "") if len(truth) else "",
        )  # fmt: skip


_UNDEFINED = {
    "pearson": "the truth or the answers do not vary",
    "concordance": "neither the truth nor the answers vary",
    "lower_limit": "one pair has no spread",
    "upper_limit": "one pair has no spread",
}


def _points(truth: Floats, said: Floats) -> dict[str, float]:
    points: dict[str, float] = {}
    if not len(truth):
        return points
    points["mae"] = float(sklearn_metrics().mean_absolute_error(truth, said))
    points["bias"] = float((said - truth).mean())
    if _varies(truth) and _varies(said):
        points["pearson"] = float(stats.pearsonr(truth, said).statistic)
    if _varies(truth) or _varies(said):
        between = float(((truth - truth.mean()) * (said - said.mean())).mean())
        points["concordance"] = (
            2 * between / float(truth.var() + said.var() + (truth.mean() - said.mean()) ** 2)
        )
    limits = bland_altman(truth, said)
    if limits:
        points["lower_limit"], points["upper_limit"] = limits.lower, limits.upper
    return points


def _varies(values: Floats) -> bool:
    return bool(values.std() > _NO_SPREAD * np.abs(values).max())


_NO_SPREAD = 1e-9
"""Relative spread below which numbers are one number, rounded."""


@dataclass(frozen=True)
class _Moments:
    """Means and (co)variances of every resample, each shape (R,), in units of `unit`."""

    n: Floats
    mean_true: Floats
    mean_said: Floats
    var_true: Floats
    var_said: Floats
    between: Floats
    mae: Floats
    unit: float

    @classmethod
    def of(cls, truth: Floats, said: Floats, drawn: Resamples) -> _Moments:
        """Return the moments; both are shifted by one middle and scaled, so that squares stay
        near 1 and no digit is lost."""
        middle = float(truth.mean()) if len(truth) else 0.0
        x, y = truth - middle, said - middle
        unit = float(np.abs(np.concatenate([x, y])).max(initial=0)) or 1.0
        x, y = x / unit, y / unit
        columns = [np.ones(len(x)), x, y, x * x, y * y, x * y, np.abs(x - y)]
        n, *sums = drawn.totals(np.stack(columns, axis=1)).T
        mx, my, xx, yy, xy, mae = (ratio(one, n) for one in sums)
        var_x, var_y = _spread(xx - mx * mx), _spread(yy - my * my)
        return cls(n, mx, my, var_x, var_y, xy - mx * my, mae, unit)

    def statistics(self) -> dict[str, Floats]:
        """Return the statistics by name, in the unit of the truth."""
        bias = self.mean_said - self.mean_true
        both = self.var_true + self.var_said
        apart = _spread(both - 2 * self.between)
        spread = LIMIT * np.sqrt(apart * ratio(self.n, self.n - 1))
        product = self.var_true * self.var_said
        return {
            "mae": self.mae * self.unit,
            "pearson": ratio(self.between, np.sqrt(product)),
            "concordance": ratio(2 * self.between, np.where(both > 0, both + bias**2, 0.0)),
            "bias": bias * self.unit,
            "lower_limit": (bias - spread) * self.unit,
            "upper_limit": (bias + spread) * self.unit,
        }


def _spread(variance: Floats) -> Floats:
    """Return a variance, exactly 0 where only rounding is left of it."""
    return np.where(variance > _NO_SPREAD**2 * 100, variance, 0.0)
