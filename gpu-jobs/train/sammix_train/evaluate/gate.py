"""The classifier as a gate: probabilities that mean what they say, and where to cut."""

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch import nn

from ..data.slices import SlicePool
from ..model.sam_mix import SamMix
from .slices import gate_threshold

GATE_SENSITIVITY = 0.98  # of the validation slices with the target
MIN_CALIBRATION_SLICES = 20  # of either class
THRESHOLD_RANGE = (1e-4, 1 - 1e-4)


@torch.no_grad()
def slice_logits(
    classifier: nn.Module, pool: SlicePool, device: str | torch.device = "cpu", batch: int = 8
) -> np.ndarray:
    """A classifier's logits float64[n]."""
    found = []
    for start in range(0, len(pool), batch):
        grey = torch.from_numpy(pool.images[start : start + batch])[:, None]
        logit, _ = classifier(grey.to(device).float() / 255)
        found.append(logit[:, 0].double().cpu())
    return torch.cat(found).numpy()


def platt_scaling(logit: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Scale and offset of logits by maximum likelihood (Platt 1999); the scale is above 0.

    (1, 0), no change, where one class has fewer than `MIN_CALIBRATION_SLICES`.
    """
    if min(positive.sum(), (~positive).sum()) < MIN_CALIBRATION_SLICES:
        return 1.0, 0.0
    sign = np.where(positive, 1.0, -1.0)

    def loss(parameters: np.ndarray) -> float:
        scale, offset = np.exp(parameters[0]), parameters[1]
        return float(np.logaddexp(0, -sign * (scale * logit + offset)).mean())

    found = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"maxiter": 2000})
    return float(np.exp(found.x[0])), float(found.x[1])


@torch.no_grad()
def calibrate(model: SamMix, validation: SlicePool) -> float:
    """Scales the classifier's last layer in place so that it is calibrated; returns the gate.

    The map is scaled with it, which no rule depends on: maps count in shares of their maximum. The
    gate is the highest that keeps `GATE_SENSITIVITY`.
    """
    validation = validation.subset(validation.indices(has_mask=True))
    logit = slice_logits(model.classifier, validation)
    positive = np.array([bool(record.has_target) for record in validation.records])
    scale, offset = platt_scaling(logit, positive)
    head = model.classifier.trunk.fc
    head.weight.mul_(scale)
    head.bias.mul_(scale).add_(offset)
    probability = expit(scale * logit + offset)
    low, high = THRESHOLD_RANGE
    return min(max(gate_threshold(probability, positive, GATE_SENSITIVITY), low), high)
