"""One optimisation step: L = L_cls + L_seg + lambda * L_u (+ the optional CAM term).

The classifier's terms and the mask terms share no parameters, so a step is three functions:
preparing inputs (no gradients), classifier gradients, mask gradients. `pipeline.py` orders them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import TrainConfig
from ..data.augment import augment_geometry, augment_intensity
from ..data.sampling import StepSampler
from ..data.slices import SlicePool
from ..frozen.views import fixed_view
from ..model.cam import cam_prompts, prompts_to_tensors
from ..model.sam_mix import SamMix
from .losses import (
    cam_overlap_loss,
    classification_loss,
    mask_losses,
    segmentation_loss,
    unlabelled_loss,
    unlabelled_weight,
)
from .prompting import real_cam_share, training_prompts
from .teacher import pseudo_labels


@dataclass
class Batch:
    """Augmented slices on the training device.

    Attributes:
        weak: geometry only, float32[n, 1, 256, 256].
        strong: with intensity changes.
        mask: float32[n, 1, 256, 256] of 0 and 1.
        indices: pool indices int64[n].
    """

    weak: Tensor
    strong: Tensor
    mask: Tensor
    indices: np.ndarray


def make_batch(
    pool: SlicePool,
    indices: np.ndarray,
    rng: np.random.Generator,
    device: str,
    clean_share: float = 0.0,
    cuts: list[str] | None = None,
) -> Batch:
    """Gathers and augments slices; `clean_share` of the strong views keep their grey values.

    `cuts` says how each slice is cut out (`augment.CUTS`); "plain" by default.
    """
    weak, mask = augment_geometry(pool.images[indices], pool.masks[indices], rng, cuts)
    strong = augment_intensity(weak, rng)
    if clean_share:
        clean = torch.from_numpy(rng.random(len(weak)) < clean_share)
        strong = torch.where(clean[:, None, None, None], weak, strong)
    return Batch(weak.to(device), strong.to(device), mask.to(device), indices)


def make_view_batch(
    pool: SlicePool, indices: np.ndarray, numbers: np.ndarray, device: str
) -> Batch:
    """Gathers fixed views of slices, one number each."""
    views = [fixed_view(pool, int(i), int(n)) for i, n in zip(indices, numbers, strict=True)]
    weak, strong, mask = (
        torch.from_numpy(np.stack(part)).float()[:, None].to(device)
        for part in zip(*views, strict=True)
    )
    return Batch(weak / 255, strong / 255, mask, indices)


def labelled_batch(sampler: StepSampler, rng: np.random.Generator, device: str) -> Batch:
    """Slices for the mask loss: augmented anew, or fixed views where the run has them."""
    config, drawn = sampler.config, sampler.masked(rng)
    if config.views:
        numbers = rng.integers(config.views, size=len(drawn))
        return make_view_batch(sampler.pool, drawn, numbers, device)
    return make_batch(sampler.pool, drawn, rng, device, config.clean_share)


@dataclass
class StepInputs:
    """Everything a step needs besides the trained weights.

    Attributes:
        classified: slices for the classifier, positives and negatives.
        masked: slices for the mask loss.
        image, cam_mask, box: student inputs; labelled slices first, then pseudo-labelled ones.
        pseudo, confident: pseudo masks and sure pixels float32[u, 1, 256, 256].
        unlabelled_weight: lambda at this step.
    """

    classified: Batch
    masked: Batch
    image: Tensor
    cam_mask: Tensor
    box: Tensor
    pseudo: Tensor
    confident: Tensor
    unlabelled_weight: float


def reduced_precision(image: Tensor, config: TrainConfig) -> torch.autocast:
    """bfloat16 for classifier and encoder: on a GPU always, on a CPU where the run asks for it."""
    enabled = image.is_cuda or config.bfloat16
    return torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=enabled)


@torch.no_grad()
def prepare_step(
    teacher: SamMix,
    sampler: StepSampler,
    progress: float,
    rng: np.random.Generator,
    device: str,
) -> StepInputs:
    """Draws and augments slices and lets the averaged model prompt and pseudo-label them."""
    config, pool = sampler.config, sampler.pool
    clean = config.clean_share
    indices, cuts = sampler.classified(rng)
    classified = make_batch(pool, indices, rng, device, clean, cuts)
    masked = labelled_batch(sampler, rng, device)
    with reduced_precision(masked.weak, config):
        cam = teacher.classifier(masked.weak)[1].float().cpu()
    share = real_cam_share(progress, config.real_cam_max, config.real_cam_ramp)
    cam_mask, box = training_prompts(cam, masked.mask.cpu(), share, rng)
    parts = [(masked.strong, cam_mask.to(device), box.to(device))]
    weight = unlabelled_weight(
        progress, config.lambda_max, config.ramp_fraction, config.unlabelled_start
    )
    pseudo = confident = masked.mask[:0]
    if weight > 0 and len(sampler.unlabelled):
        drawn = sampler.pseudo_labelled(rng)
        if config.views:
            batch = make_view_batch(pool, drawn, np.ones(len(drawn), dtype=np.int64), device)
        else:
            batch = make_batch(pool, drawn, rng, device)
        with reduced_precision(batch.weak, config):
            pseudo, confident, student = _pseudo_inputs(teacher, batch)
        parts.append(student)
    image, cam_mask, box = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return StepInputs(classified, masked, image, cam_mask, box, pseudo, confident, weight)


def classifier_backward(
    model: SamMix, inputs: StepInputs, sampler: StepSampler
) -> dict[str, float]:
    """Adds the classifier's gradients; returns the loss parts, none where it is frozen."""
    if not model.classifier.trunk.fc.weight.requires_grad:
        return {}
    cls, cam = classifier_losses(model, inputs.classified, sampler)
    (cls + sampler.config.cam_weight * cam).backward()
    return {"cls": float(cls.detach()), "cam": float(cam.detach())}


