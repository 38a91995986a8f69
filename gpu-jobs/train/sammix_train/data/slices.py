"""Reads slices and scans of one side of the patient split into a pool of uint8 slices.

A pool never mixes sides: it is built for one of "train", "val", "test", and only opens files of
that side's patients (and, for "train", the unlabelled and synthetic ones).
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from .preprocess import canonical_volume, letterbox, slices_to_input, window_to_unit

# Slices of unlabelled scans that show no liver, checked by eye: pelvis, lung apex, chest.
# Half-open ranges of canonical slice indices (foot to head), with a margin to the liver.
LIVER_FREE_RANGES = {
    "cort_unlabelled": ((0, 48), (150, 168)),
    "cmb_crc_unlabelled": ((24, 100),),
}


VALIDATION_SLICE_STEP = 4  # every fourth slice of the validation scans


@dataclass(frozen=True)
class SliceRecord:
    """Provenance of one slice.

    Attributes:
        source: "lits", "ircad", "negative", "unlabelled" or "phantom".
        patient: patient id within the source.
        slice_id: unique id, reproducible from the data folder.
        has_liver: class label; None where it is unknown.
        has_mask: whether the mask is a label.
    """

    source: str
    patient: str
    slice_id: str
    has_liver: bool | None
    has_mask: bool


@dataclass(frozen=True)
class SlicePool:
    """Slices of one side of the split: images and masks uint8[m, 256, 256], masks 0 or 1."""

    images: np.ndarray
    masks: np.ndarray
    records: tuple[SliceRecord, ...]

    def __len__(self) -> int:
        return len(self.records)

    def indices(self, **wanted: object) -> np.ndarray:
        """Indices of the records whose attributes equal `wanted`."""
        return np.array(
            [
                i
                for i, record in enumerate(self.records)
                if all(getattr(record, key) == value for key, value in wanted.items())
            ],
            dtype=np.int64,
        )


def read_split(data_root: Path) -> dict:
    """The patient split; see the data folder's description."""
    return json.loads((data_root / "split.json").read_text())


def load_pool(data_root: Path, side: str, phantoms: Path | None = None) -> SlicePool:
    """Loads one side of the split ("train", "val" or "test")."""
    split = read_split(data_root)
    parts = [load_lits(data_root / "lits_slices", set(split["lits_slices"][side]))]
    for patient in split["volumes_ircad"][side]:
        folder = data_root / "volumes_ircad"
        ct, label = (folder / f"ircad_{patient}_{kind}.nii.gz" for kind in ("ct", "liver"))
        parts.append(load_scan(ct, label, "ircad", patient))
    if side == "train":
        parts.append(load_unlabelled(data_root / "unlabelled_slices"))
        parts.extend(load_liver_free(data_root / "volumes"))
        if phantoms is not None:
            parts.extend(load_phantoms(phantoms))
    return concatenate([part for part in parts if len(part)])


def load_phantom_pool(folder: Path, side: str) -> SlicePool:
    """Synthetic scans only: every fifth is for validation, the others for training."""
    scans = load_phantoms(folder)
    if len(scans) < 5:
        raise ValueError(f"expected at least 5 synthetic scans in {folder}, got {len(scans)}")
    wanted = scans[::5] if side == "val" else [s for i, s in enumerate(scans) if i % 5]
    return concatenate(wanted)


def thinned(pool: SlicePool) -> SlicePool:
    """All LiTS slices and every fourth slice of whole scans, to keep validation short."""
    keep = [
        i
        for i, record in enumerate(pool.records)
        if record.source == "lits" or int(record.slice_id[-3:]) % VALIDATION_SLICE_STEP == 0
    ]
    return SlicePool(pool.images[keep], pool.masks[keep], tuple(pool.records[i] for i in keep))


def concatenate(parts: list[SlicePool]) -> SlicePool:
    """Joins pools in order."""
    return SlicePool(
        np.concatenate([p.images for p in parts]),
        np.concatenate([p.masks for p in parts]),
        tuple(record for p in parts for record in p.records),
    )


