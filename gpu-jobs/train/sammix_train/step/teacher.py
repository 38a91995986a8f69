"""Averaged weights: the unlabelled teacher, the source of CAM prompts, and what is exported."""

import copy

import torch
from torch import Tensor, nn

from ..model.sam_mix import SamMix, best_mask

SURE_FOREGROUND, SURE_BACKGROUND = 0.9, 0.1
MIN_SCORE = 0.7
MIN_INSIDE_SHARE = 0.5
PROMPT_DILATION_PX = 16
AREA_SHARE_RANGE = (0.005, 0.4)


def averaged_copy(model: SamMix) -> SamMix:
    """A frozen copy in eval mode."""
    copied = copy.deepcopy(model).eval()
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, step: int, final_decay: float) -> None:
    """Moves the average towards the model; the decay grows with the step up to its final value."""
    decay = min(final_decay, (1 + step) / (10 + step))
    own, new = average.state_dict(), model.state_dict()
    floats = [key for key in own if own[key].dtype.is_floating_point]
    torch._foreach_lerp_([own[k] for k in floats], [new[k] for k in floats], 1 - decay)
    for key in own.keys() - set(floats):
        own[key].copy_(new[key])


@torch.no_grad()
def pseudo_labels(
    teacher: SamMix, image: Tensor, cam_mask: Tensor, box: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Pseudo masks float32[n, 1, h, w], confident pixels likewise, and usable slices bool[n].

    A slice is usable when the teacher trusts its mask, at least half of the mask lies near the
    prompt, and its area is plausible for a liver.
    """
    logits, scores = teacher.segment(image, cam_mask, box)
    probability = best_mask(logits, scores).sigmoid()[:, None]
    pseudo = (probability > 0.5).float()
    confident = ((probability > SURE_FOREGROUND) | (probability < SURE_BACKGROUND)).float()
    kernel = 2 * PROMPT_DILATION_PX + 1
    near = nn.functional.max_pool2d(cam_mask, kernel, stride=1, padding=PROMPT_DILATION_PX)
    area = pseudo.sum(dim=(1, 2, 3))
    inside = (pseudo * near).sum(dim=(1, 2, 3)) / area.clamp(min=1)
    share = area / pseudo[0].numel()
    low, high = AREA_SHARE_RANGE
    usable = (scores.amax(dim=1) >= MIN_SCORE) & (inside >= MIN_INSIDE_SHARE)
    return pseudo, confident, usable & (share >= low) & (share <= high)
