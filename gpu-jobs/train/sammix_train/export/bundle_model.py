"""Runs an exported bundle from Python, with the interface that `evaluate.py` expects of a model."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .graphs import onnx_session


class BundleModel:
    """The three sessions of a bundle folder."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        self.manifest = json.loads((folder / "bundle.json").read_text())
        self._sessions = {}
        for name in ("classifier", "encoder", "decoder"):
            graph = self.manifest[name]["graph"]
            self._sessions[name] = onnx_session(folder / graph["file"], threads)

    def classifier(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """float32[n, 1, 256, 256] -> logit [n, 1] and raw map [n, 1, g, g]."""
        logit, cam = self.run("classifier", {"image": image.numpy()})
        return torch.from_numpy(logit), torch.from_numpy(cam)

    def segment(self, image: Tensor, cam_mask: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """Mask logits float32[n, 3, 256, 256] and scores float32[n, 3]."""
        encoded = self.run("encoder", {"image": image.numpy()})
        names = [t["name"] for t in self.manifest["encoder"]["graph"]["outputs"]]
        feeds = dict(zip(names, encoded, strict=True))
        feeds["cam_mask"] = cam_mask.numpy()
        feeds["box"] = box.numpy()
        masks, scores = self.run("decoder", feeds)
        return torch.from_numpy(masks), torch.from_numpy(scores)

    def run(self, name: str, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Outputs of one graph, in the manifest's order."""
        outputs = [t["name"] for t in self.manifest[name]["graph"]["outputs"]]
        return self._sessions[name].run(outputs, feeds)