def load_lits(folder: Path, patients: set[str]) -> SlicePool:
    """LiTS slices of the given patients; every one of them shows liver."""
    with (folder / "manifest.csv").open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["patient"] in patients]
    images = [read_grey_png(folder / "images" / row["file"]) for row in rows]
    masks = [(read_grey_png(folder / "masks" / row["file"]) > 127) for row in rows]
    records = tuple(
        SliceRecord("lits", row["patient"], f"lits/{row['file']}", bool(mask.any()), True)
        for row, mask in zip(rows, masks, strict=True)
    )
    return _pool(images, masks, records)


def load_unlabelled(folder: Path) -> SlicePool:
    """Slices without any label; their class is unknown too."""
    paths = sorted(folder.glob("*.png"))
    images = [read_grey_png(path) for path in paths]
    records = tuple(
        SliceRecord(
            "unlabelled", path.stem.rsplit("_", 1)[0], f"unlabelled/{path.name}", None, False
        )
        for path in paths
    )
    return _pool(images, [np.zeros_like(image) for image in images], records)


def load_scan(ct_path: Path, label_path: Path, source: str, patient: str) -> SlicePool:
    """All slices of a labelled scan."""
    images = scan_to_input(ct_path)
    masks = label_to_input(label_path)
    records = tuple(
        SliceRecord(source, patient, f"{source}/{patient}/{k:03d}", bool(mask.any()), True)
        for k, mask in enumerate(masks)
    )
    return SlicePool(images, masks, records)


def load_liver_free(folder: Path) -> list[SlicePool]:
    """Negative slices of unlabelled scans, from `LIVER_FREE_RANGES`."""
    pools = []
    for name, ranges in LIVER_FREE_RANGES.items():
        path = folder / f"{name}_ct.nii.gz"
        if not path.exists():
            continue
        keep = [k for low, high in ranges for k in range(low, high)]
        images = scan_to_input(path)[keep]
        records = tuple(
            SliceRecord("negative", name, f"negative/{name}/{k:03d}", False, True) for k in keep
        )
        pools.append(SlicePool(images, np.zeros_like(images), records))
    return pools


def load_phantoms(folder: Path) -> list[SlicePool]:
    """Synthetic scans: `x_ct.nii.gz` beside `x_liver.nii.gz`, or imagesTr/ and labelsTr/."""
    pairs = [
        (ct, ct.with_name(ct.name.replace("_ct.", "_liver.")))
        for ct in sorted(folder.rglob("*_ct.nii.gz"))
    ]
    for ct in sorted((folder / "imagesTr").glob("*.nii.gz")):
        pairs.append((ct, folder / "labelsTr" / ct.name.replace("_0000.", ".")))
    return [
        load_scan(ct, label, "phantom", ct.name.split(".")[0])
        for ct, label in pairs
        if label.exists()
    ]


def scan_to_input(ct_path: Path) -> np.ndarray:
    """Windowed and letterboxed slices of a scan, uint8[k, 256, 256]."""
    volume = canonical_volume(nib.load(ct_path))
    box = letterbox(*volume.slices.shape[1:], volume.row_spacing_mm, volume.col_spacing_mm)
    unit = slices_to_input(window_to_unit(volume.slices), box)
    return np.floor(unit * 255 + 0.5).astype(np.uint8)


def label_to_input(label_path: Path) -> np.ndarray:
    """Letterboxed liver masks, uint8[k, 256, 256]; lesions (2) count as liver."""
    volume = canonical_volume(nib.load(label_path))
    box = letterbox(*volume.slices.shape[1:], volume.row_spacing_mm, volume.col_spacing_mm)
    liver = (volume.slices > 0).astype(np.float32)
    return (slices_to_input(liver, box) >= 0.5).astype(np.uint8)


def read_grey_png(path: Path) -> np.ndarray:
    """uint8[h, w] of an 8-bit grey PNG."""
    return np.asarray(Image.open(path).convert("L"))


def _pool(images: list, masks: list, records: tuple[SliceRecord, ...]) -> SlicePool:
    if not records:
        empty = np.zeros((0, 256, 256), dtype=np.uint8)
        return SlicePool(empty, empty, ())
    return SlicePool(np.stack(images), np.stack(masks).astype(np.uint8), records)
