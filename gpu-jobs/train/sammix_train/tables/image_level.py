"""A classifier that knows of every training slice whether it shows the target, and of no mask.

Its losses share no parameters with those of the masks, so all rows of a seed may have the same one:
it is trained once, and for longer than a row's few steps.
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
from ..step.losses import classification_loss
from ..step.training_step import make_batch
from .optimise import Fit, fit


def fit_classifier(
    classifier: CamClassifier,
    config: TrainConfig,
    pool: SlicePool,
    validation: SlicePool,
    device: str,
    stopped: Callable[[], bool] = lambda: False,
) -> Fit:
    """Trains `classifier` in place; the best of several validations by AUC is returned."""
    # crops beside the target would be cut by masks
    own = dataclasses.replace(config, labels="all", mask_sources="", crops_per_step=0)
    sampler = StepSampler(pool, own)
    rng = np.random.default_rng(config.seed)

    def batch_loss() -> Tensor:
        indices, cuts = sampler.classified(rng)
        batch = make_batch(pool, indices, rng, device, config.clean_share, cuts)
        present = np.array([bool(pool.records[i].has_target) for i in indices], dtype=np.float32)
        target = torch.from_numpy(present).to(device)
        return classification_loss(classifier(batch.strong)[0][:, 0], target)

    shown = np.array([bool(record.has_target) for record in validation.records])

    def score(average: CamClassifier) -> float:
        return roc_auc(slice_logits(average, validation, device), shown)

    return fit(classifier, own, batch_loss, score, stopped)
