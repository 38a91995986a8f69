"""DICOM -> mask -> DICOM-SEG -> highdicom, against the mask of the NIfTI file that dcm2niix makes of the same series."""

import gzip
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def sammix(*words):
    subprocess.run(["node", ROOT / "cli" / "bin.mjs", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("round-trip")
    script = HERE / "write-round-trip.ts"
    subprocess.run(["node", "--import", "tsx", script, folder], check=True, cwd=ROOT)
    converter = Path(sys.executable).parent / "dcm2niix"
    converted = [converter, "-b", "n", "-z", "n", "-f", "scan", "-o", folder, folder / "series"]
    subprocess.run(converted, check=True, capture_output=True)
    bundle = HERE.parent / "tiny-bundle"
    sammix("run", folder / "scan.nii", "--out", folder / "of-nifti", "--bundle", bundle, "--threads", "1")
    return folder


def case_of(results):
    (case,) = [path for path in results.iterdir() if path.is_dir()]
    return case


def read_nifti(file):
    raw = gzip.decompress(file.read_bytes())
    shape = np.frombuffer(raw, "<i2", 8, 40)[1:4]
    assert np.frombuffer(raw, "<i2", 1, 70) == 2, "8 bits a voxel"
    offset = int(np.frombuffer(raw, "<f4", 1, 108)[0])
    voxels = np.frombuffer(raw, "u1", shape.prod(), offset).reshape(shape[::-1]).T
    return voxels, np.frombuffer(raw, "<f4", 12, 280).reshape(3, 4).astype(float)


def test_dicom_seg_holds_the_mask_of_the_converted_scan(folder):
    voxels, affine = read_nifti(case_of(folder / "of-nifti") / "mask.nii.gz")
    seg = hd.seg.segread(case_of(folder / "of-dicom") / "segmentation.dcm")
    images = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, sorted((folder / "series").iterdir()))}
    found = set()
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        image = images[groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
        j, i = np.nonzero(frame)
        across, down = np.reshape(np.array(image.ImageOrientationPatient, float), (2, 3))
        between_rows, between_columns = map(float, image.PixelSpacing)
        lps = np.array(image.ImagePositionPatient, float)
        lps = lps + np.outer(i * between_columns, across) + np.outer(j * between_rows, down)
        ras = np.column_stack([lps * [-1, -1, 1], np.ones(len(i))])
        index = ras @ np.linalg.inv(np.vstack([affine, [0, 0, 0, 1]])).T
        np.testing.assert_allclose(index, np.round(index), atol=0.01)
        found |= {tuple(one) for one in np.round(index[:, :3]).astype(int)}
    assert len(found) > 1000
    assert found == {tuple(one) for one in np.argwhere(voxels)}
