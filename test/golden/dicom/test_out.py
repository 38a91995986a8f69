"""DICOM-SEG and RTSTRUCT as highdicom, dcmqi, pydicom and dciodvfy read them (SAMMIX_DICOM_OUT: write-out.ts's folder)."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

OUT = Path(os.environ["SAMMIX_DICOM_OUT"])
CASES = sorted(folder.name for folder in OUT.iterdir())


def masks_of(case):
    """{(SOP Instance UID, frame number): rows x columns}."""
    rows, columns = 20, 24
    stored = json.loads((OUT / case / "masks.json").read_text())
    return {(key.split()[0], int(key.split()[1])): np.reshape(value, (rows, columns)) for key, value in stored.items()}


def images_of(case):
    images = [pydicom.dcmread(file) for file in sorted((OUT / case / "series").glob("*.dcm"))]
    return {image.SOPInstanceUID: image for image in images}


@pytest.mark.parametrize("case", CASES)
def test_highdicom_reads_the_same_voxels_on_the_images(case):
    seg = hd.seg.segread(OUT / case / "seg.dcm")
    expected = {key: mask for key, mask in masks_of(case).items() if mask.any()}
    frames = seg.pixel_array.reshape(-1, 20, 24)
    assert len(frames) == len(expected)
    images = images_of(case)
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        number = int(source.get("ReferencedFrameNumber", 1))
        np.testing.assert_array_equal(frame, expected[source.ReferencedSOPInstanceUID, number])
        image = images[source.ReferencedSOPInstanceUID]
        plane = image if "ImagePositionPatient" in image else image.PerFrameFunctionalGroupsSequence[number - 1].PlanePositionSequence[0]
        np.testing.assert_allclose(
            np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float),
            np.array(plane.ImagePositionPatient, float),
            atol=1e-6,
        )
    segment = seg.get_segment_description(1)
    assert segment.segmented_property_type.value == "10200004"
    assert segment.algorithm_type == hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
    assert "ab" * 32 in segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters


def geometry_of(image, number):
    """Position, columns' and rows' direction and spacing of a frame, in LPS millimetres."""
    shared = image.SharedFunctionalGroupsSequence[0] if "SharedFunctionalGroupsSequence" in image else None
    orientation = np.array((shared.PlaneOrientationSequence[0] if shared else image).ImageOrientationPatient, float)
    own = image.PerFrameFunctionalGroupsSequence[number - 1].PlanePositionSequence[0] if shared else image
    spacing = np.array((shared.PixelMeasuresSequence[0] if shared else image).PixelSpacing, float)
    return np.array(own.ImagePositionPatient, float), orientation[:3] * spacing[1], orientation[3:] * spacing[0]


# A sheared volume and uneven slices are none that dcmqi's images can hold.
@pytest.mark.parametrize("case", sorted(set(CASES) - {"tilted", "uneven"}))
def test_dcmqi_reads_the_same_voxels_in_the_patient(case, tmp_path):
    tool = Path(sys.executable).parent / "segimage2itkimage"
    command = [tool, "--inputDICOM", OUT / case / "seg.dcm", "--outputDirectory", tmp_path, "--outputType", "nii"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0 and "ERROR" not in done.stdout + done.stderr, done.stdout
    (segment,) = json.loads((tmp_path / "meta.json").read_text())["segmentAttributes"]
    assert segment[0]["SegmentedPropertyTypeCodeSequence"]["CodeMeaning"] == "Liver"
    raw = gzip.decompress((tmp_path / "1.nii.gz").read_bytes())
    shape = np.frombuffer(raw, "<i2", 8, 40)[1:4]
    assert np.frombuffer(raw, "<i2", 1, 72) == 16, "16 bits a voxel"
    voxels = np.frombuffer(raw, "<i2", shape.prod(), 352).reshape(shape[::-1])
    affine = np.vstack([np.frombuffer(raw, "<f4", 12, 280).reshape(3, 4), [0, 0, 0, 1]]).astype(float)
    images = images_of(case)
    expected = set()
    for (uid, number), mask in masks_of(case).items():
        position, column, row = geometry_of(images[uid], number)
        j, i = np.nonzero(mask)
        lps = position + np.outer(i, column) + np.outer(j, row)
        ras = np.column_stack([lps * [-1, -1, 1], np.ones(len(i))])
        index = ras @ np.linalg.inv(affine).T
        np.testing.assert_allclose(index, np.round(index), atol=0.01)
        expected |= {tuple(one) for one in np.round(index[:, :3]).astype(int)}
    k, j, i = np.nonzero(voxels)
    assert set(zip(i, j, k, strict=True)) == expected


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["seg", "rt"])
def test_patient_and_study_are_those_of_the_series(case, kind):
    made = pydicom.dcmread(OUT / case / f"{kind}.dcm")
    image = next(image for image in images_of(case).values() if image.Modality == "CT")
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert str(made[name].value) == str(image[name].value), name
    referenced = {element.value for element in made.iterall() if element.keyword == "ReferencedSOPInstanceUID"}
    assert referenced - {made.StudyInstanceUID} <= set(images_of(case))


def inside(polygon, points):
    """Even-odd, by a ray."""
    result = np.zeros(len(points), bool)
    x, y = points[:, 0], points[:, 1]
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, 1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        result ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return result


@pytest.mark.parametrize("case", CASES)
def test_contours_fill_to_the_mask(case):
    made = pydicom.dcmread(OUT / case / "rt.dcm")
    images = images_of(case)
    filled = {}
    for contour in made.ROIContourSequence[0].ContourSequence:
        reference = contour.ContourImageSequence[0]
        number = int(reference.get("ReferencedFrameNumber", 1))
        image = images[reference.ReferencedSOPInstanceUID]
        position, column, row = geometry_of(image, number)
        points = np.reshape(np.array(contour.ContourData, float), (-1, 3)) - position
        assert len(points) == contour.NumberOfContourPoints
        normal = np.cross(column, row) / np.linalg.norm(np.cross(column, row))
        np.testing.assert_allclose(points @ normal, 0, atol=1e-4)
        polygon = np.stack([points @ column / (column @ column), points @ row / (row @ row)], axis=1)
        j, i = np.mgrid[:20, :24]
        # Off the lines on which corners lie, so that no ray meets a corner.
        centres = np.stack([i.ravel(), j.ravel()], axis=1) + 1e-4
        key = (reference.ReferencedSOPInstanceUID, number)
        filled[key] = filled.get(key, np.zeros((20, 24), bool)) ^ inside(polygon, centres).reshape(20, 24)
    for key, mask in masks_of(case).items():
        np.testing.assert_array_equal(filled.get(key, np.zeros((20, 24), bool)), mask.astype(bool))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["seg", "rt"])
def test_dciodvfy_finds_no_error(case, kind):
    found = subprocess.run(["dciodvfy", OUT / case / f"{kind}.dcm"], capture_output=True, text=True, errors="replace")
    assert "Error" not in found.stdout + found.stderr
