"""nnU-Net's layout: what is read, on which side, and what is refused."""

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import sammix_train.data.slices as slices
from sammix_train.data.dataset import DatasetError, read_dataset, read_split
from sammix_train.data.slices import licences, load_pool, load_training

from .drawn_data import AFFINE, save, scan, stack, write_case, write_data_folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_folder(tmp_path_factory.mktemp("data"))


def small(root: Path, patients: int = 5) -> Path:
    """No dataset.json, no patients.csv, no split: cases are patients, labels are 0 and 1."""
    for patient in range(patients):
        write_case(root, "Tr", f"c{patient}", stack(patient))
    return root


def test_sides_follow_the_files(data: Path) -> None:
    split = read_split(read_dataset(data), seed=0)
    assert split["val"] == ["s018", "s019", "scan1"]
    assert split["test"] == ["s020", "s021", "scan2"]
    assert split["train"] == sorted([*(f"s{p:03d}" for p in range(18)), "scan0", "loose"])


def test_training_opens_no_other_sides_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read = slices.read_volume

    def noting(path: Path, kind: str) -> object:
        opened.append(path.name.split(".")[0].removesuffix("_0000"))
        return read(path, kind)

    monkeypatch.setattr(slices, "read_volume", noting)
    loaded = load_training(data, "liver", seed=0)
    assert set(opened) == {*loaded.record["split"]["train"], *loaded.record["split"]["val"]}


def test_slices_carry_what_is_known_of_them(data: Path) -> None:
    pool = load_training(data, "liver", seed=0).train
    ours = pool.subset(pool.where(lambda r: r.slice_id.startswith("scan0/")))
    assert [r.has_target for r in ours.records] == [False, False, True, True, True, True]
    assert [r.height_mm for r in ours.records] == [0, 3, 6, 9, 12, 15]
    assert {(r.has_target, r.has_mask) for r in pool.records if r.patient == "r"} == {(None, False)}
    image, mask = scan(500)[3]
    assert np.array_equal(ours.images[3], image)
    assert np.array_equal(ours.masks[3], mask)
    uses = {entry["source"]: entry["use"] for entry in licences(pool)}
    assert uses == {"Drawn slices": "training labels", "Drawn scans": "training labels"}


def test_ignored_slices_are_unlabelled(tmp_path: Path) -> None:
    root = write_data_folder(tmp_path)
    label = np.stack([mask for _, mask in scan(500)]).astype(np.uint8)
    label[0] = 2
    label[3, 0, 0] = 2
    save(label, root / "labelsTr/scan0.nii.gz")
    pool = load_pool(read_dataset(root), ["scan0"], "liver")
    assert [r.has_target for r in pool.records] == [None, False, True, None, True, True]
    assert not pool.masks[3].any()


def test_several_targets_by_name(tmp_path: Path) -> None:
    root = write_data_folder(tmp_path)
    label = np.zeros((6, 256, 256), dtype=np.uint8)
    label[1, 10:30, 10:30], label[2, 10:30, 10:30], label[3, 50:60, 10:30] = 1, 4, 5
    save(label, root / "labelsTr/scan0.nii.gz")
    labels = {"background": 0, "liver": 1, "spleen": 4, "kidneys": [5, 6], "ignore": 2}
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    dataset = read_dataset(root)
    found = {
        target: [bool(r.has_target) for r in load_pool(dataset, ["scan0"], target).records]
        for target in ("liver", "spleen", "kidneys", "liver+spleen")
    }
    assert [np.flatnonzero(f).tolist() for f in found.values()] == [[1], [2], [3], [1, 2]]
    with pytest.raises(DatasetError, match="expected the label 'pancreas', found liver, spleen"):
        load_pool(dataset, ["scan0"], "pancreas")


def test_the_decathlons_labels_are_read(tmp_path: Path) -> None:
    small(tmp_path)
    labels = {"0": "background", "1": "liver", "2": "cancer"}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels, "licence": "CC0"}))
    dataset = read_dataset(tmp_path)
    assert dataset.target_values("liver+cancer") == (1, 2)
    assert [source.licence for source in dataset.sources.values()] == ["CC0"]


