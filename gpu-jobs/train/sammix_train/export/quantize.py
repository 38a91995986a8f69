"""An int8 variant of a bundle: static quantisation of the image encoder and the decoder.

The classifier stays in float32: its map decides the prompt by a threshold, where small errors
move whole components. Calibration reads training slices, or drawings where no data is at hand.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from ..model.cam import cam_prompts, prompts_to_tensors
from .bundle import file_entries
from .bundle_model import BundleModel
from .checkpoint import CHECKPOINT_FILE

QUANTISED = ("encoder", "decoder")
QUANTISED_OPS = ["Conv", "MatMul", "Gemm", "ConvTranspose"]


class Feeds(CalibrationDataReader):
    """Hands out prepared feeds one by one."""

    def __init__(self, feeds: list[dict[str, np.ndarray]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def calibration_feeds(bundle: BundleModel, images: np.ndarray) -> dict[str, list[dict]]:
    """Feeds of both graphs for float32[n, 256, 256] slices in [0, 1], with CAM prompts."""
    encoder, decoder = [], []
    names = [t["name"] for t in bundle.manifest["encoder"]["graph"]["outputs"]]
    for image in images:
        x = image[None, None]
        mask, box = prompts_to_tensors(cam_prompts(bundle.classifier(torch.from_numpy(x))[1]))
        encoded = dict(zip(names, bundle.run("encoder", {"image": x}), strict=True))
        encoder.append({"image": x})
        decoder.append({**encoded, "cam_mask": mask.numpy(), "box": box.numpy()})
    return {"encoder": encoder, "decoder": decoder}


def quantize_bundle(folder: Path, out: Path, images: np.ndarray) -> None:
    """Copies a bundle to `out` with int8 encoder and decoder.

    Reference tensors are kept; they hold within the int8 bundle's wider tolerance only, and its
    scores are dropped, because they were measured in float32. It cannot be trained further.

    Args:
        folder: a float32 bundle.
        out: new folder.
        images: calibration slices float32[n, 256, 256] in [0, 1].
    """
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns(CHECKPOINT_FILE))
    feeds = calibration_feeds(BundleModel(folder), images)
    for name in QUANTISED:
        _quantize_graph(out / f"{name}.onnx", feeds[name])
    manifest = json.loads((out / "bundle.json").read_text())
    manifest["onnx"]["precision"] = "int8"
    manifest["metrics"] = []
    manifest["golden"]["tolerance"] = {"cam": 1e-4, "logits": 10.0, "maskFraction": 0.05}
    manifest["files"] = file_entries(out)
    (out / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _quantize_graph(path: Path, feeds: list[dict[str, np.ndarray]]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            Feeds(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED_OPS,
            per_channel=True,
            # 7-bit weights: older x86 CPUs saturate in 8-bit products
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
