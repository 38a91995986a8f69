"""Golden numbers for core/metrics and core/mask, made by other people's libraries.

    python -m venv venv && venv/bin/pip install -r requirements.txt --no-deps
    SAMMIX_DATA=<data folder> venv/bin/python generate.py

Writes metrics.json, surfel-areas.json, components.json, statistics.json beside itself, and
real-masks.json where SAMMIX_DATA points to the CT folder (numbers and rules only, no masks).
"""

import json
import math
import os
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import ndimage, stats

# surface-distance 0.1 is older than NumPy 2 and SciPy 1.15: give it back the names it uses.
np.Inf, np.NaN = np.inf, np.nan
for old in ("filters", "morphology"):
    setattr(ndimage, old, ndimage)

import cc3d
import surface_distance as sd
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance
from sklearn import metrics as skm
from surface_distance import lookup_tables

from cases import SPACINGS, case, cases, component_cases
from masks import build, hash32

HERE = Path(__file__).parent
warnings.filterwarnings("ignore")


def number(value):
    value = float(value)
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "inf"


def onehot(mask):
    return torch.from_numpy(np.stack([~mask, mask])[None].astype(np.float32))


def measure(prediction, label, spacing):
    d = sd.compute_surface_distances(label, prediction, spacing)
    p, l = onehot(prediction), onehot(label)
    hd = lambda q: compute_hausdorff_distance(p, l, percentile=q, spacing=spacing)[0, 0]
    out = {
        "predictionVoxels": int(prediction.sum()),
        "labelVoxels": int(label.sum()),
        "dice": number(sd.compute_dice_coefficient(label, prediction)),
        "monaiDice": number(compute_dice(p, l, include_background=False)[0, 0]),
        "monaiHdMm": number(hd(None)),
        "monaiHd95Mm": number(hd(95)),
        "hdMm": number(sd.compute_robust_hausdorff(d, 100)),
        "hd95Mm": number(sd.compute_robust_hausdorff(d, 95)),
    }
    if prediction.any() and label.any():
        there, back = sd.compute_average_surface_distance(d)
        a, b = d["surfel_areas_gt"], d["surfel_areas_pred"]
        pooled = (np.sum(d["distances_gt_to_pred"] * a) + np.sum(d["distances_pred_to_gt"] * b))
        out |= {
            "labelToPredictionMm": number(there),
            "predictionToLabelMm": number(back),
            "assdMm": number(pooled / (np.sum(a) + np.sum(b))),
        } | {f"nsd{t}Mm": number(sd.compute_surface_dice_at_tolerance(d, t)) for t in (1, 2, 3)}
    return out


def metric_cases():
    out = []
    for c in cases():
        prediction, label = build(c["shape"], c["prediction"]), build(c["shape"], c["label"])
        out.append(c | {"expected": measure(prediction, label, c["spacing"])})
    return out


def surfel_areas():
    area = lookup_tables.create_table_neighbour_code_to_surface_area
    return [{"spacing": s, "areaMm2": area(s).tolist()} for s in SPACINGS]


def component_numbers():
    out = []
    for c in component_cases():
        mask = build(c["shape"], c["mask"])
        sizes = {}
        for connectivity in (6, 18, 26):
            labels = cc3d.connected_components(mask.astype(np.uint8), connectivity=connectivity)
            sizes[str(connectivity)] = sorted(np.bincount(labels.ravel())[1:].tolist())
        filled = ndimage.binary_fill_holes(mask)
        holes = [0, 0]
        if (filled & ~mask).any():
            where = np.flatnonzero(filled & ~mask).astype(np.int64)
            holes = [len(where), int(where.sum())]
        out.append(c | {"sizes": sizes, "filledVoxels": holes[0], "filledIndexSum": holes[1]})
    return out


def ranks(seed, n, levels):
    return [int(h) % levels for h in hash32(np.arange(n), 0, 0, seed)]