def classifier_losses(model: SamMix, batch: Batch, sampler: StepSampler) -> tuple[Tensor, Tensor]:
    """Focal loss on all slices and the CAM overlap on those whose mask is a label."""
    known = np.isin(batch.indices, sampler.labelled)
    visible = batch.mask.sum(dim=(1, 2, 3)).cpu().numpy() > 0
    present = np.array([bool(sampler.pool.records[i].has_target) for i in batch.indices])
    # what a labelled slice shows may have been moved out of view
    shown = np.where(known, visible, present).astype(np.float32)
    target = torch.from_numpy(shown).to(batch.strong.device)
    with reduced_precision(batch.strong, sampler.config):
        logit, cam = (out.float() for out in model.classifier(batch.strong))
    loss = classification_loss(logit[:, 0], target)
    labelled = known & visible
    if not sampler.config.cam_weight or not labelled.any():
        return loss, logit.sum() * 0
    chosen = torch.from_numpy(labelled).to(cam.device)
    return loss, cam_overlap_loss(cam[chosen], batch.mask[chosen])


def mask_backward(
    model: SamMix, inputs: StepInputs, config: TrainConfig, first: int = 0, last: int | None = None
) -> dict[str, float]:
    """Adds the image encoder's and decoder's gradients; returns the loss parts.

    Labelled and unlabelled slices share one forward pass, so that batch norm sees both.

    Args:
        model: in training mode.
        inputs: of `prepare_step`.
        config: the run's.
        first, last: labelled slices to learn from, half open. Calls that share out all of them add
            up to one step's gradients and loss parts; the one without `last` takes the
            unlabelled slices.
    """
    n = len(inputs.masked.mask)
    rows = slice(first, last)
    with reduced_precision(inputs.image, config):
        encoded = model.encoder(inputs.image[rows])
    encoded = tuple(e.float() for e in encoded)
    logits, scores = model.decoder(encoded, inputs.cam_mask[rows], inputs.box[rows])
    target = inputs.masked.mask[rows]
    k = len(target)
    seg = segmentation_loss(
        logits[:k], scores[:k], target, config.pixel_loss, config.all_masks_weight
    )
    if config.outline_weight:
        outline = model.outline_logits(encoded[-1][:k])
        seg = seg + config.outline_weight * mask_losses(outline, target, config.pixel_loss).mean()
    seg = seg * (k / n)
    extra = unlabelled_loss(logits[k:], inputs.pseudo, inputs.confident)
    (seg + inputs.unlabelled_weight * extra).backward()
    parts = {"seg": float(seg.detach())}
    if last is None:
        parts["unlabelled"] = float(extra.detach())
        parts["lambda"] = inputs.unlabelled_weight
        parts["pseudo_used"] = len(logits) - k
    return parts


def _pseudo_inputs(teacher: SamMix, batch: Batch) -> tuple[Tensor, Tensor, tuple]:
    """Pseudo labels and student inputs (image, CAM mask, box) of the usable slices only."""
    cam = teacher.classifier(batch.weak)[1].float()
    mask, box = (t.to(batch.weak.device) for t in prompts_to_tensors(cam_prompts(cam)))
    pseudo, confident, usable = pseudo_labels(teacher, batch.weak, mask, box)
    student = (batch.strong[usable], mask[usable], box[usable])
    return pseudo[usable], confident[usable], student
