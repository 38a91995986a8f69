"""Golden numbers for core/evaluation, made by NumPy, SciPy, scikit-learn and Pillow.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py

Writes cohort.json (a dataset of made-up cases and all that follows from it), ks.json and paper.json
beside itself. The bootstrap's draws are those of core/random.ts (sfc32, see ../random/golden.py), so
intervals agree to rounding, not only roughly.
"""

import json
import math
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage, stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "metrics"))
from masks import build  # noqa: E402  the rule masks of ../metrics

DRAWS, CONFIDENCE, SEED = 2000, 0.95, 0
WORST_MM = 700
THRESHOLD = 0.4
MASK = 0xFFFFFFFF


def sfc32(seed):
    a, b, c, counter = 0, seed & MASK, seed >> 32, 1
    for n in range(1 << 62):
        out = (a + b + counter) & MASK
        counter = (counter + 1) & MASK
        a = b ^ (b >> 9)
        b = (c + (c << 3)) & MASK
        c = (((c << 21) & MASK) | (c >> 11)) + out & MASK
        if n >= 12:
            yield out


def draws_of(patients):
    stream = sfc32(SEED)
    return np.array(
        [[int(next(stream) / 2**32 * patients) for _ in range(patients)] for _ in range(DRAWS)]
    )


def interval(patients, statistic):
    """`statistic` of an array of patient indices; NaN draws are left out."""
    values = np.array([statistic(drawn) for drawn in draws_of(patients)])
    values = values[~np.isnan(values)]
    tail = (1 - CONFIDENCE) / 2
    return {
        "estimate": float(statistic(np.arange(patients))),
        "lower": float(np.quantile(values, tail)),
        "upper": float(np.quantile(values, 1 - tail)),
    }


def mean_interval(values):
    array = np.array(values)
    return interval(len(array), lambda drawn: array[drawn].mean())


def made_up_cases():
    """26 cases of 17 patients: compared, missed, spurious, failed, unusable and unlabelled ones."""
    rng = np.random.default_rng(6)
    cases = []
    for n in range(26):
        status = {3: "missed", 7: "spurious", 11: "failed", 15: "label-unusable", 19: "unlabelled"}.get(
            n, "compared"
        )
        case = {
            "caseId": f"case-{n:02d}",
            "patientId": f"patient-{n % 17:02d}",
            "status": status,
            "labelVersion": None if status == "unlabelled" else f"v{n}",
            "sliceSpacingMm": [0.8, 1.5, 2, 3, 5, 6][n % 6],
        }
        if status in ("compared", "missed", "spurious"):
            found = status == "compared"
            case["dice"] = round(float(rng.beta(20, 2)), 6) if found else 0
            case["hd95Mm"] = round(float(rng.gamma(2, 4)), 6) if found else "inf"
            case["predictionVolumeMl"] = 0 if status == "missed" else round(float(rng.normal(1500, 300)), 3)
            case["labelVolumeMl"] = 0 if status == "spurious" else round(float(rng.normal(1480, 300)), 3)
            slices = int(rng.integers(5, 30))
            case["paper"] = {
                "slices": slices,
                "dice": round(float(rng.beta(15, 2)), 6),
                "hausdorffPx": round(float(rng.gamma(3, 5)), 6),
            }
            positive = [bool(v) for v in rng.random(12) < 0.6]
            # Hundredths, so that scores tie; and a half, for the libraries put an edge into different bins.
            case["scores"] = [
                {"score": round(math.floor(100 * np.clip(rng.normal(0.65 if p else 0.35, 0.25), 0, 0.999)) / 100 + 0.005, 3),
                 "positive": p}
                for p in positive
            ]
        cases.append(case)
    return cases


def by_patient(cases):
    groups = {}
    for case in cases:
        groups.setdefault(case["patientId"], []).append(case)
    return [groups[key] for key in sorted(groups)]


def patient_means(cases, value):
    means = []
    for group in by_patient(cases):
        values = [v for v in (value(case) for case in group) if v is not None]
        if values:
            means.append(float(np.mean(values)))
    return means


def finite(name):
    return lambda case: case.get(name) if isinstance(case.get(name), (int, float)) else None


def dice_or_zero(case):
    return case.get("dice", 0)


