"""The peers' side of the comparisons: `python bench/peers.py TASK ARGS`.

The last line of the output is JSON with the seconds of the work alone and the process's peak memory.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
WINDOW_HU = (0.0, 255.0)
BATCH = 4


def make_volume(path: str, slices: str) -> dict:
    """A 512 x 512 x N int16 CT-like volume: smooth shapes and noise, so that it compresses as CT does.

    It has a rim of fat, without which it would be refused: no CT of a body lacks it.
    """
    import nibabel as nib

    rng = np.random.default_rng(2025)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    tile = rng.normal(0, 12, (512, 512, 16))
    volume = np.empty((512, 512, int(slices)), dtype=np.int16)
    for k in range(int(slices)):
        wobble = 0.75 + 0.1 * np.sin(k / 40)
        depth = (x / wobble) ** 2 + (y / 0.6) ** 2
        tissue = np.where(depth > 0.8, -100, 40)
        organ = ((x + 0.3) / 0.35) ** 2 + ((y + 0.05) / 0.4) ** 2 < 1
        noisy = np.where(organ, 110, tissue) + np.roll(tile[..., k % 16], k * 7, 0)
        hu = np.where(depth < 1, noisy, -1000)
        volume[..., k] = hu
    image = nib.Nifti1Image(volume, np.diag([-0.7, -0.7, 1.0, 1.0]))
    nib.save(image, path)
    return {"seconds": 0.0}


def split(path: str, out: str) -> dict:
    """What a Python pipeline does: nibabel, canonical order, window, Pillow resize, uint16 slabs."""
    import nibabel as nib
    from PIL import Image

    start = time.perf_counter()
    image = nib.load(path)
    target = nib.orientations.axcodes2ornt(("L", "P", "S"))
    own = nib.orientations.io_orientation(image.affine)
    transform = nib.orientations.ornt_transform(own, target)
    volume = nib.orientations.apply_orientation(np.asanyarray(image.dataobj), transform)
    low, high = WINDOW_HU
    Path(out).mkdir(parents=True, exist_ok=True)
    for first in range(0, volume.shape[2], 32):
        slab = []
        for k in range(first, min(first + 32, volume.shape[2])):
            unit = np.clip((volume[:, :, k].T.astype(np.float32) - low) / (high - low), 0, 1)
            small = Image.fromarray(unit).resize((256, 256), Image.Resampling.BILINEAR)
            slab.append(np.rint(np.asarray(small) * 65535).astype("<u2"))
        np.stack(slab).tofile(f"{out}/{first:05d}.slab")
    return {"seconds": time.perf_counter() - start}


def read_slabs(folder: str) -> np.ndarray:
    """float32[n, 1, 256, 256] of the slabs that our split wrote."""
    files = sorted(Path(folder, "bench/work/slabs").glob("*.slab"))
    raw = np.concatenate([np.fromfile(file, dtype="<u2") for file in files])
    return (raw.astype(np.float32) / 65535).reshape(-1, 1, 256, 256)


def fixed_prompts(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The prompts of bench/tasks.ts."""
    columns = np.arange(256)
    mask = np.zeros((count, 1, 256, 256), dtype=np.float32)
    mask[..., (columns > 60) & (columns < 180)] = 1
    return mask, np.tile(np.array([61, 0, 179, 255], dtype=np.float32), (count, 1))


def ort(slabs: str, bundle: str) -> dict:
    """The same graphs with Python's ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    # As adapters/onnx-session.ts sets it: both sides run the graphs with the same options.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    sessions = {
        name: onnxruntime.InferenceSession(
            f"{bundle}/{name}.onnx", options, providers=["CPUExecutionProvider"]
        )
        for name in ("classifier", "encoder", "decoder")
    }
    names = [output.name for output in sessions["encoder"].get_outputs()]
    images = read_slabs(slabs)
    mask, box = fixed_prompts(BATCH)

    def once(image: np.ndarray) -> None:
        sessions["classifier"].run(None, {"image": image})
        encoded = dict(zip(names, sessions["encoder"].run(None, {"image": image}), strict=True))
        sessions["decoder"].run(None, {**encoded, "cam_mask": mask, "box": box})

    return timed_batches(once, images)


def torch_eager(slabs: str, size: str) -> dict:
    """The same networks in eager PyTorch; random weights take as long as trained ones."""
    import torch

    sys.path.insert(0, str(Path(__file__).parent.parent / "gpu-jobs/train"))
    from sammix_train.config import MODEL_SIZES
    from sammix_train.model.sam_mix import SamMix

    torch.set_num_threads(THREADS)
    model = SamMix(MODEL_SIZES[size]).eval()
    mask, box = (torch.from_numpy(prompt) for prompt in fixed_prompts(BATCH))

    @torch.inference_mode()
    def once(image: np.ndarray) -> None:
        tensor = torch.from_numpy(image)
        model.classifier(tensor)
        model.segment(tensor, mask, box)

    return timed_batches(once, read_slabs(slabs))


def timed_batches(once, images: np.ndarray, batch: int = BATCH) -> dict:
    """Seconds over all full batches, after one to warm up."""
    once(images[:batch])
    start = time.perf_counter()
    for first in range(0, len(images) - batch + 1, batch):
        once(images[first : first + batch])
    return {"seconds": time.perf_counter() - start}


TASKS = {
    "make-volume": make_volume,
    "split": split,
    "ort": ort,
    "torch": torch_eager,
}

if __name__ == "__main__":
    result = TASKS[sys.argv[1]](*sys.argv[2:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**result, "peakMiB": peak}))
