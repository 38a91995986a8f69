"""A data set in nnU-Net's layout (the Medical Segmentation Decathlon's is read too).

    DATASET/dataset.json           labels by name; `ignore` marks what nobody labelled
            imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz
            imagesUn/CASE_0000.nii.gz                           unlabelled
            imagesTs/CASE_0000.nii.gz, labelsTs/CASE.nii.gz     the test side
            patients.csv           case,patient[,source]; else a case is a patient
            splits_final.json      its first fold; else drawn by the seed, see `read_split`

An image of imagesTr without a label is unlabelled too. `dataset.json` may name its sources, each
with {"name", "licence", "stacked"}; a stacked source's files are single slices put together, so the
distance of their planes means nothing. `notes`, a list of sentences, goes into the model card.
Without dataset.json, labels are 0 and 1.
"""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ENDINGS = (".nii.gz", ".nii")
BACKGROUND, IGNORE = "background", "ignore"
SIDES = ("train", "val", "test")
VALIDATION_SHARE = 0.2


class DatasetError(ValueError):
    """A data set that cannot be used. `reason` names no file, so that a log may hold it."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Source:
    """Where cases came from: its name for people, its licence, and whether files are stacks."""

    name: str
    licence: str
    stacked: bool = False


@dataclass(frozen=True)
class Case:
    """One image and, unless it is unlabelled, its label."""

    id: str
    image: Path
    label: Path | None
    patient: str
    source: str
    is_test: bool


@dataclass(frozen=True)
class Dataset:
    """What the folder says, before any image is opened.

    Attributes:
        root: the folder.
        labels: name -> values in label files; None without dataset.json.
        ignore: value of voxels that nobody labelled, or None.
        sources: by their key in patients.csv.
        cases: sorted by id.
        notes: what a model card should say of the data.
    """

    root: Path
    labels: dict[str, tuple[int, ...]] | None
    ignore: int | None
    sources: dict[str, Source]
    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()

    def target_values(self, target: str) -> tuple[int, ...]:
        """Label values of "liver", or of "liver+cancer" together."""
        if self.labels is None:
            return (1,)
        values: list[int] = []
        for name in target.split("+"):
            if name not in self.labels:
                known = ", ".join(self.labels)
                raise DatasetError(
                    f"{self.root}/dataset.json", f"expected the label {name!r}, found {known}"
                )
            values.extend(self.labels[name])
        return tuple(values)

    def known_values(self) -> set[int]:
        """Every value that a label file may hold."""
        named = {v for values in (self.labels or {"": (1,)}).values() for v in values}
        return {0, *named, *([] if self.ignore is None else [self.ignore])}


def read_dataset(root: Path) -> Dataset:
    """Reads names only; DatasetError says what was expected and found."""
    described = _read_json(root / "dataset.json") if (root / "dataset.json").exists() else {}
    labels, ignore = _labels(root, described)
    licence = described.get("licence") or "not stated"
    name = described.get("name") or root.name
    patients = _patients(root)
    cases = []
    for images, labels_folder, is_test in (
        ("imagesTr", "labelsTr", False),
        ("imagesUn", None, False),
        ("imagesTs", "labelsTs", True),
    ):
        label_of = _files(root / labels_folder) if labels_folder else {}
        images_of = _files(root / images)
        lost = sorted(label_of.keys() - images_of.keys())
        if lost:
            where = f"{root}/{labels_folder}/{lost[0]}"
            raise DatasetError(where, f"expected its image in {images}, found none")
        for case, image in images_of.items():
            patient, source = patients.get(case, (case, root.name))
            cases.append(Case(case, image, label_of.get(case), patient, source, is_test))
    if not any(case.label for case in cases):
        raise DatasetError(f"{root}", "expected labels in labelsTr or labelsTs, found none")
    twice = [case for case, count in Counter(c.id for c in cases).items() if count > 1]
    if twice:
        raise DatasetError(f"{root}", f"expected each case once, found {twice[0]} in two folders")
    given = described.get("sources", {})
    sources = {
        key: Source(**given[key]) if key in given else Source(name, licence)
        for key in sorted({case.source for case in cases})
    }
    cases.sort(key=lambda case: case.id)
    notes = tuple(described.get("notes", []))
    return Dataset(root, labels, ignore, sources, tuple(cases), notes)


def read_split(dataset: Dataset, seed: int) -> dict[str, list[str]]:
    """Case ids of "train", "val" and "test", by patient.

    imagesTs is the test side, unlabelled cases are trained on. The others follow the first fold of
    splits_final.json, or the seed: a fifth of the patients validates. DatasetError where a patient
    would be on two sides or a side would be empty.
    """
    test = [case.id for case in dataset.cases if case.is_test and case.label]
    loose = [case.id for case in dataset.cases if not case.is_test and not case.label]
    labelled = [case for case in dataset.cases if not case.is_test and case.label]
    path = dataset.root / "splits_final.json"
    if path.exists():
        fold = _read_json(path)[0]
        known = {case.id for case in dataset.cases}
        lost = sorted({*fold["train"], *fold["val"]} - known)
        if lost:
            raise DatasetError(f"{path}", f"expected cases of this data set, found {lost[0]}")
        chosen = {side: set(fold[side]) for side in ("train", "val")}
    else:
        validating = _drawn_patients(dataset.root, labelled, seed)
        chosen = {
            "train": {case.id for case in labelled if case.patient not in validating},
            "val": {case.id for case in labelled if case.patient in validating},
        }
    train = sorted({case.id for case in labelled if case.id in chosen["train"]} | set(loose))
    val = sorted(case.id for case in labelled if case.id in chosen["val"])
    split = {"train": train, "val": val, "test": test}
    _check_split(dataset, split)
    return split


def _drawn_patients(root: Path, labelled: list[Case], seed: int) -> set[str]:
    patients = sorted({case.patient for case in labelled})
    if len(patients) < 2:
        raise DatasetError(
            f"{root}",
            f"expected labels of at least 2 patients (one validates), found {len(patients)};"
            " label another patient, or say in patients.csv who is who",
        )
    count = max(1, round(VALIDATION_SHARE * len(patients)))
    order = np.random.default_rng(seed).permutation(len(patients))
    return {patients[i] for i in order[:count]}


def _check_split(dataset: Dataset, split: dict[str, list[str]]) -> None:
    patient_of = {case.id: case.patient for case in dataset.cases}
    side_of: dict[str, str] = {}
    for side in SIDES:
        for case in split[side]:
            other = side_of.setdefault(patient_of[case], side)
            if other != side:
                raise DatasetError(
                    f"{dataset.root}",
                    f"expected each patient on one side, found one in {other} and in {side}",
                )
    for side in ("train", "val"):
        if not split[side]:
            raise DatasetError(f"{dataset.root}", f"expected labelled cases to {side}, found none")


def _labels(root: Path, described: dict) -> tuple[dict[str, tuple[int, ...]] | None, int | None]:
    """nnU-Net's {name: value or values}, or the Decathlon's {value: name}."""
    if not described:
        return None, None
    raw = described.get("labels")
    where = f"{root}/dataset.json"
    if not isinstance(raw, dict):
        raise DatasetError(where, "expected labels by name, found none")
    if all(key.isdigit() for key in raw):
        raw = {name: int(value) for value, name in raw.items()}
    labels = {}
    for name, value in raw.items():
        values = tuple(value) if isinstance(value, list) else (value,)
        if not all(isinstance(v, int) and v >= 0 for v in values):
            raise DatasetError(where, f"expected whole numbers for the label {name!r}")
        labels[name] = values
    ignore = labels.pop(IGNORE, (None,))[0]
    labels.pop(BACKGROUND, None)
    return labels, ignore


def _patients(root: Path) -> dict[str, tuple[str, str]]:
    path = root / "patients.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    if rows and not {"case", "patient"} <= rows[0].keys():
        raise DatasetError(f"{path}", f"expected case and patient, found {', '.join(rows[0])}")
    return {row["case"]: (row["patient"], row.get("source") or root.name) for row in rows}


def _files(folder: Path) -> dict[str, Path]:
    """Case id -> file; of several channels the first."""
    found = {}
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        ending = next((e for e in ENDINGS if path.name.endswith(e)), None)
        if ending is None or path.name.startswith("."):
            continue
        stem = path.name.removesuffix(ending)
        channel = stem.rsplit("_", 1)[-1]
        if folder.name.startswith("images") and len(channel) == 4 and channel.isdigit():
            if channel != "0000":
                continue
            stem = stem[:-5]
        found[stem] = path
    return found


def _read_json(path: Path) -> dict | list:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise DatasetError(f"{path}", f"expected JSON: {error}") from error