def pooled(cases, value):
    """Ratio over slices with patients as clusters."""
    groups = by_patient([case for case in cases if "paper" in case])
    whole = np.array([sum(c["paper"]["slices"] for c in group) for group in groups], float)
    part = np.array([sum(c["paper"]["slices"] * value(c) for c in group) for group in groups])
    return interval(len(groups), lambda drawn: part[drawn].sum() / whole[drawn].sum())


def classification(cases):
    groups = [g for g in ([s for c in group for s in c.get("scores", [])] for group in by_patient(cases)) if g]
    scores = [np.array([s["score"] for s in group]) for group in groups]
    truth = [np.array([s["positive"] for s in group]) for group in groups]

    def auc(drawn):
        labels = np.concatenate([truth[p] for p in drawn])
        if labels.all() or not labels.any():
            return np.nan
        return roc_auc_score(labels, np.concatenate([scores[p] for p in drawn]))

    def rate(of):
        def statistic(drawn):
            labels = np.concatenate([truth[p] for p in drawn])
            called = np.concatenate([scores[p] for p in drawn]) >= THRESHOLD
            chosen = of(labels)
            return np.nan if not chosen.any() else (called == labels)[chosen].mean()

        return interval(len(groups), statistic)

    labels, all_scores = np.concatenate(truth), np.concatenate(scores)
    share, mean = calibration_curve(labels, all_scores, n_bins=10, strategy="uniform")
    return {
        "threshold": THRESHOLD,
        "auc": interval(len(groups), auc),
        "accuracy": rate(lambda labels: np.ones_like(labels)),
        "sensitivity": rate(lambda labels: labels),
        "specificity": rate(lambda labels: ~labels),
        "positiveShare": share.tolist(),
        "meanScore": mean.tolist(),
    }


def bland_altman(cases):
    d = np.array([c["predictionVolumeMl"] - c["labelVolumeMl"] for c in cases if c["status"] == "compared"])
    reach = 1.96 * d.std(ddof=1)
    return {
        "cases": len(d),
        "biasMl": float(d.mean()),
        "lowerLimitMl": float(d.mean() - reach),
        "upperLimitMl": float(d.mean() + reach),
    }


def comparison(cases, labelled):
    """An earlier evaluation: Dice moved, one label changed, one case missing, one failed."""
    rng = np.random.default_rng(7)
    earlier = []
    for n, case in enumerate(labelled):
        if n == 2:
            continue
        row = {key: case[key] for key in ("caseId", "patientId", "status", "labelVersion", "sliceSpacingMm")}
        if n == 5:
            row["labelVersion"] = "older"
        if "dice" in case:
            row["dice"] = round(float(np.clip(case["dice"] + rng.normal(-0.01, 0.03), 0, 1)), 6)
        if n == 9:
            row["status"] = "failed"
            del row["dice"]
        earlier.append(row)
    there = {row["caseId"]: row for row in earlier}
    paired = [c for c in labelled if there.get(c["caseId"], {}).get("labelVersion") == c["labelVersion"]]
    here = patient_means(paired, dice_or_zero)
    before = patient_means([there[c["caseId"]] | {"patientId": c["patientId"]} for c in paired], dice_or_zero)
    difference = np.array(here) - np.array(before)
    w = stats.wilcoxon(here, before, correction=False, method="exact" if len(here) <= 25 and (difference != 0).all() else "asymptotic")
    return {
        "previous": earlier,
        "patients": len(here),
        "diceDifference": mean_interval(difference),
        "wilcoxon": {"statistic": float(w.statistic), "pValue": float(w.pvalue)},
        "onlyHere": [labelled[2]["caseId"]],
        "relabelled": [labelled[5]["caseId"]],
    }


def cohort():
    cases = made_up_cases()
    # a label that cannot be used says nothing of the mask: its case is in no mean
    labelled = [c for c in cases if c["labelVersion"] is not None and c["status"] != "label-unusable"]
    dice = [c["dice"] for c in labelled if "dice" in c]
    return {
        "cases": cases,
        "dice": mean_interval(patient_means(labelled, finite("dice"))),
        "diceWithWorst": mean_interval(patient_means(labelled, dice_or_zero)),
        "diceQuartiles": np.quantile(dice, [0.25, 0.5, 0.75]).tolist(),
        "hd95Mm": mean_interval(patient_means(labelled, finite("hd95Mm"))),
        "hd95MmWithWorst": mean_interval(
            patient_means(labelled, lambda c: min(finite("hd95Mm")(c) if finite("hd95Mm")(c) is not None else WORST_MM, WORST_MM))
        ),
        "paperDice": pooled(labelled, lambda c: c["paper"]["dice"]),
        "paperHausdorffPx": pooled(labelled, lambda c: c["paper"]["hausdorffPx"]),
        "classification": classification(labelled),
        "volumes": bland_altman(labelled),
        "comparison": comparison(cases, labelled),
    }


