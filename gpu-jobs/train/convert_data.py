"""Our own training data, once, to data sets in nnU-Net's layout: `convert_data.py SOURCE OUT`.

SOURCE holds PNG slices with manifests (`lits_slices`, `more_slices`, `unlabelled_slices`) and scans
(`volumes_ircad`, `volumes`); OUT receives `liver`, the data set of the default bundle; `elsewhere`,
its cross-domain tests, which are never trained on; and `organs`, several targets of 18 patients.
"""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from drawn_limbs import drawn_limb

LIVER, IGNORE = 1, 2
# a stack's planes have no distance; 10 mm is about that of the slices that were picked
STACK_AFFINE = np.diag([-1.0, -1.0, 10.0, 1.0])
DRAWN_LIMBS, SLICES_PER_LIMB = 18, 24
LPS = nib.orientations.axcodes2ornt(("L", "P", "S"))
# slices of unlabelled scans that show no liver, checked by eye; half open, from the feet
LIVER_FREE_RANGES = {
    "cort_unlabelled": ((0, 48), (150, 168)),
    "cmb_crc_unlabelled": ((24, 100),),
}
SOURCES = {
    "lits": ("LiTS (Medical Segmentation Decathlon Task03)", "CC BY-SA 4.0", True),
    "ircad": ("3D-IRCADb-01", "CC BY-NC-ND 4.0", False),
    "btcv": ("BTCV (Synapse syn3193805)", "registration and terms of use; research use", True),
    "amos": ("AMOS22", "CC BY 4.0", True),
    "flare": ("FLARE22 (MSD Pancreas)", "CC BY-SA 4.0", True),
    "msd06": ("Medical Segmentation Decathlon Task06", "CC BY-SA 4.0", True),
    "sich": ("PHE-SICH-CT-IDS", "see its source", True),
    "cort": ("CORT", "CC0", False),
    "cmb": ("CMB-CRC (TCIA)", "CC BY 4.0", False),
    "limbs": ("limbs drawn by drawn_limbs.py", "made here", True),
    "nihpancreas": ("NIH Pancreas-CT (TCIA)", "CC BY 3.0", True),
    "msd08": ("Medical Segmentation Decathlon Task08", "CC BY-SA 4.0", True),
    "kits19": ("KiTS19", "CC BY-NC-SA 4.0", True),
    "curvas": ("CURVAS", "CC BY-NC 4.0", True),
    "chaos": ("CHAOS", "CC BY-NC-SA 4.0", True),
    "totalseg": ("TotalSegmentator example, 3 mm", "CC BY 4.0", False),
}
NOTES = (
    "Slices of LiTS and of the unlabelled sources were stored clipped to [0, 255] HU, hence the"
    " window: fat and air look alike, and livers below 0 HU are black.",
    "3D-IRCADb-01 was at hand at half resolution in the plane; under 1 % of its liver voxels carry"
    " a wrong intensity. Nine BTCV patients have an estimated intensity scale.",
    "Very large lesions, livers after resection or transplant, and scans without contrast are rare"
    " or absent.",
)
ORGANS = {1: "spleen", 2: "right kidney", 3: "left kidney", 6: "liver", 8: "aorta"}


@dataclass
class Writer:
    """Writes cases one by one, and at the end what ties them together."""

    root: Path
    labels: dict[str, int]
    rows: list[dict] = field(default_factory=list)
    fold: dict[str, list[str]] = field(default_factory=lambda: {"train": [], "val": []})

    def add(
        self,
        case: str,
        patient: str,
        source: str,
        side: str,
        image: nib.Nifti1Image,
        label: nib.Nifti1Image | None,
    ) -> None:
        """`side` is "train", "val" or "test"; without a label a case is unlabelled."""
        folder = "Un" if label is None else "Ts" if side == "test" else "Tr"
        _save(image, self.root / f"images{folder}/{case}_0000.nii.gz")
        if label is not None:
            _save(label, self.root / f"labels{folder}/{case}.nii.gz")
            if side != "test":
                self.fold[side].append(case)
        self.rows.append({"case": case, "patient": patient, "source": source})

    def finish(self, name: str) -> None:
        """Writes dataset.json, patients.csv and splits_final.json."""
        with (self.root / "patients.csv").open("w", newline="") as handle:
            writer = csv.DictWriter(handle, ["case", "patient", "source"])
            writer.writeheader()
            writer.writerows(self.rows)
        used = {row["source"] for row in self.rows}
        described = {
            "name": name,
            "channel_names": {"0": "CT"},
            "labels": {"background": 0, **self.labels},
            "numTraining": len(self.fold["train"]) + len(self.fold["val"]),
            "file_ending": ".nii.gz",
            "notes": list(NOTES),
            "sources": {
                key: {"name": title, "licence": licence, "stacked": stacked}
                for key, (title, licence, stacked) in SOURCES.items()
                if key in used
            },
        }
        (self.root / "dataset.json").write_text(json.dumps(described, indent=1) + "\n")
        if self.fold["train"]:
            (self.root / "splits_final.json").write_text(json.dumps([self.fold], indent=1) + "\n")