def statistics():
    roc = []
    for seed, (n, levels) in enumerate([(20, 7), (50, 11), (200, 1000), (300, 10), (40, 2)]):
        scores = [v / levels for v in ranks(seed, n, levels)]
        labels = [int(v < 2 + int(3 * s)) for v, s in zip(ranks(seed + 90, n, 6), scores)]
        fpr, tpr, _ = skm.roc_curve(labels, scores, drop_intermediate=False)
        roc.append({"scores": scores, "labels": labels, "auc": skm.roc_auc_score(labels, scores),
                    "points": [[float(f), float(t)] for f, t in zip(fpr, tpr)]})
    wilcoxon = []
    for seed, (n, levels, shift) in enumerate([(5, 900, 30), (8, 1000, 300), (12, 5000, 900), (20, 9, 3),
                                               (25, 3000, 100), (60, 4000, 700), (100, 12, 2), (7, 4, 1)]):
        a = [v / 8 for v in ranks(seed, n, levels)]
        b = [(v + shift) / 8 for v in ranks(seed + 40, n, levels)]
        d = np.subtract(a, b)
        ties = len(set(abs(d[d != 0]))) < len(d)
        exact = not ties and n <= 25
        r = (stats.wilcoxon(a, b, method="exact") if exact
             else stats.wilcoxon(a, b, method="asymptotic", correction=False))
        wilcoxon.append({"a": a, "b": b, "statistic": float(r.statistic), "p": float(r.pvalue),
                         "method": "exact" if exact else "normal"})
    values = [v / 100 for v in ranks(5, 31, 5000)]
    return {"roc": roc, "wilcoxon": wilcoxon,
            "quantiles": {"values": values, "at": [[q, float(np.quantile(values, q))] for q in (0, 0.025, 0.25, 0.5, 0.9, 0.975, 1)]}}


REAL = [
    ("volumes_ircad/ircad_01_liver.nii.gz", [{"shift": [1, -2, 3]}]),
    ("volumes_ircad/ircad_01_liver.nii.gz", [{"erode": 2}, {"noise": [3, 1]}]),
    ("volumes_ircad/ircad_12_liver.nii.gz", [{"erode": 1}, {"shift": [0, 2, 0]}]),
    ("volumes_ircad/ircad_08_liver.nii.gz", [{"clear": [0, 400, 0, 120, 0, 256]}]),
    ("volumes/ircad_17_liver.nii.gz", [{"shift": [2, 3, -4]}, {"erode": 1}]),
    ("volumes/totalseg_3mm_liver.nii.gz", [{"shift": [1, 0, 0]}]),
]


def real_masks(folder):
    import nibabel

    out = []
    for path, rule in REAL:
        image = nibabel.load(folder / path)
        label = (np.asarray(image.dataobj) != 0).transpose(2, 1, 0).copy()
        spacing = [float(v) for v in image.header.get_zooms()[:3]][::-1]
        prediction = build(label.shape, rule, label)
        components = cc3d.connected_components(prediction.astype(np.uint8), connectivity=26)
        out.append({"path": path, "rule": rule, "expected": measure(prediction, label, spacing),
                    "components": int(components.max()),
                    "filledVoxels": int((ndimage.binary_fill_holes(prediction) & ~prediction).sum())})
    return out


def write(name, value):
    packages = [line.split("==")[0] for line in (HERE / "requirements.txt").read_text().split()]
    versions = {name: version(name).split("+")[0] for name in packages}
    text = json.dumps({"madeWith": versions, "cases": value}, separators=(",", ":"))
    (HERE / name).write_text(text + "\n")
    print(name, len(text))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("metrics.json", metric_cases())
    write("surfel-areas.json", surfel_areas())
    write("components.json", component_numbers())
    write("statistics.json", statistics())
    if "SAMMIX_DATA" in os.environ:
        write("real-masks.json", real_masks(Path(os.environ["SAMMIX_DATA"])))
