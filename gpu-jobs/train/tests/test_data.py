"""Patient split, labelled sets, sampling."""

import csv
from pathlib import Path

import numpy as np
import pytest

import sammix_train.data.slices as data
from sammix_train.config import TrainConfig
from sammix_train.data.sampling import PatientSampler, StepSampler, labelled_indices
from sammix_train.data.slices import LIVER_FREE_RANGES, SlicePool, load_pool, read_split


def test_labelled_sets_are_nested(pool: SlicePool) -> None:
    five = set(labelled_indices(pool, "5", seed=3))
    ten = set(labelled_indices(pool, "10", seed=3))
    assert len(five) == 5
    assert five < ten
    assert five != set(labelled_indices(pool, "5", seed=4))


def test_asking_for_more_labels_than_there_are_fails(pool: SlicePool) -> None:
    with pytest.raises(ValueError, match="asked for 1000 labelled slices of 18"):
        labelled_indices(pool, "1000", seed=0)


def test_few_labels_leave_the_rest_unlabelled(pool: SlicePool) -> None:
    sampler = StepSampler(pool, TrainConfig(labels="5"))
    assert len(sampler.labelled) == 5
    assert not set(sampler.labelled) & set(sampler.unlabelled)
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = sampler.masked(rng)
        liver = [i for i in drawn if pool.records[i].has_liver]
        assert set(liver) <= set(sampler.labelled)


def test_class_batches_hold_both_classes(pool: SlicePool) -> None:
    config = TrainConfig(classifier_positives_per_step=4, negatives_per_step=4)
    drawn = StepSampler(pool, config).classified(np.random.default_rng(0))
    classes = [pool.records[i].has_liver for i in drawn]
    assert classes == [True] * 4 + [False] * 4


def test_patients_are_drawn_evenly_whatever_their_slice_count(pool: SlicePool) -> None:
    uneven = np.concatenate([pool.indices(patient="0"), pool.indices(patient="1")[:1]])
    uneven = np.array([i for i in uneven if pool.records[i].source == "lits"])
    drawn = PatientSampler(pool, uneven, {}).draw(2000, np.random.default_rng(0))
    share = np.mean([pool.records[i].patient == "1" for i in drawn])
    assert share == pytest.approx(0.5, abs=0.05)


def test_no_patient_is_on_two_sides(data_root: Path) -> None:
    split = read_split(data_root)
    for source in ("lits_slices", "volumes_ircad"):
        sides = [set(split[source][side]) for side in ("train", "val", "test")]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]


def test_training_never_opens_a_test_patients_file(
    data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads the training side with readers that only note the path."""
    opened: list[str] = []

    def no_scan(path: Path) -> np.ndarray:
        opened.append(path.name)
        return np.zeros((200, 2, 2), dtype=np.uint8)

    def no_png(path: Path) -> np.ndarray:
        opened.append(path.name)
        return np.zeros((2, 2), dtype=np.uint8)

    monkeypatch.setattr(data, "scan_to_input", no_scan)
    monkeypatch.setattr(data, "label_to_input", no_scan)
    monkeypatch.setattr(data, "read_grey_png", no_png)
    pool = load_pool(data_root, "train")
    split = read_split(data_root)
    kept_out = {f"ircad_{p}_ct.nii.gz" for p in split["volumes_ircad"]["test"]}
    kept_out |= {f"ircad_{p}_ct.nii.gz" for p in split["volumes_ircad"]["val"]}
    assert not kept_out & set(opened)
    assert not [name for name in opened if name.startswith("totalseg")]
    held = {*split["lits_slices"]["test"], *split["lits_slices"]["val"]}
    assert not [name for name in opened if name.split("_")[0] in held]
    used = {r.patient for r in pool.records if r.source == "lits"}
    assert used == set(split["lits_slices"]["train"])


def test_patients_in_both_sources_stay_on_one_side(data_root: Path) -> None:

    split = read_split(data_root)
    side_of = {p: side for side in ("train", "val", "test") for p in split["volumes_ircad"][side]}
    with (data_root / "lits_slices" / "manifest.csv").open() as handle:
        for row in csv.DictReader(handle):
            if row["ircad_patient"]:
                side = side_of[row["ircad_patient"].removeprefix("e")]
                assert row["patient"] in split["lits_slices"][side]


def test_liver_free_ranges_are_half_open_and_ordered() -> None:
    for ranges in LIVER_FREE_RANGES.values():
        flat = [edge for pair in ranges for edge in pair]
        assert flat == sorted(flat)
