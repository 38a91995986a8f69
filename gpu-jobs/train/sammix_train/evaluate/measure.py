"""Scores a model on one side of the split and returns the entries of bundle.json's `metrics`."""

from pathlib import Path

import numpy as np

from ..data.slices import load_lits, read_split
from .slices import predict_slices, roc_auc, slice_scores
from .volumes import VolumeResult, score_volume


def metric(name: str, dataset: str, protocol: str, value: float, n: int) -> dict:
    """One entry; n counts slices or scans."""
    return {
        "name": name,
        "dataset": dataset,
        "protocol": protocol,
        "value": round(float(value), 4),
        "n": int(n),
    }


def measure_lits(model: object, data_root: Path, side: str) -> list[dict]:
    """Per-slice Dice with CAM prompts, no gate, and how good the prompts are."""
    pool = load_lits(data_root / "lits_slices", set(read_split(data_root)["lits_slices"][side]))
    predictions = predict_slices(model, pool.images)
    scores = slice_scores(predictions, pool.masks)
    dataset = f"LiTS slices, {side} patients"
    names = {
        "dice": "per-slice Dice, CAM prompt",
        "box_recall": "CAM box recall",
        "box_iou": "CAM box IoU",
        "cam_empty": "share of empty CAMs",
    }
    return [
        metric(label, dataset, "paper-slice", scores[key], len(pool))
        for key, label in names.items()
    ]


def measure_volumes(
    model: object, data_root: Path, side: str, threshold: float
) -> tuple[list[dict], list[VolumeResult]]:
    """Volume Dice of each labelled scan of a side, and classification over all their slices."""
    folder = data_root / "volumes_ircad"
    cases = {
        f"3D-IRCADb-01 patient {patient}": (
            folder / f"ircad_{patient}_ct.nii.gz",
            folder / f"ircad_{patient}_liver.nii.gz",
        )
        for patient in read_split(data_root)["volumes_ircad"][side]
    }
    results = [score_volume(model, ct, label, threshold) for ct, label in cases.values()]
    entries = [
        metric("volume Dice", name, "volume", result.dice, 1)
        for name, result in zip(cases, results, strict=True)
    ]
    mean = float(np.mean([r.dice for r in results]))
    dataset = f"3D-IRCADb-01, {side} patients"
    entries.append(metric("volume Dice, mean", dataset, "volume", mean, len(results)))
    return entries + classification_metrics(results, dataset, threshold), results


def measure_extra_volumes(model: object, data_root: Path, threshold: float) -> list[dict]:
    """The full-resolution in-domain scan and the cross-domain scan; test side only."""
    entries = []
    for name, dataset in (
        ("ircad_17", "3D-IRCADb-01 patient 17, 512 x 512"),
        ("totalseg_3mm", "TotalSegmentator example, 3 mm (cross-domain)"),
    ):
        paths = [data_root / "volumes" / f"{name}_{kind}.nii.gz" for kind in ("ct", "liver")]
        result = score_volume(model, *paths, threshold)
        entries.append(metric("volume Dice", dataset, "volume", result.dice, 1))
        entries.append(metric("volume Dice before clean-up", dataset, "volume", result.raw_dice, 1))
        if np.isfinite(result.auc):
            n = len(result.positive)
            entries.append(metric("slice ROC AUC", dataset, "classification", result.auc, n))
    return entries


def classification_metrics(
    results: list[VolumeResult], dataset: str, threshold: float
) -> list[dict]:
    """AUC, sensitivity and specificity at the gate, over the slices of all scans together."""
    probability = np.concatenate([r.probability for r in results])
    positive = np.concatenate([r.positive for r in results])
    passed = probability >= threshold
    values = {
        "slice ROC AUC": roc_auc(probability, positive),
        "gate sensitivity": passed[positive].mean(),
        "gate specificity": (~passed[~positive]).mean(),
    }
    return [
        metric(name, dataset, "classification", value, len(positive))
        for name, value in values.items()
        if np.isfinite(value)
    ]
