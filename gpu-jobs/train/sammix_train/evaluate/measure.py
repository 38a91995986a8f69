"""Scores a model on one side of a data set and returns the entries of bundle.json's `metrics`."""

import numpy as np

from ..data.dataset import Case, Dataset
from ..data.slices import SlicePool, load_pool
from .slices import predict_slices, roc_auc, slice_scores
from .volumes import score_volume, volume_limits

SLICE_SCORES = {
    "dice": "per-slice Dice, CAM prompt",
    "box_recall": "CAM box recall",
    "box_iou": "CAM box IoU",
    "cam_empty": "share of empty CAMs",
}


def metric(name: str, dataset: str, protocol: str, value: float, n: int) -> dict:
    """One entry; n counts slices or scans. No case is named: an id may be a patient's."""
    return {
        "name": name,
        "dataset": dataset,
        "protocol": protocol,
        "value": round(float(value), 4),
        "n": int(n),
    }


def measure_side(
    model: object, dataset: Dataset, ids: list[str], target: str, threshold: float, side: str
) -> list[dict]:
    """Scores by source: per slice of stacks, per volume of scans, and the gate over all slices.

    Args:
        model: `SamMix` in eval mode or `BundleModel`.
        dataset: where the cases are.
        ids: cases; those without a label are left out.
        target: name of the label.
        threshold: the gate.
        side: for the entries' text.
    """
    wanted = set(ids)
    entries = []
    for key, source in dataset.sources.items():
        cases = [c for c in dataset.cases if c.id in wanted and c.source == key and c.label]
        if not cases:
            continue
        name = f"{source.name}, {side} patients"
        measure = measure_stacks if source.stacked else measure_scans
        entries += measure(model, dataset, cases, target, threshold, name)
    return entries


def measure_stacks(
    model: object, dataset: Dataset, cases: list[Case], target: str, threshold: float, name: str
) -> list[dict]:
    """Per-slice Dice with CAM prompts and no gate, how good the prompts are, and the gate."""
    pool = load_pool(dataset, [case.id for case in cases], target)
    pool = pool.subset(pool.indices(has_mask=True))
    predictions = predict_slices(model, pool.images)
    shown = pool.indices(has_target=True)
    entries = []
    if len(shown):
        scores = slice_scores(predictions, pool.masks)
        entries = [
            metric(label, name, "paper-slice", scores[key], len(shown))
            for key, label in SLICE_SCORES.items()
        ]
    return entries + gate_metrics(predictions.probability, _positive(pool), threshold, name)


def measure_scans(
    model: object, dataset: Dataset, cases: list[Case], target: str, threshold: float, name: str
) -> list[dict]:
    """Volume Dice of whole labelled scans, and the gate over all their slices."""
    results = [score_volume(model, dataset, case, target, threshold) for case in cases]
    shown = [r for r in results if r.positive.any()]
    entries = []
    if shown:
        dices = [r.dice for r in shown]
        entries = [
            metric("volume Dice, mean", name, "volume", np.mean(dices), len(shown)),
            metric("volume Dice, lowest", name, "volume", min(dices), len(shown)),
        ]
        limits = volume_limits([r.volume_error_percent for r in shown])
        entries += [
            metric(f"volume error %, {which} limit", name, "volume", value, len(shown))
            for which, value in zip(("lower", "upper"), limits or (), strict=False)
        ]
    probability = np.concatenate([r.probability for r in results])
    positive = np.concatenate([r.positive for r in results])
    return entries + gate_metrics(probability, positive, threshold, name)


def gate_metrics(
    probability: np.ndarray, positive: np.ndarray, threshold: float, name: str
) -> list[dict]:
    """AUC, sensitivity and specificity at the gate, where there are slices to tell them from."""
    passed = probability >= threshold
    values = {}
    if positive.any() and not positive.all():
        values["slice ROC AUC"] = roc_auc(probability, positive)
    if positive.any():
        values["gate sensitivity"] = passed[positive].mean()
    if not positive.all():
        values["gate specificity"] = (~passed[~positive]).mean()
    n = len(positive)
    return [metric(label, name, "classification", v, n) for label, v in values.items()]


def _positive(pool: SlicePool) -> np.ndarray:
    return np.array([bool(record.has_target) for record in pool.records])
