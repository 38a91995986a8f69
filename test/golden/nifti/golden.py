"""Writes the NIfTI fixtures in files/ and golden.json, what nibabel reads in them.

    pip install -r requirements.txt
    python golden.py

golden.json, per file: shape, affine (get_best_affine), orientation (aff2axcodes), canonical (all
voxels as float32 on the LPS+ grid, first axis fastest), zooms of the canonical axes, header facts.
"""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Extension
from nibabel.orientations import (
    aff2axcodes,
    apply_orientation,
    axcodes2ornt,
    io_orientation,
    ornt_transform,
)

HERE = Path(__file__).parent
FILES = HERE / "files"
SHAPE = (3, 4, 5)
SPACING_MM = np.array([0.8, 1.1, 2.5])
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def distinct(dtype="i2", shape=SHAPE) -> np.ndarray:
    """All voxels differ; stored order, first axis fastest."""
    count = int(np.prod(shape))
    return (np.arange(count) - 20).astype(dtype).reshape(shape, order="F")


def axis_affine(axes, signs) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for stored, (patient, sign) in enumerate(zip(axes, signs)):
        affine[patient, stored] = sign * SPACING_MM[stored]
    affine[:3, 3] = [-31.5, 12.25, 740.125]
    return affine


def rotated(affine, degrees_x, degrees_z) -> np.ndarray:
    ax, az = np.deg2rad([degrees_x, degrees_z])
    rx = np.array([[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]])
    rz = np.array([[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]])
    out = affine.copy()
    out[:3, :3] = rx @ rz @ affine[:3, :3]
    return out


def image(data, affine, cls=nib.Nifti1Image, codes=(1, 1), endian="<"):
    header = cls.header_class(endianness=endian)
    header.set_data_dtype(data.dtype.newbyteorder(endian))
    img = cls(data, affine, header)
    img.set_qform(affine, codes[0])
    img.set_sform(affine, codes[1])
    img.header.set_xyzt_units("mm", "sec")
    img.header["descrip"] = b"sammix golden"
    return img


def write_raw(name, header, data) -> None:
    """Header fields exactly as set, voxels unscaled (nibabel's own writer would touch scl_*)."""
    layout = header.structarr
    raw = layout.tobytes() + b"\0\0\0\0"
    offset = int(layout["vox_offset"])
    voxels = data.astype(data.dtype.newbyteorder(header.endianness)).tobytes(order="F")
    (FILES / name).write_bytes(raw.ljust(offset, b"\0") + voxels)


def orientations() -> None:
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product([1, -1], repeat=3):
            affine = axis_affine(axes, signs)
            code = "".join(aff2axcodes(affine))
            nib.save(image(distinct(), affine, codes=(1, 2)), FILES / f"orient-{code}.nii")
    for axes, signs, x, z in [
        ((0, 1, 2), (-1, -1, 1), 12, 7),
        ((0, 2, 1), (1, -1, 1), -20, 9),
        ((2, 0, 1), (1, 1, -1), 33, -28),
        ((1, 2, 0), (-1, 1, 1), 41, 38),
        ((2, 1, 0), (1, -1, -1), -44, 40),
    ]:
        affine = rotated(axis_affine(axes, signs), x, z)
        code = "".join(aff2axcodes(affine))
        nib.save(image(distinct(), affine), FILES / f"oblique-{code}-{abs(x)}.nii")


def dtypes() -> None:
    affine = axis_affine((0, 1, 2), (-1, 1, 1))
    for dtype in DTYPES:
        data = distinct("i8").copy()
        if dtype[0] == "u":
            data = data + 20
        data = data.astype(dtype)
        if dtype[0] in "ui":
            data.flat[0], data.flat[7] = np.iinfo(dtype).min, np.iinfo(dtype).max
            if dtype[1] == "8":
                data.flat[9] = 2**40 + 12345
        else:
            data = (data * np.array(1.37, dtype)).astype(dtype)
        for version, cls in [(1, nib.Nifti1Image), (2, nib.Nifti2Image)]:
            for end, endian in [("le", "<"), ("be", ">")]:
                img = image(data, affine, cls=cls, endian=endian)
                write_raw(f"dtype-{np.dtype(dtype).name}-{end}-v{version}.nii", prepared(img), data)


def prepared(img):
    header = img.header.copy()
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    return header


