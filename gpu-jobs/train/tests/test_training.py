"""The loop: determinism, resume, few labels, teacher, learning at all."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sammix_train.config import (
    MODEL_SIZES,
    TrainConfig,
    config_from_dict,
    config_sha256,
    config_to_dict,
)
from sammix_train.data.sampling import StepSampler, small_target_weights
from sammix_train.data.slices import SlicePool
from sammix_train.evaluate.slices import predict_slices, slice_scores
from sammix_train.model.sam_mix import SamMix
from sammix_train.step.loop import clip_gradients, learning_rate_factor, optimise_once, train
from sammix_train.step.pipeline import StepPipeline
from sammix_train.step.state import load_state, new_state, parameter_groups, save_state
from sammix_train.step.teacher import averaged_copy, pseudo_labels, update_average
from sammix_train.step.training_step import (
    classifier_backward,
    make_batch,
    mask_backward,
    prepare_step,
)

CONFIG = TrainConfig(
    size="tiny",
    model=MODEL_SIZES["tiny"],
    steps=6,
    labelled_per_step=3,
    classifier_positives_per_step=2,
    negatives_per_step=2,
    unlabelled_per_step=2,
    unlabelled_start=0.0,
    warmup_steps=2,
)


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def run_steps(pool: SlicePool, config: TrainConfig, steps: int) -> torch.Tensor:
    state = new_state(config, "cpu")
    pipeline = StepPipeline(state, StepSampler(pool, config), "cpu")
    for _ in range(steps):
        optimise_once(state, pipeline)
    return weights(state.model)


def test_same_seed_same_weights(pool: SlicePool) -> None:
    first, second = run_steps(pool, CONFIG, 2), run_steps(pool, CONFIG, 2)
    assert torch.equal(first, second)
    other = run_steps(pool, dataclasses.replace(CONFIG, seed=1), 2)
    assert not torch.equal(first, other)


def test_resumed_run_equals_an_uninterrupted_one(pool: SlicePool, tmp_path: Path) -> None:
    whole = run_steps(pool, CONFIG, 4)
    state = new_state(CONFIG, "cpu")
    pipeline = StepPipeline(state, StepSampler(pool, CONFIG), "cpu")
    for _ in range(2):
        optimise_once(state, pipeline)
    save_state(state, tmp_path / "last.pt")
    resumed = load_state(tmp_path / "last.pt", "cpu")
    assert resumed.step == 2
    pipeline = StepPipeline(resumed, StepSampler(pool, CONFIG), "cpu")
    for _ in range(2):
        optimise_once(resumed, pipeline)
    assert torch.equal(weights(resumed.model), whole)


def test_overlapped_steps_train_the_same_parameters(pool: SlicePool) -> None:
    config = dataclasses.replace(CONFIG, overlap=True)
    state = new_state(config, "cpu")
    before = weights(state.model)
    pipeline = StepPipeline(state, StepSampler(pool, config), "cpu")
    parts = [optimise_once(state, pipeline) for _ in range(2)]
    assert all(np.isfinite(list(p.values())).all() for p in parts)
    assert not torch.equal(weights(state.model), before)


def test_shared_masks_add_up_to_one_step(pool: SlicePool) -> None:
    config = dataclasses.replace(CONFIG, ramp_fraction=0.01, outline_weight=0.5)
    state = new_state(config, "cpu")
    sampler = StepSampler(pool, config)
    inputs = prepare_step(state.average, sampler, 0.5, np.random.default_rng(0), "cpu")
    model = state.model.eval()  # batch norm would see other slices in each share

    def gradients() -> torch.Tensor:
        found = [p.grad.flatten() for p in model.encoder.parameters() if p.grad is not None]
        model.zero_grad(set_to_none=True)
        return torch.cat(found)

    whole = mask_backward(model, inputs, config)
    expected = gradients()
    first = mask_backward(model, inputs, config, last=1)
    rest = mask_backward(model, inputs, config, first=1)
    assert "unlabelled" not in first
    assert "unlabelled" in rest
    assert first["seg"] + rest["seg"] == pytest.approx(whole["seg"], rel=1e-5)
    torch.testing.assert_close(gradients(), expected, rtol=1e-4, atol=1e-6)


def test_outline_loss_reaches_the_encoder_and_not_the_decoder(pool: SlicePool) -> None:
    gradients = []
    for weight in (0.0, 0.5):
        config = dataclasses.replace(CONFIG, outline_weight=weight)
        state = new_state(config, "cpu")
        sampler = StepSampler(pool, config)
        inputs = prepare_step(state.average, sampler, 0.5, np.random.default_rng(0), "cpu")
        mask_backward(state.model, inputs, config)
        grads = {name: p.grad for name, p in state.model.named_parameters() if p.grad is not None}
        gradients.append(grads)
    without, with_it = gradients
    assert set(with_it) - set(without) == {"outline.weight", "outline.bias"}
    finest = "encoder.image_encoder.down2.mix.conv2.weight"
    assert not torch.allclose(without[finest], with_it[finest])
    decoder = "decoder.mask_decoder.mask_tokens.weight"
    torch.testing.assert_close(without[decoder], with_it[decoder])


def test_gradients_are_clipped_per_network(pool: SlicePool) -> None:
    state = new_state(CONFIG, "cpu")
    sampler = StepSampler(pool, CONFIG)
    inputs = prepare_step(state.average, sampler, 0.1, np.random.default_rng(0), "cpu")
    classifier_backward(state.model, inputs, sampler)
    mask_backward(state.model, inputs, CONFIG)
    for parameter in state.model.classifier.parameters():
        parameter.grad *= 1e6
    masks = state.model.encoder.image_encoder.smooth[0].weight
    before = masks.grad.clone()
    norms = clip_gradients(state.model, 1e3)
    assert norms["grad_norm_classifier"] > 1e3 > norms["grad_norm_masks"]
    assert torch.equal(masks.grad, before)
    squares = (float((p.grad**2).sum()) for p in state.model.classifier.parameters())
    assert sum(squares) ** 0.5 == pytest.approx(1e3, rel=1e-3)


def test_bfloat16_steps_point_the_same_way(pool: SlicePool) -> None:
    found = []
    for bfloat16 in (False, True):
        config = dataclasses.replace(CONFIG, bfloat16=bfloat16)
        state = new_state(config, "cpu")
        sampler = StepSampler(pool, config)
        inputs = prepare_step(state.average, sampler, 0.1, np.random.default_rng(0), "cpu")
        mask_backward(state.model, inputs, config)
        classifier_backward(state.model, inputs, sampler)
        grads = (p.grad for p in state.model.parameters() if p.grad is not None)
        found.append(torch.cat([grad.flatten() for grad in grads]))
    full, half = found
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    assert torch.cosine_similarity(full, half, dim=0) > 0.98


def test_clean_share_keeps_grey_values(pool: SlicePool) -> None:
    kept = []
    for share in (0.0, 0.5, 1.0):
        rng = np.random.default_rng(0)
        batch = make_batch(pool, np.arange(6), rng, "cpu", share)
        same = [torch.equal(a, b) for a, b in zip(batch.weak, batch.strong, strict=True)]
        kept.append(sum(same))
    assert kept[0] == 0
    assert 0 < kept[1] < 6
    assert kept[2] == 6


def test_full_run_writes_its_record_and_checkpoints(pool: SlicePool, tmp_path: Path) -> None:
    state = train(new_state(CONFIG, "cpu"), pool, pool, tmp_path, "cpu")
    assert state.step == CONFIG.steps
    names = {path.name for path in tmp_path.iterdir()}
    assert {"run.json", "log.jsonl", "last.pt", "best.pt"} <= names
    assert '"labelledIds"' in (tmp_path / "run.json").read_text()
    assert '"kind": "validation"' in (tmp_path / "log.jsonl").read_text()


def test_learns_drawn_slices(pool: SlicePool) -> None:
    # a slice without liver has a Dice loss of its own, comes at random, and would decide the test
    config = dataclasses.replace(CONFIG, steps=70, learning_rate=3e-3, empty_chance=0.0)
    config = dataclasses.replace(config, lambda_max=0.0, ema_decay=0.9)
    state = new_state(config, "cpu")
    pipeline = StepPipeline(state, StepSampler(pool, config), "cpu")
    losses = []
    while state.progress < 1:
        losses.append(optimise_once(state, pipeline)["seg"])
    assert np.mean(losses[-5:]) < 0.2 * np.mean(losses[:5])


def test_unlabelled_masks_are_never_read(pool: SlicePool) -> None:
    """NaN-like garbage in the masks of unlabelled slices must not change a step."""
    config = dataclasses.replace(CONFIG, labels="5", steps=2)
    sampler = StepSampler(pool, config)
    hidden = np.setdiff1d(np.arange(len(pool)), sampler.labelled)
    hidden = np.array([i for i in hidden if pool.records[i].has_target is not False])
    garbage = pool.masks.copy()
    garbage[hidden] = np.random.default_rng(9).integers(0, 2, garbage[hidden].shape)
    spoilt = SlicePool(pool.images, garbage, pool.records)
    assert torch.equal(run_steps(pool, config, 2), run_steps(spoilt, config, 2))


def test_small_livers_are_drawn_more_often(pool: SlicePool) -> None:
    masks = np.zeros_like(pool.masks[:3])
    for i, side in enumerate((2, 16, 64)):
        masks[i, :side, :side] = 1
    few = SlicePool(pool.images[:3], masks, pool.records[:3])
    assert np.allclose(small_target_weights(few, [0, 1, 2], 0.0), 1)
    # areas 4 (counted as 64), 256 and 4096: with x = 1/2 the weights are 1/8, 1/16 and 1/64
    weights = small_target_weights(few, [0, 1, 2], 0.5)
    assert np.allclose(weights / weights[2], [8, 4, 1])


def test_evaluation_survives_poisoned_truth(pool: SlicePool) -> None:
    """Predictions are made from images alone: truth of NaN changes the scores, not the masks."""
    state = new_state(CONFIG, "cpu")
    predictions = predict_slices(state.average, pool.images[:4])
    assert np.isfinite(predictions.logits).all()
    poisoned = np.full(pool.masks[:4].shape, np.nan, dtype=np.float32)
    poisoned[:, 100:120, 100:120] = 1
    scores = slice_scores(predictions, poisoned)
    again = predict_slices(state.average, pool.images[:4])
    assert np.array_equal(predictions.logits, again.logits)
    assert 0 <= scores["dice"] <= 1


def test_teacher_moves_slowly_towards_the_student() -> None:
    student = SamMix(MODEL_SIZES["tiny"])
    teacher = averaged_copy(student)
    start = weights(teacher)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter += 1
    update_average(teacher, student, step=10_000, final_decay=0.99)
    assert torch.allclose(weights(teacher) - start, torch.full_like(start, 0.01), atol=1e-5)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_implausible_pseudo_labels_are_refused() -> None:
    class Everywhere(torch.nn.Module):
        def segment(self, image: torch.Tensor, *_: torch.Tensor) -> tuple:
            logits = torch.full((len(image), 3, 256, 256), 9.0)
            return logits, torch.ones(len(image), 3)

    image = torch.zeros(2, 1, 256, 256)
    mask = torch.ones(2, 1, 256, 256)
    _, confident, usable = pseudo_labels(Everywhere(), image, mask, torch.zeros(2, 4))
    assert confident.all()
    assert not usable.any()  # the whole slice is no liver


def test_learning_rate_warms_up_and_ends_at_zero() -> None:
    factors = [learning_rate_factor(s, s / 100, 10) for s in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[int(np.argmax(factors))] > 0.9
    assert factors[-1] == pytest.approx(0, abs=1e-9)


def test_norms_biases_and_embeddings_are_not_decayed() -> None:
    model = SamMix(MODEL_SIZES["tiny"])
    decayed, plain = parameter_groups(model, 0.01)
    assert decayed["weight_decay"] == 0.01
    assert plain["weight_decay"] == 0
    assert all(p.ndim >= 2 for p in decayed["params"])
    total = len(decayed["params"]) + len(plain["params"])
    assert total == len(list(model.parameters()))


def test_config_survives_json() -> None:
    assert config_from_dict(config_to_dict(CONFIG)) == CONFIG
    assert config_sha256(config_to_dict(CONFIG)) != config_sha256(
        config_to_dict(dataclasses.replace(CONFIG, seed=9))
    )


@pytest.mark.parametrize("bad", [{"size": "huge"}, {"labels": "some"}, {"pixel_loss": "l2"}])
def test_bad_settings_name_the_field(bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        TrainConfig(**bad)
