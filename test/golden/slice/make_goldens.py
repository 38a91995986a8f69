"""Golden numbers for test/core/slice, from libraries that share no code with this project.

    pip install numpy==2.4.* pillow==12.* torch==2.15.* scipy==1.18.*
    python test/golden/slice/make_goldens.py

Inputs are small integer patterns that both languages compute from a formula, so only results are
stored.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

HERE = Path(__file__).parent


def pattern(rows: int, columns: int) -> np.ndarray:
    """A rough, deterministic picture in Hounsfield units: (13 i^2 + 7 j^2 + 31 i j) mod 401 - 100."""
    i, j = np.meshgrid(np.arange(columns), np.arange(rows))
    return ((13 * i * i + 7 * j * j + 31 * i * j) % 401 - 100).astype(np.float32)


def pillow_resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def torch_bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    tensor = torch.from_numpy(image)[None, None]
    return torch.nn.functional.interpolate(
        tensor, (height, width), mode="bilinear", align_corners=False
    )[0, 0].numpy()


def cam_prompt(cam: np.ndarray, size: int, threshold_of_max: float) -> dict:
    enlarged = torch_bilinear(np.maximum(cam, 0), size, size)
    labels, count = ndimage.label(enlarged >= threshold_of_max * enlarged.max())
    areas = ndimage.sum_labels(np.ones_like(labels), labels, range(1, count + 1))
    mask = labels == 1 + int(np.argmax(areas))
    rows, columns = np.nonzero(mask)
    return {
        "areaPx": int(mask.sum()),
        "box": [int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())],
        "rowSums": mask.sum(axis=1).tolist(),
    }


def rounded(values: np.ndarray) -> list:
    return np.round(values.astype(np.float64), 5).ravel().tolist()


def main() -> None:
    triangle = [
        {"rows": r, "columns": c, "height": h, "width": w, "values": rounded(pillow_resize(pattern(r, c), h, w))}
        for r, c, h, w in [(51, 37, 16, 16), (12, 9, 16, 16), (16, 16, 16, 16), (101, 122, 13, 16), (5, 64, 2, 16)]
    ]
    bilinear = [
        {"rows": r, "columns": c, "height": h, "width": w, "values": rounded(torch_bilinear(pattern(r, c), h, w))}
        for r, c, h, w in [(16, 16, 33, 41), (16, 16, 7, 9), (13, 16, 101, 20), (1, 16, 3, 16)]
    ]
    generator = np.random.default_rng(2025)
    cams = [generator.normal(0, 1, (grid, grid)).astype(np.float32) for grid in (8, 8, 16)]
    prompts = [
        {"grid": len(cam), "cam": np.round(cam, 4).ravel().tolist(), "sizePx": size, "thresholdOfMax": share}
        | cam_prompt(np.round(cam, 4).astype(np.float32), size, share)
        for cam, size, share in zip(cams, (256, 64, 256), (0.2, 0.4, 0.2), strict=True)
    ]
    golden = {"triangle": triangle, "bilinear": bilinear, "camPrompts": prompts}
    (HERE / "slice.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
