"""Labelled sets and what a step draws."""

import numpy as np
import pytest

from sammix_train.config import TrainConfig, parse_shares
from sammix_train.data.augment import augment_geometry
from sammix_train.data.sampling import (
    PatientSampler,
    StepSampler,
    labelled_indices,
    near_target_weights,
)
from sammix_train.data.slices import SlicePool, SliceRecord

from .drawn_data import drawn


def test_labelled_sets_are_nested(pool: SlicePool) -> None:
    five = set(labelled_indices(pool, "5", seed=3))
    ten = set(labelled_indices(pool, "10", seed=3))
    assert len(five) == 5
    assert five < ten
    assert five != set(labelled_indices(pool, "5", seed=4))


def test_too_few_labels_are_refused(pool: SlicePool) -> None:
    with pytest.raises(ValueError, match="asked for 1000 labelled slices of 36"):
        labelled_indices(pool, "1000", seed=0)
    with pytest.raises(ValueError, match="at least 5 labelled slices with the target, found 4"):
        labelled_indices(pool, "4", seed=0)
    few = pool.subset(np.concatenate([pool.indices(has_target=True)[:3], pool.indices()[-9:]]))
    with pytest.raises(ValueError, match="found 3; label more"):
        labelled_indices(few, "all", seed=0)


def test_a_pool_without_negatives_is_refused(pool: SlicePool) -> None:
    positives = pool.subset(pool.indices(has_target=True))
    with pytest.raises(ValueError, match="slices without the target, found none"):
        StepSampler(positives, TrainConfig())


def test_masks_may_be_learnt_from_some_sources_alone(pool: SlicePool) -> None:
    sampler = StepSampler(pool, TrainConfig(labels="10", mask_sources="ircad,unlabelled"))
    sources = {pool.records[i].source for i in sampler.labelled}
    assert (sources, len(sampler.labelled)) == ({"ircad"}, 10)
    assert {pool.records[i].source for i in sampler.unlabelled} == {"ircad", "unlabelled"}
    rng = np.random.default_rng(0)
    classified = [i for _ in range(20) for i in sampler.classified(rng)[0]]
    assert {pool.records[i].source for i in classified} >= {"lits", "ircad", "negative"}


def test_few_labels_leave_the_rest_unlabelled(pool: SlicePool) -> None:
    sampler = StepSampler(pool, TrainConfig(labels="5"))
    assert len(sampler.labelled) == 5
    assert not set(sampler.labelled) & set(sampler.unlabelled)
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = sampler.masked(rng)
        liver = [i for i in drawn if pool.records[i].has_target]
        assert set(liver) <= set(sampler.labelled)


def test_class_batches_hold_both_classes(pool: SlicePool) -> None:
    config = TrainConfig(classifier_positives_per_step=4, negatives_per_step=4, crops_per_step=2)
    sampler = StepSampler(pool, config)
    drawn, cuts = sampler.classified(np.random.default_rng(0))
    classes = [pool.records[i].has_target for i in drawn]
    assert classes == [True] * 4 + [False] * 4 + [True] * 2
    assert cuts == ["plain"] * 4 + ["free"] * 4 + ["beside"] * 2
    assert set(drawn[-2:]) <= set(sampler.labelled)


def test_windows_beside_the_target_show_body_and_not_the_target() -> None:
    image, mask = drawn(3, 0.3)
    images, masks = np.stack([image] * 20), np.stack([mask] * 20)
    rng = np.random.default_rng(1)
    moved, shown = augment_geometry(images, masks, rng, ["beside"] * 20)
    empty = (shown.sum(dim=(1, 2, 3)) == 0).float().mean()
    assert empty > 0.8  # the rest found no window and show what they show
    assert (moved > 0.03).float().mean(dim=(1, 2, 3)).min() > 0.05


def test_patients_are_drawn_evenly_whatever_their_slice_count(pool: SlicePool) -> None:
    uneven = np.concatenate([pool.indices(patient="0"), pool.indices(patient="1")[:1]])
    uneven = np.array([i for i in uneven if pool.records[i].source == "lits"])
    drawn = PatientSampler(pool, uneven, {}).draw(2000, np.random.default_rng(0))
    share = np.mean([pool.records[i].patient == "1" for i in drawn])
    assert share == pytest.approx(0.5, abs=0.05)


def test_sources_are_drawn_by_their_share(pool: SlicePool) -> None:
    shares = parse_shares("lits=3, ircad=1,")
    both = pool.indices(has_target=True)
    drawn = PatientSampler(pool, both, shares).draw(4000, np.random.default_rng(0))
    share = np.mean([pool.records[i].source == "lits" for i in drawn])
    assert share == pytest.approx(0.75, abs=0.03)
    with pytest.raises(ValueError, match="could not convert"):
        TrainConfig(source_shares="lits=much")


def test_negatives_near_the_target_weigh_more() -> None:
    records = [SliceRecord("s", "p", f"c/{k:03d}", k < 2, True, 5.0 * k) for k in range(6)]
    records.append(SliceRecord("s", "p", "other/000", False, True))
    records.append(SliceRecord("s", "p", "c/200", False, True, 1000.0))
    blank = np.zeros((8, 4, 4), dtype=np.uint8)
    pool = SlicePool(blank, blank, tuple(records))
    weights = near_target_weights(pool, [2, 3, 4, 5, 6, 7])
    assert weights[1] == pytest.approx(1 / (1 + 10 / 15))
    assert list(weights[:4]) == sorted(weights[:4], reverse=True)
    assert weights[5] == 0.2  # however far: the pelvis may be all that a scan shows
    assert weights[4] == 1  # a case that never shows the target
