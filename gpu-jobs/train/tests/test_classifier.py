"""The classifier's map is Grad-CAM, without gradients."""

import pytest
import torch

from sammix_train.model.classifier import CamClassifier


@pytest.mark.parametrize("grid", [8, 16])
def test_cam_equals_grad_cam(grid: int) -> None:
    torch.manual_seed(0)
    classifier = CamClassifier(8, (1, 1, 1, 1), grid).eval()
    image = torch.rand(2, 1, 256, 256)
    logit, cam = classifier(image)
    features = classifier.features(image).detach().requires_grad_()
    head = classifier.trunk.fc
    score = (features.mean(dim=(2, 3)) @ head.weight.T + head.bias).sum()
    gradient = torch.autograd.grad(score, features)[0]
    channel_weight = gradient.mean(dim=(2, 3), keepdim=True)
    grad_cam = torch.relu((channel_weight * features).sum(dim=1, keepdim=True))
    assert cam.shape == (2, 1, grid, grid)
    assert torch.allclose(torch.relu(cam) / grid**2, grad_cam, atol=1e-6)
    assert torch.allclose(logit[:, 0], cam.mean(dim=(1, 2, 3)) + head.bias, atol=1e-5)


def test_resnet_38_has_38_weighted_layers() -> None:
    classifier = CamClassifier(64, (3, 4, 8, 3), 8)
    main_path = [
        name
        for name, module in classifier.named_modules()
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)) and "downsample" not in name
    ]
    assert len(main_path) == 38
    assert sum(p.numel() for p in classifier.trunk.parameters()) == pytest.approx(23.65e6, rel=0.01)