def scaling() -> None:
    affine = axis_affine((0, 1, 2), (-1, -1, 1))
    data = distinct("i2")
    for name, slope, inter in [
        ("rescale", 1, -1024),
        ("half", 0.5, 10.25),
        ("zero", 0, 77),
        ("nan", np.nan, np.nan),
        ("negative", -2, 3),
    ]:
        header = prepared(image(data, affine))
        header["scl_slope"], header["scl_inter"] = slope, inter
        write_raw(f"scl-{name}.nii", header, data)


def forms() -> None:
    affine = rotated(axis_affine((0, 2, 1), (-1, 1, 1)), 15, 0)
    straight = axis_affine((0, 1, 2), (-1, -1, 1))
    half_turn = axis_affine((0, 1, 2), (1, -1, -1))
    for name, a, codes in [
        ("qform-only", affine, (1, 0)),
        ("sform-only", affine, (0, 2)),
        ("none", straight, (0, 0)),
        ("half-turn-qform", half_turn, (3, 0)),
        ("mirrored-qform", axis_affine((0, 1, 2), (1, 1, -1)), (1, 0)),
    ]:
        nib.save(image(distinct(), a, codes=codes), FILES / f"form-{name}.nii")
        nib.save(
            image(distinct(), a, cls=nib.Nifti2Image, codes=codes), FILES / f"form-{name}-v2.nii"
        )
    img = image(distinct(), straight)
    img.set_qform(half_turn, 1)
    img.set_sform(straight, 2)
    nib.save(img, FILES / "form-disagree.nii")


def containers() -> None:
    affine = axis_affine((0, 1, 2), (-1, 1, 1))
    nib.save(image(distinct(), affine), FILES / "gzip.nii.gz")
    nib.save(image(distinct(), affine, cls=nib.Nifti1Pair), FILES / "pair.hdr")
    nib.save(image(distinct(), affine, cls=nib.Nifti2Pair, endian=">"), FILES / "pair-v2-be.hdr")
    nib.save(image(distinct(shape=(3, 4, 5, 1)), affine), FILES / "trailing-one.nii")
    for cls, name in [(nib.Nifti1Image, "extensions"), (nib.Nifti2Image, "extensions-v2")]:
        img = image(distinct(), affine, cls=cls)
        img.header.extensions.append(Nifti1Extension(6, b"a comment of some length"))
        img.header.extensions.append(Nifti1Extension(4, b"<AFNI/>"))
        nib.save(img, FILES / f"{name}.nii")
    # Two gzip members, as bgzip and parallel tools write.
    plain = (FILES / "orient-LPS.nii").read_bytes()
    members = b"".join(gzip.compress(part, mtime=0) for part in (plain[:400], plain[400:]))
    (FILES / "two-members.nii.gz").write_bytes(members)


def describe(path: Path) -> dict:
    img = nib.load(path)
    header = img.header
    data = np.asanyarray(img.dataobj).reshape(img.shape[:3], order="F")
    transform = ornt_transform(io_orientation(img.affine), axcodes2ornt("LPS"))
    canonical = apply_orientation(data, transform).astype("<f4")
    zooms = np.sqrt((img.affine[:3, :3] ** 2).sum(axis=0))
    ornt = io_orientation(img.affine)
    order = [int(np.flatnonzero(ornt[:, 0] == axis)[0]) for axis in range(3)]
    return {
        "shape": [int(n) for n in img.shape],
        "dtype": header.get_data_dtype().name,
        "affine": img.affine.tolist(),
        "orientation": "".join(aff2axcodes(img.affine)),
        "codes": [int(header["qform_code"]), int(header["sform_code"])],
        "canonicalShape": list(canonical.shape),
        "canonicalSpacing": [float(zooms[axis]) for axis in order],
        "canonical": [float(value) for value in canonical.ravel(order="F")],
        "extensions": [int(e.get_code()) for e in header.extensions],
        "descrip": header["descrip"].item().decode(),
    }


def main() -> None:
    shutil.rmtree(FILES, ignore_errors=True)
    FILES.mkdir()
    orientations()
    dtypes()
    scaling()
    forms()
    containers()
    paths = sorted(path for path in FILES.iterdir() if path.suffix != ".img")
    golden = {
        "generator": f"nibabel {nib.__version__}, numpy {np.__version__}",
        "files": {path.name: describe(path) for path in paths},
    }
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(facts)}" for name, facts in golden["files"].items()
    )
    text = f'{{"generator": {json.dumps(golden["generator"])},\n"files": {{\n{lines}\n}}}}\n'
    (HERE / "golden.json").write_text(text)


if __name__ == "__main__":
    main()
