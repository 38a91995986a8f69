"""Holds, with nibabel, that a mask lies on exactly the grid of its input.

SAMMIX_MASK_PAIRS names a JSON list of {"input": path, "mask": path, "threshold"?: number}; an entry
may also be a list [input, mask]. With a threshold the mask must be `input > threshold`, voxel for
voxel. Without the variable the test is skipped. write-mask-pairs.ts makes such a list.
"""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

LIST = os.environ.get("SAMMIX_MASK_PAIRS")
COMPARED = [
    "dim", "pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units",
    "descrip", "intent_code", "intent_name", "aux_file", "slice_code", "toffset",
]  # fmt: skip


def pairs() -> list[dict]:
    if not LIST:
        return []
    entries = json.loads(Path(LIST).read_text())
    return [e if isinstance(e, dict) else {"input": e[0], "mask": e[1]} for e in entries]


@pytest.mark.skipif(not LIST, reason="SAMMIX_MASK_PAIRS names no list of (input, mask) pairs")
def test_there_are_pairs():
    assert pairs()


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: Path(pair["input"]).name)
def test_mask_lies_on_the_grid_of_the_input(pair):
    image, mask = nib.load(pair["input"]), nib.load(pair["mask"])
    assert mask.shape == image.shape
    assert mask.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(mask.affine, image.affine)
    for field in COMPARED:
        np.testing.assert_array_equal(mask.header[field], image.header[field], err_msg=field)
    assert mask.header.endianness == image.header.endianness
    assert [(e.get_code(), e.get_content()) for e in mask.header.extensions] == [
        (e.get_code(), e.get_content()) for e in image.header.extensions
    ]
    assert mask.header.get_slope_inter() in [(None, None), (1.0, 0.0)]
    voxels = np.asanyarray(mask.dataobj)
    assert set(np.unique(voxels)) <= {0, 1}
    if "threshold" in pair:
        scaled = np.asanyarray(image.dataobj).astype(np.float32)
        np.testing.assert_array_equal(voxels, (scaled > pair["threshold"]).astype(np.uint8))
