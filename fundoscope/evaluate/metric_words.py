"""What scores are called on a page, which of them come first, and how numbers are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fundoscope.evaluate.estimates import Estimate
from fundoscope.evaluate.scoring import Family, FormScores

WORDS: Mapping[str, str] = {
    "accuracy": "accuracy of what was decided",
    "accuracy_undecided_wrong": "accuracy, undecided counted as wrong",
    "accuracy_at_coverage": "accuracy of the surest",
    "agreement": "agreement",
    "aupr": "area under precision and recall",
    "aupr_macro": "area under precision and recall, mean over labels",
    "auroc": "AUROC",
    "auroc_macro": "AUROC, mean over labels",
    "balanced_accuracy": "balanced accuracy of what was decided",
    "balanced_accuracy_undecided_wrong": "balanced accuracy, undecided counted as wrong",
    "bias": "bias (said minus true)",
    "calibration_error": "calibration error (ECE)",
    "clinical_consistency": "clinical consistency",
    "concordance": "concordance (Lin)",
    "coverage": "coverage: answers that decide",
    "empty_right": "nothing boxed where nothing is",
    "exact_match": "all findings right",
    "contradicted": "contradicted by what is known",
    "f1": "F1",
    "f1_macro": "F1, mean over terms",
    "facts_recalled": "facts recalled",
    "findings_right": "known findings right",
    "hit_of_centre": "true boxes hit by a centre",
    "lower_limit": "lower limit of agreement",
    "macro_f1": "macro F1 of what was decided",
    "macro_f1_undecided_wrong": "macro F1, undecided counted as wrong",
    "mae": "mean absolute error",
    "mean_best_iou": "mean best IoU",
    "mentioned": "findings spoken of",
    "missing": "without an answer",
    "pearson": "Pearson correlation",
    "precision": "precision",
    "quadratic_kappa": "quadratic kappa",
    "recall": "recall",
    "relative_error": "mean relative error",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "supported": "supported by what is known",
    "unit_error_implausible": "unit implausible",
    "unit_error_missing": "unit missing",
    "unit_error_other": "unit of something else",
    "unsupported": "neither supported nor contradicted",
    "upper_limit": "upper limit of agreement",
    "weighted_f1": "weighted F1 of what was decided",
    "with_claims": "answers that claim what can be checked",
    "within_10_percent": "within 10 % of the truth",
    "within_repeatability": "within the tool's own repeatability",
}
IN_UNIT = ("mae", "bias", "lower_limit", "upper_limit")
"""Scores in the unit of the quantity; all others are shares or bare numbers."""
POOLED = ("", "micro", "macro", "knowledge")
"""`Estimate.of` of a score over all labels or terms."""
CHANCE: Mapping[str, float] = {"auroc": 0.5, "auroc_macro": 0.5, "quadratic_kappa": 0.0}
LOWER_IS_BETTER = frozenset(
    {"missing", "calibration_error", "mae", "relative_error", "bias", *(
        name for name in WORDS if name.startswith("unit_error")
    )}
)  # fmt: skip

_FIRST: Mapping[Family, Sequence[tuple[str, Sequence[str]]]] = {
    "labels": (
        ("quadratic_kappa", ("",)),
        ("balanced_accuracy_undecided_wrong", ("",)),
        ("accuracy_undecided_wrong", ("",)),
    ),
    "findings": (("f1", ("macro",)), ("f1", ("micro",))),
    "boxes": (("f1", ("",)), ("hit_of_centre", ("",))),
    "numbers": (("concordance", ("",)), ("relative_error", ("",))),
    "knowledge": (("facts_recalled", ("",)),),
}

PAPER: Mapping[Family, Sequence[tuple[str, str]]] = {
    "labels": (
        ("quadratic_kappa", ""), ("balanced_accuracy_undecided_wrong", ""),
        ("accuracy_undecided_wrong", ""), ("macro_f1_undecided_wrong", ""), ("auroc", "yes"),
        ("auroc_macro", ""), ("coverage", ""),
    ),
    "findings": (
        ("f1", "macro"), ("f1", "micro"), ("sensitivity", "micro"), ("specificity", "micro"),
        ("exact_match", ""), ("clinical_consistency", ""),
    ),
    "boxes": (
        ("f1", ""), ("precision", ""), ("recall", ""), ("mean_best_iou", ""),
        ("hit_of_centre", ""), ("coverage", ""),
    ),
    "numbers": (
        ("concordance", ""), ("relative_error", ""), ("mae", ""), ("bias", ""), ("pearson", ""),
        ("coverage", ""),
    ),
    "knowledge": (
        ("facts_recalled", ""), ("supported", "knowledge"), ("contradicted", "knowledge"),
        ("unsupported", "knowledge"),
    ),
}  # fmt: skip
"""Scores that a paper's table shows, in this order; (name, of)."""


def named(estimate: Estimate) -> str:
    """Return what a score is called: its metric, and of what."""
    words = WORDS.get(estimate.name, estimate.name.replace("_", " "))
    if not estimate.of:
        return words
    if estimate.of in ("micro", "macro"):
        return f"{words}, {'pooled' if estimate.of == 'micro' else 'mean over terms'}"
    return f"{words}, {estimate.of.replace('_', ' ')}"


def main_of(family: Family, estimates: Sequence[Estimate]) -> Estimate | None:
    """Return the score that stands for a question: the first that has a value."""
    found = {(one.name, one.of): one for one in estimates if one.value is not None}
    for name, ofs in _FIRST[family]:
        for of in ofs:
            if (name, of) in found:
                return found[name, of]
    return next(iter(found.values()), None)


def chance_of(estimate: Estimate, scores: FormScores) -> float | None:
    """Return what guessing comes to, where that is known without looking."""
    if estimate.name.startswith("balanced_accuracy") and scores.family == "labels":
        occurring = sum(any(row) for row in scores.table)
        return 1 / occurring if occurring else None
    return CHANCE.get(estimate.name)


def same_as(wanted: Estimate, estimates: Sequence[Estimate]) -> Estimate | None:
    """Return another system's estimate of the same score, if it has one."""
    return next((one for one in estimates if (one.name, one.of) == (wanted.name, wanted.of)), None)


def figure(value: float, name: str = "") -> str:
    """Return a number as a paper writes it: shares with three decimals, others with four digits.

    Examples
    --------
    >>> figure(0.8534), figure(-0.0004), figure(155.528, "mae")
    ('0.853', '0.000', '155.5')
    """
    if name not in IN_UNIT:
        text = f"{value:.3f}"
        return text.replace("-", "−") if float(text) else "0.000"
    return f"{value:.4g}".replace("-", "−")


def reach(estimate: Estimate) -> str:
    """Return the interval in words, nothing where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{figure(estimate.low, estimate.name)} to {figure(estimate.high, estimate.name)}"


def in_table(estimate: Estimate | None) -> str:
    """Return a score with its interval as a cell of a paper's table."""
    if estimate is None:
        return "–"
    if estimate.value is None:
        return "undefined"
    interval = reach(estimate)
    told = figure(estimate.value, estimate.name)
    return f"{told} ({interval})" if interval else told
