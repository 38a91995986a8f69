"""The other side of bench/metrics.ts: the same masks through the Python libraries, on one thread.

    python metrics_peer.py FOLDER SLICES ROWS COLUMNS SPACING_SLICE SPACING_ROW SPACING_COLUMN

FOLDER holds prediction.raw and label.raw (bytes 0/1). For each line of standard input (deepmind,
monai or components) runs that work once and prints {"seconds", "values"}; imports, reading and
conversion to each library's input type are not timed.
"""

import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import warnings
from pathlib import Path

import numpy as np
from scipy import ndimage

warnings.filterwarnings("ignore")
# surface-distance 0.1 is older than NumPy 2 and SciPy 1.15.
np.Inf, np.NaN = np.inf, np.nan
for old in ("filters", "morphology"):
    setattr(ndimage, old, ndimage)

import cc3d
import surface_distance as sd
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance

torch.set_num_threads(1)

folder = Path(sys.argv[1])
shape = [int(v) for v in sys.argv[2:5]]
spacing = [float(v) for v in sys.argv[5:8]]
prediction, label = (
    np.fromfile(folder / f"{name}.raw", np.uint8).reshape(shape).astype(bool)
    for name in ("prediction", "label")
)


def deepmind():
    d = sd.compute_surface_distances(label, prediction, spacing)
    return [
        sd.compute_dice_coefficient(label, prediction),
        sd.compute_robust_hausdorff(d, 100),
        sd.compute_robust_hausdorff(d, 95),
        *sd.compute_average_surface_distance(d),
        *(sd.compute_surface_dice_at_tolerance(d, mm) for mm in (1, 2, 3)),
    ]


def monai():
    p, l = tensors
    return [
        compute_dice(p, l)[0, 0],
        compute_hausdorff_distance(p, l, include_background=True, spacing=spacing)[0, 0],
        compute_hausdorff_distance(p, l, include_background=True, percentile=95, spacing=spacing)[0, 0],
    ]


def components():
    labels = cc3d.connected_components(prediction, connectivity=26)
    sizes = np.bincount(labels.ravel())[1:]
    largest = labels == 1 + int(sizes.argmax())
    return [len(sizes), int(ndimage.binary_fill_holes(largest).sum())]


tensors = None
print("ready", flush=True)
for line in sys.stdin:
    work = {"deepmind": deepmind, "monai": monai, "components": components}[line.strip()]
    if work is monai and tensors is None:
        tensors = [torch.from_numpy(m[None, None].astype(np.float32)) for m in (prediction, label)]
    start = time.perf_counter()
    values = work()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "values": [float(v) for v in values]}), flush=True)
