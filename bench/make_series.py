"""A scan of N slices as NIfTI and as a DICOM series: `python make_series.py CT.nii.gz OUT N [SYNTAX]`.

Real slices, interpolated linearly along the axis to N of them, so that both files hold the same voxels. Writes
OUT/scan.nii.gz and OUT/series/*.dcm: explicit little endian, for which test/golden/dicom/requirements.txt is enough;
with SYNTAX `jpeg-lossless` or `jpeg-2000` compressed so without loss (bench/requirements-dicom.txt).
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, generate_uid

HEADER_BYTES = 352
# What most scanners write.
INTERCEPT = -1024


def encoder(syntax):
    """Transfer syntax, and what makes the frame of an image of it."""
    if syntax is None:
        return ExplicitVRLittleEndian, None
    import imagecodecs

    if syntax == "jpeg-lossless":
        return JPEGLosslessSV1, lambda plane: imagecodecs.ljpeg_encode(plane, bitspersample=16)
    return JPEG2000Lossless, lambda plane: imagecodecs.jpeg2k_encode(plane, codecformat="j2k", reversible=True, level=0)


def main(source, out, slices, syntax=None):
    raw = bytearray(gzip.decompress(Path(source).read_bytes()))
    header = raw[:HEADER_BYTES]
    columns, rows, given = (int(size) for size in np.frombuffer(header, "<i2", 3, 42))
    assert np.frombuffer(header, "<i2", 1, 70) == 4, "int16 voxels"
    assert np.frombuffer(header, "<f4", 1, 108) == HEADER_BYTES, "no extensions"
    stored = np.frombuffer(raw, "<i2", columns * rows * given, HEADER_BYTES).reshape(given, rows, columns)
    at = np.linspace(0, given - 1, slices)
    below = np.minimum(at.astype(int), given - 2)
    affine = np.frombuffer(header, "<f4", 12, 280).reshape(3, 4).astype(float)
    affine[:, 2] *= (given - 1) / (slices - 1)
    volume = np.empty((slices, rows, columns), np.int16)
    for k in range(slices):
        share = at[k] - below[k]
        volume[k] = np.round((1 - share) * stored[below[k]] + share * stored[below[k] + 1])
    header[46:48] = np.int16(slices).tobytes()
    header[88:92] = np.float32(np.linalg.norm(affine[:, 2])).tobytes()
    header[280:328] = affine.astype("<f4").tobytes()
    out = Path(out)
    (out / "series").mkdir(parents=True, exist_ok=True)
    with gzip.open(out / "scan.nii.gz", "wb", 6) as file:
        file.write(bytes(header) + volume.tobytes())
    write_series(volume, affine, out / "series", *encoder(syntax))


def write_series(volume, affine, folder, transfer_syntax, encode):
    lps = affine * np.array([[-1], [-1], [1]])
    spacing = np.linalg.norm(lps[:, :3], axis=0)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for k, plane in enumerate(volume):
        image = Dataset()
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.PatientID, image.PatientName, image.Modality = "bench", "bench", "CT"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.SeriesNumber, image.InstanceNumber = 1, k + 1
        image.ImageOrientationPatient = [float(v) for v in (*lps[:, 0] / spacing[0], *lps[:, 1] / spacing[1])]
        image.ImagePositionPatient = [round(float(v), 6) for v in lps[:, 3] + k * lps[:, 2]]
        image.PixelSpacing, image.SliceThickness = [float(spacing[1]), float(spacing[0])], float(spacing[2])
        image.Rows, image.Columns = plane.shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.RescaleSlope, image.RescaleIntercept = 1, INTERCEPT
        stored = (plane.astype(np.int32) - INTERCEPT).astype(np.uint16)
        image.PixelData = stored.tobytes() if encode is None else encapsulate([encode(stored)])
        if encode is not None:
            image["PixelData"].is_undefined_length = True
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = transfer_syntax
        pydicom.dcmwrite(folder / f"{k:04}.dcm", image, enforce_file_format=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
    print(json.dumps({"seconds": 0.0}))
