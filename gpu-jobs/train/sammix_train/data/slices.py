"""Slices of one side of a data set's split, as a pool of uint8 images and masks in memory.

A pool never mixes sides: only the files of its side's patients are opened.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from .dataset import Case, Dataset, DatasetError, Source, read_dataset, read_split
from .preprocess import (
    CanonicalVolume,
    canonical_volume,
    letterbox,
    slices_to_input,
    window_to_unit,
)

VALIDATION_SLICES_PER_CASE = 40
UNREADABLE = (OSError, ImageFileError, EOFError, zlib.error, ValueError)


@dataclass(frozen=True)
class SliceRecord:
    """Provenance of one slice.

    Attributes:
        source: key of the data set's source.
        patient: patient id.
        slice_id: "<case>/<k>", canonical slice k from the feet.
        has_target: class label; None where nobody labelled the slice.
        has_mask: whether the mask is a label.
        height_mm: position along the body within the case; of a stack it orders slices only.
    """

    source: str
    patient: str
    slice_id: str
    has_target: bool | None
    has_mask: bool
    height_mm: float = 0.0


@dataclass(frozen=True)
class SlicePool:
    """Slices of one side of the split: images and masks uint8[m, 256, 256], masks 0 or 1."""

    images: np.ndarray
    masks: np.ndarray
    records: tuple[SliceRecord, ...]
    sources: dict[str, Source] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def indices(self, **wanted: object) -> np.ndarray:
        """Indices of the records whose attributes equal `wanted`."""
        return self.where(lambda r: all(getattr(r, k) == v for k, v in wanted.items()))

    def where(self, chosen: Callable[[SliceRecord], bool]) -> np.ndarray:
        """Indices of the records that are chosen."""
        return np.array([i for i, r in enumerate(self.records) if chosen(r)], dtype=np.int64)

    @cached_property
    def heights_with_target(self) -> dict[str, np.ndarray]:
        """Heights of the slices that show the target, by case."""
        found: dict[str, list[float]] = {}
        for record in self.records:
            if record.has_target:
                found.setdefault(record.slice_id.rsplit("/", 1)[0], []).append(record.height_mm)
        return {case: np.array(heights) for case, heights in found.items()}

    def subset(self, indices: np.ndarray) -> "SlicePool":
        """Some of the slices."""
        records = tuple(self.records[i] for i in indices)
        return SlicePool(self.images[indices], self.masks[indices], records, self.sources)


def load_pool(dataset: Dataset, cases: list[str], target: str) -> SlicePool:
    """All slices of the named cases."""
    wanted = set(cases)
    parts = [load_case(dataset, case, target) for case in dataset.cases if case.id in wanted]
    if not parts:
        raise DatasetError(f"{dataset.root}", "expected cases on this side, found none")
    return SlicePool(
        np.concatenate([p.images for p in parts]),
        np.concatenate([p.masks for p in parts]),
        tuple(record for p in parts for record in p.records),
        dataset.sources,
    )


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is validated on.

    Attributes:
        train, validation: slices.
        record: for run.json: {"split": case ids of every side, "dataNotes": for the card}.
    """

    train: SlicePool
    validation: SlicePool
    record: dict


def load_training(root: Path, target: str, seed: int) -> TrainingData:
    """Both sides of a data set that a training opens; DatasetError where it cannot be used."""
    dataset = read_dataset(root)
    split = read_split(dataset, seed)
    validation = load_pool(dataset, split["val"], target)
    if not len(validation.indices(has_target=True, has_mask=True)):
        raise DatasetError(
            f"{root}",
            f"expected labelled slices with {target} of the patients that validate, found none;"
            " label some of them, or name others in splits_final.json",
        )
    return TrainingData(
        train=load_pool(dataset, split["train"], target),
        validation=thinned(validation.subset(validation.indices(has_mask=True))),
        record={"split": split, "dataNotes": list(dataset.notes)},
    )


