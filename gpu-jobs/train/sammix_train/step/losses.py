"""Loss terms: classification, segmentation, unlabelled, and CAM overlap."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

FOCAL_WEIGHT, FOCAL_ALPHA, FOCAL_GAMMA = 20.0, 0.25, 2.0
DICE_SMOOTH = 1.0


def classification_loss(logit: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Binary focal loss (Lin et al. 2017) of float32[n] logits, without class weights.

    Raises ValueError when a batch lacks one of the classes: the batches are balanced by
    construction, and a one-class batch means that the sampling is broken.
    """
    if not (target.min() < 0.5 < target.max()):
        raise ValueError("a classification batch needs slices with and without the target")
    cross_entropy = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
    p_true = torch.exp(-cross_entropy)
    return ((1 - p_true) ** gamma * cross_entropy).mean()


def pixel_loss(logits: Tensor, target: Tensor, kind: str) -> Tensor:
    """Mean per mask of float32[n, k, h, w] logits against float32[n, 1, h, w]: float32[n, k]."""
    target = target.expand_as(logits)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if kind == "bce":
        return cross_entropy.mean(dim=(2, 3))
    p_true = torch.exp(-cross_entropy)
    alpha = FOCAL_ALPHA * target + (1 - FOCAL_ALPHA) * (1 - target)
    focal = alpha * (1 - p_true) ** FOCAL_GAMMA * cross_entropy
    return FOCAL_WEIGHT * focal.mean(dim=(2, 3))


def dice_loss(probability: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """1 - soft Dice over the last two axes; `weight` masks pixels out."""
    if weight is not None:
        probability, target = probability * weight, target * weight
    overlap = (probability * target).sum(dim=(-2, -1))
    total = probability.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1))
    return 1 - (2 * overlap + DICE_SMOOTH) / (total + DICE_SMOOTH)


def mask_iou(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of thresholded masks, float32[n, k]; 1 where both are empty."""
    predicted, truth = logits > 0, target > 0.5
    overlap = (predicted & truth).sum(dim=(2, 3)).float()
    union = (predicted | truth).sum(dim=(2, 3)).float()
    return torch.where(union > 0, overlap / union.clamp(min=1), torch.ones_like(union))


def mask_losses(logits: Tensor, target: Tensor, kind: str) -> Tensor:
    """Pixel loss and Dice of each of float32[n, k, h, w] masks: float32[n, k]."""
    return pixel_loss(logits, target, kind) + dice_loss(logits.sigmoid(), target)


def segmentation_loss(
    logits: Tensor, scores: Tensor, target: Tensor, kind: str, all_masks_weight: float
) -> Tensor:
    """Minimum over the masks plus a share of their mean, plus the score regression.

    The share keeps every mask usable: a wrong score must not expose an untrained mask.

    Args:
        logits: float32[n, 3, 256, 256].
        scores: predicted IoU, float32[n, 3].
        target: float32[n, 1, 256, 256].
        kind: "bce" or "focal".
        all_masks_weight: the share.
    """
    per_mask = mask_losses(logits, target, kind)
    masks = per_mask.amin(dim=1) + all_masks_weight * per_mask.mean(dim=1)
    score_error = (scores - mask_iou(logits.detach(), target)) ** 2
    return masks.mean() + score_error.mean()


def unlabelled_loss(logits: Tensor, pseudo: Tensor, confident: Tensor) -> Tensor:
    """Masked BCE and Dice of float32[n, 3, h, w] against pseudo masks float32[n, 1, h, w].

    `confident` is 1 where the teacher was sure; other pixels carry no loss. Returns 0 for n = 0.
    """
    if len(logits) == 0:
        return logits.sum()
    pseudo, confident = pseudo.expand_as(logits), confident.expand_as(logits)
    cross_entropy = F.binary_cross_entropy_with_logits(
        logits, pseudo, weight=confident, reduction="none"
    ).sum(dim=(2, 3)) / confident.sum(dim=(2, 3)).clamp(min=1)
    return (cross_entropy + dice_loss(logits.sigmoid(), pseudo, confident)).mean()


def cam_overlap_loss(cam: Tensor, target: Tensor) -> Tensor:
    """1 - soft Dice of the map, scaled to its maximum, and the mask pooled to the map's grid.

    Ours: an inexpensive stand-in for segmentation feedback to the classifier. The maximum takes
    part in the gradient, so that the loss says nothing of the map's scale: held constant, it has
    every cell of the liver strive for the maximum, the logits grow without bound, and one mistake
    of the classifier outweighs all else.

    Args:
        cam: raw signed map float32[n, 1, g, g].
        target: float32[n, 1, 256, 256].
    """
    rectified = torch.relu(cam)
    scaled = rectified / rectified.amax(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    pooled = F.adaptive_avg_pool2d(target, cam.shape[-1])
    return dice_loss(scaled, pooled).mean()


def unlabelled_weight(progress: float, lambda_max: float, ramp: float, start: float) -> float:
    """Sigmoid ramp (Laine & Aila 2017): 0 before `start`, lambda_max from `ramp` on."""
    if progress < start:
        return 0.0
    return lambda_max * math.exp(-5 * (1 - min(1.0, progress / ramp)) ** 2)
