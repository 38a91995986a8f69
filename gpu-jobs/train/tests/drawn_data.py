"""A data folder of the real layout with drawings in it, for tests that train a few steps."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from sammix_train.export.golden import drawn_slice

LIVER_LEVEL, LIVER_BAND = 0.42, 0.1


def drawn(seed: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A drawn slice uint8[256, 256] and its liver bool[256, 256]."""
    image = drawn_slice((-0.4, 0.0), radius, seed)
    mask = np.abs(image - LIVER_LEVEL) < LIVER_BAND
    mask[:, 140:] = False  # the spleen has nearly the liver's grey
    return (image * 255).astype(np.uint8), mask


def write_scan(folder: Path, name: str, seed: int, planes: int = 6) -> None:
    """A scan whose lower two planes show no liver."""
    pairs = [drawn(seed + k, 0.02 if k < 2 else 0.3) for k in range(planes)]
    ct = np.stack([image for image, _ in pairs]).astype(np.int16)
    liver = np.stack([mask & (k >= 2) for k, (_, mask) in enumerate(pairs)])
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])  # slices [k, rows A-P, cols R-L] as x = L, y = P
    for kind, array in (("ct", ct), ("liver", liver.astype(np.uint8))):
        image = nib.Nifti1Image(array.transpose(2, 1, 0), affine)
        nib.save(image, folder / f"{name}_{kind}.nii.gz")


def write_data_folder(root: Path) -> Path:
    """A data folder of the real layout, with drawings in it."""
    sides = {"train": range(18), "val": range(18, 20), "test": range(20, 22)}
    lits = root / "lits_slices"
    for folder in (lits / "images", lits / "masks", root / "unlabelled_slices"):
        folder.mkdir(parents=True)
    with (lits / "manifest.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["file", "patient", "slice"])
        writer.writeheader()
        for patient in range(22):
            for k in range(3):
                name = f"{patient:03d}_{k}.png"
                image, mask = drawn(10 * patient + k, 0.22 + 0.03 * k)
                Image.fromarray(image).save(lits / "images" / name)
                Image.fromarray(mask.astype(np.uint8) * 255).save(lits / "masks" / name)
                writer.writerow({"file": name, "patient": str(patient), "slice": k})
    for k in range(3):
        Image.fromarray(drawn(900 + k, 0.25)[0]).save(root / f"unlabelled_slices/nih_1_{k}.png")
    for folder in (root / "volumes_ircad", root / "volumes"):
        folder.mkdir()
    for i, patient in enumerate(("01", "02", "03")):
        write_scan(root / "volumes_ircad", f"ircad_{patient}", 500 + 10 * i)
    write_scan(root / "volumes", "totalseg_3mm", 700)
    split = {
        "lits_slices": {side: [str(p) for p in patients] for side, patients in sides.items()},
        "volumes_ircad": {"train": ["01"], "val": ["02"], "test": ["03"]},
    }
    (root / "split.json").write_text(json.dumps(split))
    return root
