"""Small DICOM series in every situation that docs/dicom.md lists, and what a reader must make of them.

    python generate.py        # writes series.zip and truth.json beside this file

Written by pydicom and its encoders, imagecodecs and highdicom; the truth of a case is the array it was
written from, and is held here against what dcm2niix and SimpleITK read from the same files.
Needs pydicom highdicom SimpleITK nibabel imagecodecs pylibjpeg-openjpeg pyjpegls dcm2niix.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import imagecodecs
import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
    generate_uid,
)

HERE = Path(__file__).parent
COLUMNS, ROWS, SLICES = 24, 20, 6
SPACING = (0.75, 0.5)  # between rows, between columns
AXIAL = [1, 0, 0, 0, 1, 0]


def uid(*names):
    return generate_uid(entropy_srcs=["sammix golden", *map(str, names)])


def picture(slices=SLICES):
    """Hounsfield units, int16 [slices, rows, columns]: smooth, with fine detail in it."""
    k, j, i = np.meshgrid(np.arange(slices), np.arange(ROWS), np.arange(COLUMNS), indexing="ij")
    value = -900 + 60 * i + 35 * j + 11 * k + ((i * 7 + j * 3 + k * 5) % 13)
    return value.astype(np.int16)


def linear(points):
    """Hounsfield units that are linear in LPS millimetres: interpolation must not change them."""
    return 40 + 2.0 * points[..., 0] - 3.0 * points[..., 1] + 1.5 * points[..., 2]


def points_of(position, orientation, columns=COLUMNS, rows=ROWS, spacing=SPACING):
    j, i = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    across, down = np.array(orientation[:3]), np.array(orientation[3:])
    return (
        np.array(position)
        + i[..., None] * spacing[1] * across
        + j[..., None] * spacing[0] * down
    )


def ct(case, n, hu, position, orientation=AXIAL, series="1", slope=1, intercept=-1024, signed=False, bits=16, **tags):
    """One CT object of the series `series` in folder `case`."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = uid(case, series, n)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyInstanceUID = uid(case)
    ds.SeriesInstanceUID = uid(case, series)
    ds.FrameOfReferenceUID = uid(case, "frame")
    ds.PatientName = "Phantom^Golden"
    ds.PatientID = "GOLDEN-1"
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.StudyID = "1"
    ds.StudyDate, ds.StudyTime = "20200102", "030405"
    ds.AccessionNumber = ""
    ds.ReferringPhysicianName = ""
    ds.Modality = "CT"
    ds.Manufacturer = "sammix"
    ds.PatientPosition = "HFS"
    ds.PositionReferenceIndicator = ""
    ds.KVP = "120"
    ds.AcquisitionNumber = 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SeriesNumber = series
    ds.InstanceNumber = str(n + 1)
    ds.ImagePositionPatient = [float(f"{v:.6g}") for v in position]
    ds.ImageOrientationPatient = [float(f"{v:.8g}") for v in orientation]
    ds.PixelSpacing = list(SPACING)
    ds.SliceThickness = 2
    ds.Rows, ds.Columns = hu.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits, bits - 1
    ds.PixelRepresentation = int(signed)
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(intercept), str(slope), "HU"
    stored = np.round((hu - intercept) / slope).astype(np.int16 if signed else np.uint16)
    if signed and bits < 16:
        stored = (stored.astype(np.int32) & ((1 << bits) - 1)).astype(np.uint16)
    ds.PixelData = stored.tobytes()
    for name, value in tags.items():
        setattr(ds, name, value)
    return ds


def stack(case, zs=None, hu=None, **options):
    hu = picture() if hu is None else hu
    zs = [100 + 2.0 * n for n in range(len(hu))] if zs is None else zs
    return [ct(case, n, hu[n], [-6, -7.5, z], **options) for n, z in enumerate(zs)]


