"""Drawn limbs hold what makes a limb: air, fat, muscle and compact bone, and no more than that."""

import numpy as np

from drawn_limbs import drawn_limb


def test_a_limb_is_muscle_and_fat_around_bone_in_air() -> None:
    for seed in range(4):
        limb = drawn_limb(np.random.default_rng(seed), 6)
        assert limb.shape == (6, 256, 256)
        assert limb.dtype == np.int16
        share = {
            "air": (limb < -500).mean(),
            "muscle": ((limb > 0) & (limb < 120)).mean(),
            "bone": (limb > 400).mean(),
        }
        assert share["air"] > 0.4, (seed, share)
        assert 0.001 < share["bone"] < share["air"], (seed, share)
        assert share["muscle"] > 0.003, (seed, share)


def test_a_seed_is_a_patient() -> None:
    one, same, other = (drawn_limb(np.random.default_rng(seed), 2) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