def _save(image: nib.Nifti1Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def stacked(files: Iterable[Path], threshold: int | None = None) -> nib.Nifti1Image:
    """PNG slices on top of each other; grey is HU, and a mask is what lies above the threshold."""
    planes = [np.asarray(Image.open(path).convert("L")) for path in files]
    volume = np.stack(planes).transpose(2, 1, 0)
    if threshold is None:
        return nib.Nifti1Image(volume.astype(np.int16), STACK_AFFINE)
    return nib.Nifti1Image((volume > threshold).astype(np.uint8), STACK_AFFINE)


def grouped(folder: Path) -> dict[str, list[dict]]:
    """Rows of a manifest by patient, from the feet up."""
    found = defaultdict(list)
    with (folder / "manifest.csv").open() as handle:
        for row in csv.DictReader(handle):
            found[row["patient"]].append(row)
    return {p: sorted(rows, key=lambda row: int(row["slice"])) for p, rows in found.items()}


def add_stack(writer: Writer, folder: Path, rows: list[dict], where: tuple[str, ...]) -> None:
    """One patient's labelled slices; `where` is case, patient, source and side."""
    image = stacked(folder / "images" / row["file"] for row in rows)
    label = stacked((folder / "masks" / row["file"] for row in rows), threshold=127)
    writer.add(*where, image, label)


def convert_liver(source: Path, root: Path) -> None:
    """Everything that may train a liver model, and its test side."""
    writer = Writer(root, {"liver": LIVER, "ignore": IGNORE})
    split = json.loads((source / "split.json").read_text())
    sides = {p: side for side, group in split["lits_slices"].items() for p in group}
    for patient, rows in grouped(source / "lits_slices").items():
        twin = rows[0]["ircad_patient"].removeprefix("e")  # some patients are in both sources
        name = f"ircad_{twin}" if twin else f"lits_{patient}"
        where = (f"lits_{patient}", name, "lits", sides[patient])
        add_stack(writer, source / "lits_slices", rows, where)
    for side, patients in split["volumes_ircad"].items():
        for patient in patients:
            ct, liver = (
                nib.load(source / f"volumes_ircad/ircad_{patient}_{kind}.nii.gz")
                for kind in ("ct", "liver")
            )
            label = nib.Nifti1Image((np.asarray(liver.dataobj) > 0).astype(np.uint8), liver.affine)
            name = f"ircad_{patient}"
            writer.add(name, name, "ircad", side, ct, label)
    for patient, rows in grouped(source / "more_slices").items():
        if rows[0]["split"] in ("train", "val", "test"):
            where = (patient, patient, rows[0]["source"], rows[0]["split"])
            add_stack(writer, source / "more_slices", rows, where)
    for name, ranges in LIVER_FREE_RANGES.items():
        add_liver_free(writer, source / f"volumes/{name}_ct.nii.gz", name, ranges)
    add_drawn_limbs(writer)
    for folder in (source / "unlabelled_slices", source / "more_slices/unlabelled"):
        add_unlabelled(writer, folder)
    writer.finish("sammix liver")


def add_liver_free(writer: Writer, path: Path, name: str, ranges: tuple) -> None:
    """A scan whose label is known where there is no liver, and `ignore` elsewhere."""
    image = nib.load(path)
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), LPS)
    image = image.as_reoriented(turn)
    label = np.full(image.shape, IGNORE, dtype=np.uint8)
    for low, high in ranges:
        label[:, :, low:high] = 0
    case = name.removesuffix("_unlabelled")
    source = case.split("_")[0]
    writer.add(case, case, source, "train", image, nib.Nifti1Image(label, image.affine))


def add_drawn_limbs(writer: Writer) -> None:
    """Slices without liver of a kind that none of our scans shows."""
    for number in range(DRAWN_LIMBS):
        slices = drawn_limb(np.random.default_rng(number), SLICES_PER_LIMB)
        image = nib.Nifti1Image(slices.transpose(2, 1, 0), STACK_AFFINE)
        label = nib.Nifti1Image(np.zeros(image.shape, np.uint8), STACK_AFFINE)
        case = f"limbs_{number:02d}"
        side = "val" if number % 6 == 5 else "train"
        writer.add(case, case, "limbs", side, image, label)


def add_unlabelled(writer: Writer, folder: Path) -> None:
    """PNG slices without a label, a case for each patient."""
    patients = defaultdict(list)
    for path in sorted(folder.glob("*.png")):
        patients[path.stem.rsplit("_", 1)[0]].append(path)
    for patient, paths in patients.items():
        source = patient.split("_")[0].rstrip("ab")
        writer.add(patient, patient, source, "train", stacked(paths), None)


def convert_elsewhere(source: Path, root: Path) -> None:
    """Cross-domain tests."""
    writer = Writer(root, {"liver": LIVER})
    for patient, rows in grouped(source / "more_slices").items():
        if rows[0]["source"] in ("curvas", "chaos"):
            where = (patient, patient, rows[0]["source"], "test")
            add_stack(writer, source / "more_slices", rows, where)
    ct, liver = (
        nib.load(source / f"volumes/totalseg_3mm_{kind}.nii.gz") for kind in ("ct", "liver")
    )
    label = nib.Nifti1Image((np.asarray(liver.dataobj) > 0).astype(np.uint8), liver.affine)
    writer.add("totalseg", "totalseg", "totalseg", "test", ct, label)
    writer.finish("sammix elsewhere")


def convert_organs(source: Path, root: Path) -> None:
    """Several targets; the slices of the same patients as in `liver`, on the same sides."""
    writer = Writer(root, {name: value for value, name in ORGANS.items()})
    folder = source / "more_slices"
    for patient, rows in grouped(folder).items():
        files = [folder / "organs" / row["file"] for row in rows]
        if all(path.exists() for path in files):
            label = stacked(files)
            label = nib.Nifti1Image(np.asarray(label.dataobj).astype(np.uint8), STACK_AFFINE)
            image = stacked(folder / "images" / row["file"] for row in rows)
            writer.add(patient, patient, "btcv", rows[0]["split"], image, label)
    writer.finish("sammix organs")


if __name__ == "__main__":
    convert_liver(Path(sys.argv[1]), Path(sys.argv[2]) / "liver")
    convert_elsewhere(Path(sys.argv[1]), Path(sys.argv[2]) / "elsewhere")
    convert_organs(Path(sys.argv[1]), Path(sys.argv[2]) / "organs")