def save(ds, path, syntax=ExplicitVRLittleEndian, frames=None):
    """`frames`: encoded frames, where the pixels are compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.file_meta.TransferSyntaxUID = syntax
    if frames is not None:
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    elif "PixelData" in ds:
        ds["PixelData"].VR = "OW"
        if syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    pydicom.dcmwrite(path, ds, enforce_file_format=True)


def pixels(ds):
    return np.frombuffer(ds.PixelData, "<i2" if ds.PixelRepresentation else "<u2").reshape(ds.Rows, ds.Columns)


ENCODERS = {
    "rle": (RLELossless, None),
    "jpeg-ls": (JPEGLSLossless, lambda a: imagecodecs.jpegls_encode(a)),
    "jpeg-lossless": (JPEGLosslessSV1, lambda a: imagecodecs.ljpeg_encode(a, bitspersample=16)),
    "jpeg-2000": (JPEG2000Lossless, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", reversible=True, level=0)),
    "htj2k": (HTJ2KLossless, lambda a: imagecodecs.htj2k_encode(a)),
}


class Golden:
    def __init__(self, root):
        self.root = root
        self.truth = {}

    def write(self, case, datasets, syntax=ExplicitVRLittleEndian):
        for n, ds in enumerate(datasets):
            save(ds, self.root / case / f"{n:02}.dcm", syntax)

    def expect(self, case, hu, affine, agree=("SimpleITK", "dcm2niix"), **more):
        """The volume in LPS storage order, feet to head; the references must read the same."""
        truth = nib.as_closest_canonical(nib.Nifti1Image(np.transpose(hu, (2, 1, 0)), affine))
        for name in agree:
            other = nib.as_closest_canonical(READERS[name](self.root / case))
            np.testing.assert_allclose(other.affine, truth.affine, atol=1e-4, err_msg=f"{case} {name}")
            np.testing.assert_array_equal(np.asarray(other.dataobj), np.asarray(truth.dataobj), err_msg=f"{case} {name}")
        data = np.asarray(truth.dataobj)
        kind = "<f4" if np.issubdtype(data.dtype, np.floating) else "<i2"
        self.truth[case] = {
            "shape": list(data.shape),
            "affine": truth.affine.tolist(),
            # Canonical RAS+, first axis fastest.
            "sha256": hashlib.sha256(data.astype(kind).tobytes(order="F")).hexdigest(),
            "agreeing": list(agree),
            **more,
        }


def affine_of(position, orientation=AXIAL, step=2.0, spacing=SPACING):
    across, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(across, down)
    if normal[2] < 0:
        normal = -normal
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 2], lps[:3, 3] = across * spacing[1], down * spacing[0], normal * step, position
    return np.diag([-1, -1, 1, 1]) @ lps


def read_sitk(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    lps = np.eye(4)
    lps[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    lps[:3, 3] = image.GetOrigin()
    array = np.transpose(sitk.GetArrayFromImage(image), (2, 1, 0))
    return nib.Nifti1Image(array if array.dtype.kind == "f" and not (array % 1 == 0).all() else array.astype(np.int16), np.diag([-1, -1, 1, 1]) @ lps)


def read_dcm2niix(folder):
    with tempfile.TemporaryDirectory() as out:
        tool = Path(sys.executable).parent / "dcm2niix"
        subprocess.run([tool, "-z", "n", "-f", "out", "-o", out, folder], check=True, capture_output=True)
        (file,) = Path(out).glob("*.nii")
        image = nib.load(file)
        data = image.get_fdata()
        kind = np.int16 if (data % 1 == 0).all() else np.float32
        return nib.Nifti1Image(data.astype(kind), image.affine)


READERS = {"SimpleITK": read_sitk, "dcm2niix": read_dcm2niix}


def transfer_syntaxes(g):
    hu = picture()
    affine = affine_of([-6, -7.5, 100])
    plain = {
        "implicit": ImplicitVRLittleEndian,
        "explicit": ExplicitVRLittleEndian,
        "big-endian": ExplicitVRBigEndian,
        "deflated": DeflatedExplicitVRLittleEndian,
    }
    for name, syntax in plain.items():
        g.write(f"syntax-{name}", stack(name), syntax)
        # dcm2niix does not read deflated objects.
        g.expect(f"syntax-{name}", hu, affine, agree={"deflated": ("SimpleITK",)}.get(name, ("SimpleITK", "dcm2niix")))
    for name, (syntax, encode) in ENCODERS.items():
        for n, ds in enumerate(stack(name)):
            path = g.root / f"syntax-{name}" / f"{n:02}.dcm"
            if encode is None:
                ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                ds["PixelData"].VR = "OW"
                ds.compress(syntax, generate_instance_uid=False)
                path.parent.mkdir(parents=True, exist_ok=True)
                pydicom.dcmwrite(path, ds, enforce_file_format=True)
            else:
                save(ds, path, syntax, [encode(pixels(ds))])
        # Neither reads HTJ2K here: pydicom (OpenJPEG) decodes it instead.
        agree = {"htj2k": ()}.get(name, ("SimpleITK", "dcm2niix"))
        if name == "htj2k":
            for n in range(SLICES):
                ds = pydicom.dcmread(g.root / f"syntax-{name}" / f"{n:02}.dcm")
                np.testing.assert_array_equal(ds.pixel_array.astype(int) - 1024, hu[n])
        g.expect(f"syntax-{name}", hu, affine, agree=agree)
    for name, syntax in {"jpeg-8-bit": JPEGBaseline8Bit, "jpeg-12-bit": JPEGExtended12Bit}.items():
        for n, ds in enumerate(stack(name)):
            small = (pixels(ds) // 16).astype(np.uint8)
            ds.BitsAllocated, ds.BitsStored, ds.HighBit = (8, 8, 7) if name == "jpeg-8-bit" else (16, 12, 11)
            ds.RescaleSlope = "16"
            save(ds, g.root / f"syntax-{name}" / f"{n:02}.dcm", syntax, [imagecodecs.jpeg8_encode(small, level=95)])
    eight_bit = (picture().astype(np.int32) + 1024) // 16
    near = np.stack([imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(a, level=95)) for a in eight_bit.astype(np.uint8)])
    g.expect("syntax-jpeg-8-bit", near.astype(np.int16) * 16 - 1024, affine, agree=())


def geometries(g):
    hu = picture()
    turned = {
        "feet-first": ([-1, 0, 0, 0, 1, 0], [6, -7.5]),
        "prone": ([-1, 0, 0, 0, -1, 0], [6, 7.5]),
        "rotated": ([0.9961946981, 0.0871557427, 0, -0.0871557427, 0.9961946981, 0], [-6, -7.5]),
    }
    for case, (orientation, (x, y)) in turned.items():
        g.write(case, [ct(case, n, hu[n], [x, y, 100 + 2.0 * n], orientation) for n in range(SLICES)])
        g.expect(case, hu, affine_of([x, y, 100], orientation))
    # Files in any order, positions downwards.
    shuffled = [ct("shuffled", n, hu[n], [-6, -7.5, 100 + 2.0 * n]) for n in (3, 0, 5, 1, 4, 2)]
    g.write("shuffled", shuffled)
    g.expect("shuffled", hu, affine_of([-6, -7.5, 100]))

    tilt = np.deg2rad(18)
    orientation = [1, 0, 0, 0, np.cos(tilt), -np.sin(tilt)]
    field = lambda case, positions, orientation: [
        ct(case, n, np.round(linear(points_of(p, orientation))), p, orientation) for n, p in enumerate(positions)
    ]
    g.write("tilted", field("tilted", [[-6, -7.5, 100 + 2.0 * n] for n in range(12)], orientation))
    g.truth["tilted"] = {"linear": True, "problems": ["gantry-tilt"], "spacing": 2 * float(np.cos(tilt))}
    g.write("table-moved", field("table-moved", [[-6 + (1.5 if n > 5 else 0), -7.5, 100 + 2.0 * n] for n in range(12)], AXIAL))
    g.truth["table-moved"] = {"linear": True, "problems": ["gantry-tilt"], "spacing": 2}
    zs = [0, 2, 4, 7, 10, 12, 14, 15.5]
    g.write("uneven", field("uneven", [[-6, -7.5, z] for z in zs], AXIAL))
    g.truth["uneven"] = {"linear": True, "problems": ["uneven-slices"], "spacing": 1.5, "slices": 11}
    zs = [0, 2.5, 5, 10, 12.5, 15]
    g.write("one-missing", field("one-missing", [[-6, -7.5, z] for z in zs], AXIAL))
    g.truth["one-missing"] = {"linear": True, "problems": ["uneven-slices"], "spacing": 2.5, "slices": 7}
    zs = [0, 2.5, 5, 7.5, 30, 32.5, 35]
    g.write("gap", field("gap", [[-6, -7.5, z] for z in zs], AXIAL))
    g.truth["gap"] = {"refused": "missing-slices"}


def values(g):
    hu = picture()
    affine = affine_of([-6, -7.5, 100])
    slopes = [1, 2, 1, 0.5, 1, 4]
    case = "rescale-per-slice"
    g.write(case, [ct(case, n, hu[n] // 4 * 4, [-6, -7.5, 100 + 2.0 * n], slope=slopes[n]) for n in range(SLICES)])
    g.expect(case, (hu // 4 * 4).astype(np.float32), affine, agree=())
    case = "signed-12-bit"
    g.write(case, stack(case, hu=np.clip(hu, -1000, 2000), signed=True, bits=12, intercept=0))
    g.expect(case, np.clip(hu, -1000, 2000), affine, agree=("SimpleITK",))
    # Overlays in the unused high bits, as objects of before 2004 have them.
    case = "overlay-bits"
    datasets = stack(case, hu=np.clip(hu, -1000, 2000), bits=12)
    for ds in datasets:
        ds.PixelData = (pixels(ds) | 0x8000).tobytes()
    g.write(case, datasets)
    g.expect(case, np.clip(hu, -1000, 2000), affine, agree=("SimpleITK",))
    case = "padding"
    padded = hu.copy()
    padded[:, :3, :3] = -3024
    datasets = stack(case, hu=padded, signed=True)
    for ds in datasets:
        ds.add_new(0x00280120, "SS", -2000)
    g.write(case, datasets)
    padded[:, :3, :3] = -1024
    g.expect(case, padded, affine, agree=())


def series_sorting(g):
    hu = picture()
    affine = affine_of([-6, -7.5, 100])
    # Wide enough for a patient: the commands' tests segment these.
    wide = (2.5, 2.0)
    wide_affine = affine_of([-6, -7.5, 100], spacing=wide)
    case = "study"
    for n, ds in enumerate(stack(case, series="2", PixelSpacing=list(wide))):
        save(ds, g.root / case / f"ct{n}.dcm")
    scout = ct(case, 0, hu[0], [-6, 0, 200], [1, 0, 0, 0, 0, -1], series="1", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    save(scout, g.root / case / "scout.dcm")
    for n in range(3):
        save(ct(case, n, hu[n], [-6, -5 + 2 * n, 200], [1, 0, 0, 0, 0, -1], series="3", ImageType=["DERIVED", "SECONDARY", "MPR"]), g.root / case / f"coronal{n}.dcm")
        for series, name, sop, modality in (("4", "mr", MRImageStorage, "MR"), ("5", "pet", PositronEmissionTomographyImageStorage, "PT")):
            ds = ct(case, n, hu[n], [-6, -7.5, 100 + 2 * n], series=series, Modality=modality, SOPClassUID=sop)
            ds.file_meta.MediaStorageSOPClassUID = sop
            save(ds, g.root / case / f"{name}{n}.dcm")
        save(ct(case, n, hu[n], [-6, -7.5, 100 + 2 * n], series="7", RescaleType="MGML"), g.root / case / f"iodine{n}.dcm")
    capture = ct(case, 0, hu[0], [0, 0, 0], series="6", SOPClassUID=SecondaryCaptureImageStorage)
    capture.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    save(capture, g.root / case / "capture.dcm")
    dose = ct(case, 0, hu[0], [0, 0, 0], series="8", Modality="SR", SOPClassUID=XRayRadiationDoseSRStorage)
    dose.file_meta.MediaStorageSOPClassUID = XRayRadiationDoseSRStorage
    del dose.PixelData
    save(dose, g.root / case / "dose.dcm")
    (g.root / case / "readme.txt").write_text("not DICOM\n")
    g.expect(case, hu, wide_affine, agree=(), leftAside={"1": "LOCALIZER", "3": "not axial", "4": "MR", "5": "PT", "6": "capture", "7": "MGML", "8": "SR"})

    case = "duplicates"
    for n, ds in enumerate(stack(case, PixelSpacing=list(wide))):
        save(ds, g.root / case / f"a{n}.dcm")
        if n < 3:
            save(ds, g.root / case / f"b{n}.dcm")
    g.expect(case, hu, wide_affine, agree=(), problems=["duplicate-images"])

    case = "two-phases"
    for phase in (1, 2):
        for n in range(SLICES):
            ds = ct(case, n + 10 * phase, hu[n] + phase, [-6, -7.5, 100 + 2.0 * n], AcquisitionNumber=phase)
            save(ds, g.root / case / f"{phase}-{n}.dcm")
    g.truth[case] = {"stacks": 2, "firstVoxels": [int(hu[0, 0, 0]) + 1, int(hu[0, 0, 0]) + 2]}

    case = "scout-in-series"
    for n, ds in enumerate(stack(case)):
        save(ds, g.root / case / f"{n}.dcm")
    save(ct(case, 50, hu[0], [-6, 0, 200], [1, 0, 0, 0, 0, -1]), g.root / case / "scout.dcm")
    g.expect(case, hu, affine, agree=(), leftAside={"1": "not axial"})

    case = "japanese"
    for n, ds in enumerate(stack(case, SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")):
        save(ds, g.root / case / f"{n}.dcm")
    g.expect(case, hu, affine)


def enhanced(g):
    hu = picture()
    for name in ("native", "jpeg-2000"):
        case = f"enhanced-{name}"
        ds = ct(case, 0, hu[0], [0, 0, 0])
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
        for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope", "RescaleIntercept", "RescaleType"):
            delattr(ds, tag)
        ds.NumberOfFrames = SLICES
        shared = Dataset()
        measures = Dataset()
        measures.PixelSpacing, measures.SliceThickness = list(SPACING), 2
        orientation = Dataset()
        orientation.ImageOrientationPatient = AXIAL
        transform = Dataset()
        transform.RescaleIntercept, transform.RescaleSlope, transform.RescaleType = "-1024", "1", "HU"
        shared.PixelMeasuresSequence = Sequence([measures])
        shared.PlaneOrientationSequence = Sequence([orientation])
        shared.PixelValueTransformationSequence = Sequence([transform])
        ds.SharedFunctionalGroupsSequence = Sequence([shared])
        frames = []
        order = [4, 0, 1, 5, 3, 2]
        for k in order:
            frame, position = Dataset(), Dataset()
            position.ImagePositionPatient = [-6, -7.5, 100 + 2.0 * k]
            frame.PlanePositionSequence = Sequence([position])
            frames.append(frame)
        ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
        stored = (hu[order].astype(np.int32) + 1024).astype(np.uint16)
        ds.PixelData = stored.tobytes()
        if name == "native":
            save(ds, g.root / case / "all.dcm")
        else:
            save(ds, g.root / case / "all.dcm", JPEG2000Lossless, [ENCODERS[name][1](frame) for frame in stored])
        g.expect(case, hu, affine_of([-6, -7.5, 100]), agree=())


def hostile(g):
    folder = g.root / "hostile"
    for n, ds in enumerate(stack("hostile")):
        save(ds, folder / f"{n}.dcm")
    whole = (folder / "0.dcm").read_bytes()
    for n, cut in enumerate((140, 200, 400, len(whole) - 100)):
        (folder / f"cut{n}.dcm").write_bytes(whole[:cut])
    (folder / "only-preamble.dcm").write_bytes(bytes(128) + b"DICM")
    (folder / "noise.dcm").write_bytes(bytes(128) + b"DICM" + np.random.default_rng(1).bytes(3000))
    ds = ct("hostile", 20, picture()[0], [-6, -7.5, 90])
    ds.Rows = ds.Columns = 65535
    save(ds, folder / "huge.dcm")
    ds = ct("hostile", 21, picture()[0], [-6, -7.5, 91])
    save(ds, folder / "bad-codestream.dcm", JPEG2000Lossless, [b"\xff\x4f\xff\x51" + bytes(60)])
    g.truth["hostile"] = {"refusedFiles": ["cut0.dcm", "cut1.dcm", "cut2.dcm"]}


def main():
    with tempfile.TemporaryDirectory() as root:
        g = Golden(Path(root))
        for part in (transfer_syntaxes, geometries, values, series_sorting, enhanced, hostile):
            part(g)
        with zipfile.ZipFile(HERE / "series.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
            for file in sorted(Path(root).rglob("*")):
                if file.is_file():
                    info = zipfile.ZipInfo(str(file.relative_to(root)), (2020, 1, 1, 0, 0, 0))
                    info.compress_type = zipfile.ZIP_DEFLATED
                    out.writestr(info, file.read_bytes())
        (HERE / "truth.json").write_text(json.dumps(g.truth, indent=1, sort_keys=True) + "\n")
        if len(sys.argv) > 1:
            shutil.copytree(root, sys.argv[1], dirs_exist_ok=True)


if __name__ == "__main__":
    main()
