"""Reference tensors for the runtime: synthetic slices through the whole method, stage by stage.

`golden.json` describes tensors in `golden.bin` (raw, little-endian, C order):

    {"data": "golden.bin", "cases": [{"name", "camSource", "camEmpty", "selected", "tensors":
      [{"name", "dtype": "float32" | "uint8", "shape", "byteOffset"}]}]}

Tensors of a case: image, logit, cam, cam_mask, box, scores, and mask_logits of the selected mask.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config import SLICE_SIZE_PX
from ..model.cam import cam_prompts, prompts_to_tensors
from ..model.sam_mix import SamMix

SYNTHETIC_CAM = -1.0
MIN_CAM_TOLERANCE, CAM_TOLERANCE_OF_PEAK = 1e-4, 3e-5
GOLDEN_CASES = ("large-liver", "small-liver", "empty-cam")


def drawn_slice(liver_xy: tuple[float, float], liver_radius: float, seed: int) -> np.ndarray:
    """A drawing of an abdominal slice, float32[256, 256] in [0, 1]: shapes, not a patient.

    Body, liver on the image's left, spine, spleen, mild noise.
    """
    axis = (np.arange(SLICE_SIZE_PX) + 0.5) / SLICE_SIZE_PX * 2 - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1

    image = np.zeros((SLICE_SIZE_PX, SLICE_SIZE_PX), dtype=np.float32)
    image[ellipse(0, 0, 0.88, 0.68)] = 0.22
    image[ellipse(0, 0, 0.8, 0.6)] = 0.06
    image[ellipse(*liver_xy, liver_radius * 1.2, liver_radius)] = 0.42
    image[ellipse(0.52, 0.15, 0.16, 0.22)] = 0.46
    image[ellipse(0.0, 0.38, 0.11, 0.12)] = 0.85
    image[ellipse(0.05, 0.18, 0.06, 0.06)] = 0.6
    noise = np.random.default_rng(seed).normal(0, 0.02, image.shape).astype(np.float32)
    return np.clip(image + noise * (image > 0), 0, 1).astype(np.float32)


def golden_images() -> dict[str, np.ndarray]:
    """Case name -> image float32[256, 256]; the last one is for the empty map."""
    return {
        "large-liver": drawn_slice((-0.35, -0.1), 0.38, seed=1),
        "small-liver": drawn_slice((-0.5, 0.05), 0.2, seed=2),
        "empty-cam": np.zeros((SLICE_SIZE_PX, SLICE_SIZE_PX), dtype=np.float32),
    }


@torch.no_grad()
def golden_case(model: SamMix, image: np.ndarray, force_empty: bool) -> dict:
    """Runs one slice; `force_empty` replaces the map by a negative one if it is not empty."""
    x = torch.from_numpy(image)[None, None]
    logit, cam = model.classifier(x)
    synthetic = force_empty and float(cam.max()) > 0
    if synthetic:
        cam = torch.full_like(cam, SYNTHETIC_CAM)
    prompt = cam_prompts(cam)[0]
    cam_mask, box = prompts_to_tensors([prompt])
    mask_logits, scores = model.segment(x, cam_mask, box)
    selected = int(scores.argmax())
    return {
        "camSource": "synthetic" if synthetic else "classifier",
        "camEmpty": prompt.empty,
        "selected": selected,
        "tensors": {
            "image": x,
            "logit": logit,
            "cam": cam,
            "cam_mask": cam_mask.to(torch.uint8),
            "box": box,
            "scores": scores,
            "mask_logits": mask_logits[:, selected : selected + 1],
        },
    }


def write_golden(model: SamMix, folder: Path, names: tuple[str, ...] = GOLDEN_CASES) -> None:
    """Writes golden.json and golden.bin for a model in eval mode on the CPU."""
    data, cases, images = bytearray(), [], golden_images()
    for name in names:
        image = images[name]
        case = golden_case(model, image, force_empty=name == "empty-cam")
        tensors = [_append(data, key, tensor) for key, tensor in case["tensors"].items()]
        cases.append({"name": name, **case, "tensors": tensors})
    (folder / "golden.bin").write_bytes(bytes(data))
    description = {"data": "golden.bin", "cases": cases}
    (folder / "golden.json").write_text(json.dumps(description, indent=1) + "\n")


def golden_tolerance(folder: Path) -> dict[str, float]:
    """How far a runtime may be off; the map's share grows with its values, which have no bound.

    Reads golden.json and golden.bin in `folder`.
    """
    description = json.loads((folder / "golden.json").read_text())
    data = (folder / description["data"]).read_bytes()
    peak = 0.0
    for case in description["cases"]:
        cam = next(t for t in case["tensors"] if t["name"] == "cam")
        values = np.frombuffer(data, "<f4", int(np.prod(cam["shape"])), cam["byteOffset"])
        peak = max(peak, float(np.abs(values).max()))
    cam_tolerance = max(MIN_CAM_TOLERANCE, round(CAM_TOLERANCE_OF_PEAK * peak, 6))
    return {"cam": cam_tolerance, "logits": 1e-3, "maskFraction": 0.001}


def _append(data: bytearray, name: str, tensor: Tensor) -> dict:
    array = np.ascontiguousarray(tensor.numpy())
    data.extend(b"\0" * (-len(data) % 4))  # float32 views need aligned offsets
    offset = len(data)
    data.extend(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return {
        "name": name,
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "byteOffset": offset,
    }
