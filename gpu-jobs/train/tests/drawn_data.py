"""A data set in nnU-Net's layout with drawings in it, for tests that train a few steps."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np

from sammix_train.export.golden import drawn_slice

LIVER_LEVEL, LIVER_BAND = 0.42, 0.1
AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])  # voxel axes run to L, P and S
STACK, SCAN = "stack", "scan"


def drawn(seed: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A drawn slice uint8[256, 256] and its liver bool[256, 256]."""
    image = drawn_slice((-0.4, 0.0), radius, seed)
    mask = np.abs(image - LIVER_LEVEL) < LIVER_BAND
    mask[:, 140:] = False  # the spleen has nearly the liver's grey
    return (image * 255).astype(np.uint8), mask


def save(slices: np.ndarray, path: Path) -> None:
    """Canonical slices [k, rows A-P, cols R-L] as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(slices.transpose(2, 1, 0), AFFINE), path)


def write_case(root: Path, side: str, case: str, pairs: list, labelled: bool = True) -> None:
    """A file of slices, and its label."""
    image = np.stack([image for image, _ in pairs]).astype(np.int16)
    save(image, root / f"images{side}/{case}_0000.nii.gz")
    if labelled:
        mask = np.stack([mask for _, mask in pairs]).astype(np.uint8)
        save(mask, root / f"labels{side}/{case}.nii.gz")


def stack(patient: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Three slices with liver."""
    return [drawn(10 * patient + k, 0.22 + 0.03 * k) for k in range(3)]


def scan(seed: int, planes: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    """A scan whose lower two planes show no liver."""
    pairs = [drawn(seed + k, 0.02 if k < 2 else 0.3) for k in range(planes)]
    return [(image, mask & (k >= 2)) for k, (image, mask) in enumerate(pairs)]


def write_data_folder(root: Path) -> Path:
    """22 patients of three single slices and three of a scan; 18 and one of them to train on."""
    rows = []
    for patient in range(22):
        case = f"s{patient:03d}"
        write_case(root, "Ts" if patient >= 20 else "Tr", case, stack(patient))
        rows.append({"case": case, "patient": f"p{patient}", "source": STACK})
    for i, side in enumerate(("Tr", "Tr", "Ts")):
        write_case(root, side, f"scan{i}", scan(500 + 10 * i))
        rows.append({"case": f"scan{i}", "patient": f"q{i}", "source": SCAN})
    write_case(root, "Un", "loose", [drawn(900 + k, 0.25) for k in range(3)], labelled=False)
    rows.append({"case": "loose", "patient": "r", "source": STACK})
    with (root / "patients.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    train = [f"s{p:03d}" for p in range(18)]
    fold = {"train": [*train, "scan0"], "val": ["s018", "s019", "scan1"]}
    (root / "splits_final.json").write_text(json.dumps([fold]))
    described = {
        "name": "Drawings",
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "ignore": 2},
        "numTraining": 21,
        "file_ending": ".nii.gz",
        "sources": {
            STACK: {"name": "Drawn slices", "licence": "Apache-2.0", "stacked": True},
            SCAN: {"name": "Drawn scans", "licence": "Apache-2.0"},
        },
    }
    (root / "dataset.json").write_text(json.dumps(described))
    return root


def write_elsewhere(root: Path) -> Path:
    """Another data set: one test scan."""
    write_case(root, "Ts", "other", scan(700))
    described = {"labels": {"background": 0, "liver": 1}, "licence": "Apache-2.0"}
    (root / "dataset.json").write_text(json.dumps(described))
    return root
