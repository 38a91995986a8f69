"""The experiment that compares chosen slices with drawn ones."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from sammix_train.data.dataset import read_dataset
from sammix_train.tables.choice import IGNORE, Reader, main

from .conftest import tiny_bundle, tiny_model
from .drawn_data import write_data_folder

COMMAND = Path(__file__).parents[3] / "cli/bin.mjs"


def test_a_reader_labels_the_planes_that_are_asked_for_and_no_other(tmp_path: Path) -> None:
    data = write_data_folder(tmp_path / "data")
    path = data / "labelsTr/scan0.nii.gz"
    stored = nib.load(path)
    # the same voxels, stored from the head down
    turned = nib.Nifti1Image(
        np.asarray(stored.dataobj)[..., ::-1],
        stored.affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]]),
    )
    nib.save(turned, path)
    reader = Reader(read_dataset(data), tmp_path / "seen", ("scan0",))
    reader.open_scans()
    assert not (tmp_path / "seen/labelsTr/scan0.nii.gz").exists()
    assert (tmp_path / "seen/labelsTr/scan1.nii.gz").exists()
    reader.answer([{"caseId": "scan0", "slice": 4}])
    reader.answer([{"caseId": "scan0", "slice": 0}])
    given = nib.load(tmp_path / "seen/labelsTr/scan0.nii.gz")
    np.testing.assert_allclose(given.affine, turned.affine)
    values, truth = np.asarray(given.dataobj), np.asarray(turned.dataobj)
    for stored_plane in range(6):
        from_the_feet = 5 - stored_plane
        if from_the_feet in (0, 4):
            np.testing.assert_array_equal(values[..., stored_plane], truth[..., stored_plane])
        else:
            assert (values[..., stored_plane] == IGNORE).all()
    assert truth[..., 1].any()  # plane 4 shows the target


def show_nothing(path: Path) -> None:
    """An empty label instead."""
    label = nib.load(path)
    nib.save(nib.Nifti1Image(np.zeros(label.shape, np.uint8), label.affine), path)


@pytest.mark.skipif(
    not shutil.which("node") or not (COMMAND.parents[1] / "node_modules").exists(),
    reason="needs Node and the command's packages: npm ci",
)
def test_both_orders_are_labelled_by_the_command_and_scored_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = write_data_folder(tmp_path / "data")
    for patient in range(0, 18, 2):
        show_nothing(data / f"labelsTr/s{patient:03d}.nii.gz")
    bundle = tiny_bundle(tiny_model(seed=3), tmp_path / "bundle")
    call = ["--data", str(data), "--target", "liver", "--bundle", str(bundle)]
    call += ["--rounds", "16", "24", "--steps", "2", "--sammix", f"node {COMMAND}"]
    main([*call, "--out", str(tmp_path / "out")])
    rows = {
        (order, count): json.loads((tmp_path / f"out/liver-{order}-seed0-{count}.json").read_text())
        for order in ("next", "random")
        for count in (16, 24)
    }
    for (_, count), row in rows.items():
        assert row["labelledSlices"] + row["emptySlices"] == count
        assert row["test"]["n"] > 0
    assert len({tuple(s["slice"] for s in row["perSlice"]) for row in rows.values()}) == 1
    assert "| liver | 24 | random | 1 |" in capsys.readouterr().out
