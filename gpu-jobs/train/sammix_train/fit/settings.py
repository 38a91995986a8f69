"""How a trained bundle is fitted to few labels; docs/train.md has what was measured."""

import dataclasses
import re

import numpy as np
import torch

from ..config import TrainConfig
from ..data.sampling import StepSampler
from ..data.slices import SlicePool
from ..evaluate.gate import slice_logits
from ..step.state import Origin, RunState, Stage, new_state, start_from

LORA_RANK = 8
ADAPT = "lora+decoder+classifier"
START_LOGIT_STD = 2.0
START_SLICES = 64
VALIDATIONS = 10  # in a schedule of minutes
SHORTEST_S = 60.0  # between two validations
# on top of TrainConfig's own
FEW_LABELS = {
    "lambda_max": 0.0,
    "labelled_per_step": 6,
    "classifier_positives_per_step": 5,
    "negatives_per_step": 5,
    "crops_per_step": 1,
    "clean_share": 0.35,
    "cam_weight": 1.0,
    "learning_rate": 1e-3,
    "warmup_steps": 20,
    "ema_decay": 0.98,
}

# another target: everything learns, and the encoder is told what to look for. With LoRA in the
# encoder a spleen had .851 on the validation side after 240 steps, and .889 so
OTHER_TARGET = {"outline_weight": 0.5}


# without a GPU TinyViT takes seconds a slice: it stays as it is, and what it says of a few views of
# each labelled slice is kept
FROZEN = {"views": 4, "crops_per_step": 0}


def fit_config(
    origin: Origin, target: str, labels: str, device: str, **schedule: float
) -> TrainConfig:
    """The configuration that fits `origin` to `target`.

    Args:
        origin: where the weights start.
        target: name of the label.
        labels: "all" or a count.
        device: "cpu" or "cuda".
        schedule: seed, and minutes or steps.
    """
    adapt, others = _adaptation(origin, target, device)
    rank = LORA_RANK if adapt.startswith("lora") else 0
    shape = {"name": bundle_name(target), "lora_rank": rank}
    minutes = schedule.get("minutes", 0.0)
    every = {"evaluate_every_s": max(SHORTEST_S, 60 * minutes / VALIDATIONS)}
    return TrainConfig(
        **{**FEW_LABELS, **others, **every, **schedule},
        size=origin.size,
        target=target,
        labels=labels,
        adapt=adapt,
        # only minutes may be spent in two threads: their order changes the last bits
        overlap=minutes > 0,
        model=dataclasses.replace(origin.model, **shape),
    )


def _adaptation(origin: Origin, target: str, device: str) -> tuple[str, dict]:
    """What learns, and the settings that come with it."""
    encoder = origin.model.encoder
    if encoder == "tiny_vit" and device == "cpu":
        return "decoder+classifier", FROZEN
    if encoder == "hybrid" and trained_target(origin.stages) != target:
        return "all", OTHER_TARGET
    return ADAPT, {}


def trained_target(stages: tuple[Stage, ...]) -> str:
    """What the last stage learnt; runs from before targets had names learnt the liver."""
    return stages[-1].config.get("target", "liver")


def bundle_name(target: str) -> str:
    """ "left kidney" -> "sammix-left-kidney"."""
    words = re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-")
    return f"sammix-{words or 'target'}"


def begin_fit(config: TrainConfig, origin: Origin, pool: SlicePool, device: str) -> RunState:
    """A new state with the weights of `origin`, ready for what `pool` shows."""
    state = new_state(config, device)
    start_from(state, origin)
    begin_head(state, StepSampler(pool, config))
    return state


@torch.no_grad()
def begin_head(state: RunState, sampler: StepSampler) -> None:
    """Readies the classifier's last layer for what is new to it.

    Another target's evidence is no start, though what it is read from is: the layer becomes zero.
    For the same target its logits are brought to mean 0 and a spread of at most `START_LOGIT_STD`:
    those of a long training reach hundreds, and what it then gets wrong spoils the map within
    a hundred steps. Scaling changes no map, as maps count in shares of their maximum.
    """
    networks = (state.model, state.average)
    if trained_target(state.earlier) != state.config.target:
        for network in networks:
            network.classifier.trunk.fc.weight.zero_()
            network.classifier.trunk.fc.bias.zero_()
        return
    logits = _logits(state, sampler)
    scale = min(1.0, START_LOGIT_STD / max(float(logits.std()), 1e-6))
    for network in networks:
        head = network.classifier.trunk.fc
        head.weight.mul_(scale)
        head.bias.mul_(scale).sub_(scale * float(logits.mean()))


def _logits(state: RunState, sampler: StepSampler) -> torch.Tensor:
    """Of evenly spaced training slices, float32[n]."""
    count = min(START_SLICES, len(sampler.pool))
    chosen = np.linspace(0, len(sampler.pool) - 1, count).round().astype(np.int64)
    device = next(state.average.parameters()).device
    found = slice_logits(state.average.classifier, sampler.pool.subset(chosen), device)
    return torch.from_numpy(found).float()
