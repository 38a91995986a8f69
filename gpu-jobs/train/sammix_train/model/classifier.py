"""Slice classifier whose class activation map is part of the forward pass."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

IMAGENET_GREY_MEAN, IMAGENET_GREY_STD = 0.449, 0.226


class CamClassifier(nn.Module):
    """ResNet of basic blocks: float32[n, 1, 256, 256] -> logit [n, 1] and cam [n, 1, g, g].

    Blocks 3, 4, 8, 3 make 38 layers. With global average pooling and one linear layer, Grad-CAM
    before its ReLU equals a 1x1 convolution with the head's weights divided by g * g (Zhou et al.
    2016; Selvaraju et al. 2017), so no gradients are needed at run time. The CAM is returned
    signed and without that division, which no rule downstream depends on.
    """

    def __init__(self, width: int, blocks: tuple[int, int, int, int], cam_grid: int) -> None:
        super().__init__()
        self.trunk = ResNet(BasicBlock, list(blocks), num_classes=1)
        if width != 64:
            self.trunk = _narrow_resnet(blocks, width)
        if cam_grid == 16:
            self._unstride_last_stage()
        for module in self.trunk.modules():
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)

    def _unstride_last_stage(self) -> None:
        first = self.trunk.layer4[0]
        first.conv1.stride = (1, 1)
        first.downsample[0].stride = (1, 1)

    def features(self, image: Tensor) -> Tensor:
        """Last-stage features float32[n, 8 * width, g, g]."""
        x = (image - IMAGENET_GREY_MEAN) / IMAGENET_GREY_STD
        t = self.trunk
        x = t.maxpool(t.relu(t.bn1(t.conv1(x.expand(-1, t.conv1.in_channels, -1, -1)))))
        return t.layer4(t.layer3(t.layer2(t.layer1(x))))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(image)
        weight, bias = self.trunk.fc.weight, self.trunk.fc.bias
        cam = F.conv2d(features, weight[:, :, None, None])
        logit = features.mean(dim=(2, 3)) @ weight.T + bias
        return logit, cam


def _narrow_resnet(blocks: tuple[int, int, int, int], width: int) -> ResNet:
    """A ResNet with `width` instead of 64 first-stage channels and a one-channel stem."""
    trunk = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=1)
    trunk.conv1 = nn.Conv2d(1, width, kernel_size=7, stride=2, padding=3, bias=False)
    trunk.bn1 = nn.BatchNorm2d(width)
    trunk.inplanes = width
    trunk.layer1 = trunk._make_layer(BasicBlock, width, blocks[0])
    trunk.layer2 = trunk._make_layer(BasicBlock, 2 * width, blocks[1], stride=2)
    trunk.layer3 = trunk._make_layer(BasicBlock, 4 * width, blocks[2], stride=2)
    trunk.layer4 = trunk._make_layer(BasicBlock, 8 * width, blocks[3], stride=2)
    trunk.fc = nn.Linear(8 * width, 1)
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return trunk


def upsampled_cam(cam: Tensor, size_px: int) -> Tensor:
    """ReLU, then bilinear with half-pixel centres: float32[n, 1, size_px, size_px]."""
    return F.interpolate(torch.relu(cam), size=(size_px, size_px), mode="bilinear")
