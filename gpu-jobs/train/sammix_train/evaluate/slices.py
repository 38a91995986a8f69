"""CAM-prompted evaluation. Truth masks are compared with predictions and never prompt them."""

from dataclasses import dataclass

import numpy as np
import torch

from ..model.cam import CamPrompt, bounding_box, cam_prompts, prompts_to_tensors
from ..model.sam_mix import SamMix, best_mask

DICE_EPSILON = 1e-6


@dataclass(frozen=True)
class SlicePredictions:
    """Predictions for n slices.

    Attributes:
        probability: classifier probability, float32[n].
        prompts: the CAM prompts.
        logits: best mask's logits, float32[n, 256, 256].
    """

    probability: np.ndarray
    prompts: list[CamPrompt]
    logits: np.ndarray


@torch.no_grad()
def predict_slices(
    model: SamMix, images: np.ndarray, batch: int = 8, device: str = "cpu"
) -> SlicePredictions:
    """Runs the whole method on uint8[n, 256, 256] or float32 slices in [0, 1]."""
    probabilities, prompts, logits = [], [], []
    for start in range(0, len(images), batch):
        chunk = images[start : start + batch]
        if chunk.dtype == np.uint8:
            chunk = chunk.astype(np.float32) / 255
        image = torch.from_numpy(chunk)[:, None].to(device)
        logit, cam = model.classifier(image)
        found = cam_prompts(cam)
        mask, box = (t.to(device) for t in prompts_to_tensors(found))
        best = best_mask(*model.segment(image, mask, box))
        probabilities.append(logit[:, 0].sigmoid().cpu().numpy())
        prompts.extend(found)
        logits.append(best.cpu().numpy())
    return SlicePredictions(np.concatenate(probabilities), prompts, np.concatenate(logits))


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two bool arrays of one shape; 1 when both are empty."""
    total = int(predicted.sum()) + int(truth.sum())
    if total == 0:
        return 1.0
    overlap = int((predicted & truth).sum())
    return (2 * overlap + DICE_EPSILON) / (total + DICE_EPSILON)


def box_recall_iou(box: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Share of true pixels inside the inclusive box, and IoU with the truth's own box."""
    x0, y0, x1, y1 = (int(v) for v in box)
    inside = truth[y0 : y1 + 1, x0 : x1 + 1].sum()
    tx0, ty0, tx1, ty1 = (int(v) for v in bounding_box(truth))
    width = max(0, min(x1, tx1) - max(x0, tx0) + 1)
    height = max(0, min(y1, ty1) - max(y0, ty0) + 1)
    areas = (x1 - x0 + 1) * (y1 - y0 + 1) + (tx1 - tx0 + 1) * (ty1 - ty0 + 1)
    return float(inside / truth.sum()), width * height / (areas - width * height)


def roc_auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve; ties count half. NaN when a class is absent."""
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    ranks = np.empty(len(score))
    _, first, counts = np.unique(ranked, return_index=True, return_counts=True)
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    rank_sum = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(rank_sum / (n_positive * n_negative))


def gate_threshold(probability: np.ndarray, positive: np.ndarray, sensitivity: float) -> float:
    """The highest threshold t such that `p >= t` keeps the wanted sensitivity."""
    ordered = np.sort(probability[positive])[::-1]
    needed = max(1, int(np.ceil(sensitivity * len(ordered))))
    return float(ordered[needed - 1])


def slice_scores(predictions: SlicePredictions, masks: np.ndarray) -> dict[str, float]:
    """Per-slice means over slices with liver, and the AUC over all of them.

    Args:
        predictions: of `predict_slices`.
        masks: truth uint8[n, 256, 256].
    """
    positive = masks.any(axis=(1, 2))
    dices, recalls, ious = [], [], []
    for i in np.flatnonzero(positive):
        truth = masks[i] > 0
        dices.append(dice(predictions.logits[i] > 0, truth))
        recall, iou = box_recall_iou(predictions.prompts[i].box, truth)
        recalls.append(recall)
        ious.append(iou)
    return {
        "dice": float(np.mean(dices)),
        "box_recall": float(np.mean(recalls)),
        "box_iou": float(np.mean(ious)),
        "cam_empty": float(np.mean([p.empty for p in predictions.prompts])),
        "auc": roc_auc(predictions.probability, positive),
    }