def ks():
    rng = np.random.default_rng(8)
    out = []
    for n, m, shift, digits in [(5, 5, 0, 6), (7, 12, 1, 6), (20, 20, 0.3, 1), (40, 25, 2, 6), (100, 80, 0.2, 0),
                                (150, 150, 0.5, 6), (3, 200, 1.5, 6), (60, 61, 4, 6)]:
        a = np.round(rng.normal(0, 1, n), digits)
        b = np.round(rng.normal(shift, 1, m), digits)
        result = stats.ks_2samp(a, b, method="exact")
        out.append({"a": a.tolist(), "b": b.tolist(), "statistic": float(result.statistic), "pValue": float(result.pvalue)})
    return out


def to_square(mask, spacing):
    """Pillow's triangle filter into the letterbox of the model's 256 x 256, at least one half."""
    rows, cols = mask.shape
    height_mm, width_mm = rows * spacing[0], cols * spacing[1]
    pixel_mm = max(height_mm, width_mm) / 256
    size = [min(256, max(1, math.floor(mm / pixel_mm + 0.5))) for mm in (width_mm, height_mm)]
    resized = Image.fromarray(mask.astype(np.float32), mode="F").resize(size, Image.Resampling.BILINEAR)
    square = np.zeros((256, 256), np.float32)
    y, x = (256 - size[1]) // 2, (256 - size[0]) // 2
    square[y : y + size[1], x : x + size[0]] = np.asarray(resized)
    return square >= 0.5


def region_hausdorff(a, b):
    there = ndimage.distance_transform_edt(~b)[a].max()
    back = ndimage.distance_transform_edt(~a)[b].max()
    return float(max(there, back))


def paper():
    cases = [
        {"shape": [30, 90, 110], "spacing": [2.5, 0.9, 0.7], "label": [{"ellipsoid": [15, 40, 50, 12, 25, 30]}],
         "prediction": [{"ellipsoid": [16, 42, 47, 10, 24, 33]}]},
        {"shape": [21, 300, 280], "spacing": [5, 0.7, 0.7], "label": [{"ellipsoid": [10, 120, 150, 9, 70, 90]}],
         "prediction": [{"ellipsoid": [8, 130, 140, 3, 60, 70]}]},
        {"shape": [18, 256, 256], "spacing": [3, 1, 1], "label": [{"box": [0, 8, 40, 90, 60, 120]}],
         "prediction": [{"box": [0, 9, 44, 93, 60, 110]}]},
    ]
    for case in cases:
        label, prediction = build(case["shape"], case["label"]), build(case["shape"], case["prediction"])
        centre = (case["shape"][0] - 1) / 2
        dices, distances = [], []
        for k in range(math.ceil(centre - 0.3 * centre), math.floor(centre + 0.3 * centre)):
            p, l = (to_square(mask[k], case["spacing"][1:]) for mask in (prediction, label))
            if not l.any():
                continue
            dices.append((2 * (p & l).sum() + 1e-6) / (p.sum() + l.sum() + 1e-6) if p.any() else 0)
            distances.append(region_hausdorff(p, l) if p.any() else 362)
        case |= {"slices": len(dices), "dice": float(np.mean(dices)), "hausdorffPx": float(np.mean(distances))}
    return cases


def write(name, value):
    packages = [line.split("==")[0] for line in (HERE / "requirements.txt").read_text().split()]
    versions = {package: version(package) for package in packages}
    text = json.dumps({"madeWith": versions, "golden": value}, separators=(",", ":"))
    (HERE / name).write_text(text + "\n")
    print(name, len(text))


if __name__ == "__main__":
    write("paper.json", paper())
    write("ks.json", ks())
    write("cohort.json", cohort())