def test_stored_axes_do_not_matter(tmp_path: Path) -> None:
    small(tmp_path)
    for name in ("images", "labels"):
        path = tmp_path / f"{name}Tr/c0{'_0000' if name == 'images' else ''}.nii.gz"
        stored = nib.load(path)
        wanted = nib.orientations.axcodes2ornt(("S", "P", "R"))
        own = nib.io_orientation(stored.affine)
        nib.save(stored.as_reoriented(nib.orientations.ornt_transform(own, wanted)), path)
        assert nib.aff2axcodes(nib.load(path).affine) == ("S", "P", "R")
    pool = load_pool(read_dataset(tmp_path), ["c0"], "liver")
    for k, (image, mask) in enumerate(stack(0)):
        assert np.array_equal(pool.images[k], image)
        assert np.array_equal(pool.masks[k], mask)


def test_a_drawn_split_is_by_patient_and_by_seed(tmp_path: Path) -> None:
    small(tmp_path, patients=10)
    rows = [f"c{i},{'abcde'[i // 2]}" for i in range(10)]
    (tmp_path / "patients.csv").write_text("\n".join(["case,patient", *rows]) + "\n")
    dataset = read_dataset(tmp_path)
    split = read_split(dataset, seed=1)
    assert split == read_split(dataset, seed=1)
    assert len(split["val"]) == 2  # both cases of one patient of five
    assert any(read_split(dataset, seed) != split for seed in range(5))


def test_one_patient_is_not_enough(tmp_path: Path) -> None:
    small(tmp_path, patients=1)
    with pytest.raises(DatasetError, match=r"at least 2 patients .*, found 1"):
        read_split(read_dataset(tmp_path), seed=0)


def test_a_patient_on_two_sides_is_refused(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "patients.csv").write_text("case,patient\nc0,a\nc1,a\n")
    fold = {"train": ["c0", "c2"], "val": ["c1"]}
    (tmp_path / "splits_final.json").write_text(json.dumps([fold]))
    with pytest.raises(DatasetError, match="found one in train and in val"):
        read_split(read_dataset(tmp_path), seed=0)


def broken_label(kind: str) -> bytes:
    label = np.zeros((256, 256, 3), dtype=np.float32)
    if kind == "fraction":
        label[0, 0, 0] = 0.5
    elif kind == "unknown":
        label[0, 0, 0] = 7
    elif kind == "grid":
        label = label[:-1]
    content = gzip.compress(nib.Nifti1Image(label, AFFINE).to_bytes())
    return {"cut": content[:300], "text": b"no NIfTI"}.get(kind, content)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("fraction", "expected whole numbers in a label"),
        ("unknown", "found 7 in a label"),
        ("grid", "expected the image's grid"),
        ("cut", "cannot be read as a label"),
        ("text", "cannot be read as a label"),
    ],
)
def test_unreadable_labels_are_refused(tmp_path: Path, kind: str, message: str) -> None:
    small(tmp_path)
    (tmp_path / "labelsTr/c0.nii.gz").write_bytes(broken_label(kind))
    with pytest.raises(DatasetError, match=message) as caught:
        load_pool(read_dataset(tmp_path), ["c0"], "liver")
    assert "c0" in str(caught.value)
    assert "c0" not in caught.value.reason  # what a job may log


def test_a_label_that_a_scaling_made_uneven_is_read(tmp_path: Path) -> None:
    small(tmp_path)
    mask = np.stack([mask for _, mask in stack(0)]).astype(np.float32) * np.float32(1.0000153)
    save(mask, tmp_path / "labelsTr/c0.nii.gz")
    assert load_pool(read_dataset(tmp_path), ["c0"], "liver").masks.any()


def test_labels_without_images_and_folders_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected labels"):
        read_dataset(tmp_path)
    small(tmp_path)
    (tmp_path / "imagesTr/c0_0000.nii.gz").unlink()
    with pytest.raises(DatasetError, match="expected its image in imagesTr"):
        read_dataset(tmp_path)
