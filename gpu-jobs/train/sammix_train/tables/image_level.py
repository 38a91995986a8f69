"""A classifier that knows of every training slice whether it shows the target.

Its losses share no parameters with those of the masks, so all rows of a seed that show it no mask
may have the same one: it is trained once, and for longer than a row's few steps.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..config import TrainConfig
from ..data.sampling import StepSampler
from ..data.slices import SlicePool
from ..evaluate.gate import slice_logits
from ..evaluate.slices import roc_auc
from ..model.classifier import CamClassifier
from ..step.losses import cam_overlap_loss, classification_loss
from ..step.training_step import labelled_batch, make_batch
from .optimise import Fit, fit


def fit_classifier(
    classifier: CamClassifier,
    config: TrainConfig,
    pool: SlicePool,
    validation: SlicePool,
    device: str,
    stopped: Callable[[], bool] = lambda: False,
) -> Fit:
    """Trains `classifier` in place; the best of several validations by AUC is returned.

    With `cam_weight` its map is held to the masks of the configuration's labelled slices as well.
    """
    # crops beside the target would be cut by masks
    own = dataclasses.replace(config, labels="all", mask_sources="", crops_per_step=0)
    sampler = StepSampler(pool, own)
    masks = StepSampler(pool, dataclasses.replace(config, views=0)) if config.cam_weight else None
    rng = np.random.default_rng(config.seed)

    def map_loss() -> Tensor | float:
        if masks is None:
            return 0.0
        batch = labelled_batch(masks, rng, device)
        return config.cam_weight * cam_overlap_loss(classifier(batch.strong)[1], batch.mask)

    def batch_loss() -> Tensor:
        indices, cuts = sampler.classified(rng)
        batch = make_batch(pool, indices, rng, device, config.clean_share, cuts)
        present = np.array([bool(pool.records[i].has_target) for i in indices], dtype=np.float32)
        target = torch.from_numpy(present).to(device)
        return classification_loss(classifier(batch.strong)[0][:, 0], target) + map_loss()

    shown = np.array([bool(record.has_target) for record in validation.records])

    def score(average: CamClassifier) -> float:
        return roc_auc(slice_logits(average, validation, device), shown)

    return fit(classifier, own, batch_loss, score, stopped)