def thinned(pool: SlicePool) -> SlicePool:
    """At most `VALIDATION_SLICES_PER_CASE` evenly spaced slices of a case, to validate quickly."""
    by_case: dict[str, list[int]] = {}
    for i, record in enumerate(pool.records):
        by_case.setdefault(record.slice_id.rsplit("/", 1)[0], []).append(i)
    kept = []
    for indices in by_case.values():
        count = min(len(indices), VALIDATION_SLICES_PER_CASE)
        kept.extend(indices[round(j)] for j in np.linspace(0, len(indices) - 1, count))
    return pool.subset(np.array(kept))


def licences(pool: SlicePool) -> list[dict]:
    """{source, licence, use} of what a training pool holds."""
    found = []
    for key, source in pool.sources.items():
        own = [record for record in pool.records if record.source == key]
        if not own:
            continue
        if any(record.has_target for record in own):
            use = "training labels"
        elif any(record.has_mask for record in own):
            use = "training slices without the target"
        else:
            use = "unlabelled training"
        found.append({"source": source.name, "licence": source.licence, "use": use})
    return found


def load_case(dataset: Dataset, case: Case, target: str) -> SlicePool:
    """Letterboxed slices of one case; DatasetError where a file cannot be used."""
    values = dataset.target_values(target)
    volume = read_volume(case.image, "image")
    if not np.isfinite(volume.slices).all():
        raise DatasetError(f"{case.image}", "expected numbers, found NaN or infinity in an image")
    box = letterbox(*volume.slices.shape[1:], volume.row_spacing_mm, volume.col_spacing_mm)
    unit = slices_to_input(window_to_unit(volume.slices), box)
    images = np.floor(unit * 255 + 0.5).astype(np.uint8)
    labels = None if case.label is None else read_label(dataset, case, volume)
    masks, records = np.zeros_like(images), []
    if labels is not None:
        inside = np.isin(labels, values).astype(np.float32)
        masks = (slices_to_input(inside, box) >= 0.5).astype(np.uint8)
    for k in range(len(images)):
        known = labels is not None and not (labels[k] == dataset.ignore).any()
        masks[k] *= known
        present = bool(masks[k].any()) if known else None
        slice_id, height = f"{case.id}/{k:03d}", k * volume.slice_spacing_mm
        records.append(SliceRecord(case.source, case.patient, slice_id, present, known, height))
    return SlicePool(images, masks, tuple(records), dataset.sources)


def read_label(dataset: Dataset, case: Case, volume: CanonicalVolume) -> np.ndarray:
    """Label values int[k, rows, cols] on the image's canonical grid."""
    label = read_volume(case.label, "label")
    where = f"{case.label}"
    if label.slices.shape != volume.slices.shape:
        shapes = f"{volume.slices.shape}, found {label.slices.shape}"
        raise DatasetError(where, f"expected the image's grid {shapes} in a label")
    values = np.rint(label.slices)
    # a slope in the header may turn 1 into 1.0000153
    if not np.isfinite(label.slices).all() or np.abs(label.slices - values).max() > 1e-3:
        raise DatasetError(where, "expected whole numbers in a label")
    unknown = sorted({int(v) for v in np.unique(values)} - dataset.known_values())
    if unknown:
        named = f"expected the values of dataset.json, found {unknown[0]} in a label"
        raise DatasetError(where, named)
    return values.astype(np.int16)


def read_volume(path: Path, kind: str) -> CanonicalVolume:
    """A NIfTI file on the canonical axes; DatasetError where it cannot be read."""
    try:
        image = nib.load(path)
        if len(image.shape) != 3:
            raise DatasetError(f"{path}", f"expected 3 axes, found {len(image.shape)} in a {kind}")
        return canonical_volume(image)
    except DatasetError:
        raise
    except UNREADABLE as error:
        reason = f"cannot be read as a {kind} ({type(error).__name__})"
        raise DatasetError(f"{path}", reason) from error
