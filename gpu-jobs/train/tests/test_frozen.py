"""A frozen encoder: embeddings kept by content, fixed views, and training beside it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sammix_train.config import MODEL_SIZES, TrainConfig
from sammix_train.data.sampling import StepSampler
from sammix_train.data.slices import SlicePool, load_training
from sammix_train.frozen.embeddings import EmbeddingStore, keep_embeddings
from sammix_train.frozen.views import fixed_view
from sammix_train.model.sam_mix import SamMix
from sammix_train.step.loop import train
from sammix_train.step.state import new_state

from .conftest import tiny_vit_config
from .drawn_data import write_data_folder

VIT = tiny_vit_config(name="sammix-vit-24", global_blocks=(1,), decoder_mlp=64)
CONFIG = TrainConfig(
    size="vit_b",
    model=VIT,
    labels="5",
    adapt="decoder+classifier",
    views=2,
    unlabelled_slices=4,
    steps=3,
    labelled_per_step=2,
    unlabelled_per_step=1,
    classifier_positives_per_step=2,
    negatives_per_step=2,
    empty_chance=0,
    unlabelled_start=0,
    cam_weight=0,
)


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> tuple[SlicePool, SlicePool]:
    loaded = load_training(write_data_folder(tmp_path_factory.mktemp("data")), "liver", seed=0)
    return loaded.train, loaded.validation


@torch.no_grad()
def test_kept_embeddings_are_those_of_the_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SamMix(VIT).eval().requires_grad_(False)
    grey = np.random.default_rng(0).integers(0, 256, (2, 256, 256), dtype=np.uint8)
    image = torch.from_numpy(grey)[:, None].float() / 255
    wanted = model.encoder(image)[0]
    store = keep_embeddings(model, tmp_path)
    for found in (model.encoder(image)[0], model.encoder(image)[0]):  # computed, then read
        assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-3)
    assert len(list(store.folder.iterdir())) == 2
    # a file is trusted by its name alone, so what is there is not computed again
    np.save(store.path(grey[0]), np.zeros((32, 4, 4), dtype=np.float16))
    assert model.encoder(image)[0][0].abs().max() == 0
    assert model.encoder(image)[0][1].abs().max() > 0


def test_other_weights_have_another_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SamMix(VIT)
    one = EmbeddingStore(tmp_path, model).folder
    assert EmbeddingStore(tmp_path, model).folder == one
    with torch.no_grad():
        next(model.encoder.parameters()).add_(1e-3)
    assert EmbeddingStore(tmp_path, model).folder != one


def test_an_encoder_that_learns_or_has_further_outputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not learn"):
        keep_embeddings(SamMix(VIT), tmp_path)
    with pytest.raises(ValueError, match="hybrid"):
        keep_embeddings(SamMix(MODEL_SIZES["tiny"]).requires_grad_(False), tmp_path)


def test_a_part_that_was_left_behind_is_no_embedding(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, SamMix(VIT))
    image = np.full((256, 256), 9, dtype=np.uint8)
    store.path(image).with_suffix(".1.part").write_bytes(b"half")
    assert store.embedding(image).shape == (32, 4, 4)


def test_views_depend_on_slice_and_number_alone(pools: tuple[SlicePool, SlicePool]) -> None:
    pool, _ = pools
    first, again = fixed_view(pool, 3, 1), fixed_view(pool.subset(np.array([3])), 0, 1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], fixed_view(pool, 3, 2)[1])
    weak, strong, mask = fixed_view(pool, 3, 0)
    assert np.array_equal(weak, pool.images[3])
    assert np.array_equal(strong, pool.images[3])
    assert np.array_equal(mask, pool.masks[3])


def test_training_keeps_the_encoder_and_computes_each_view_once(
    pools: tuple[SlicePool, SlicePool], tmp_path: Path
) -> None:
    """And learns bit for bit the same when everything is there already."""
    weights = []
    for run in ("one", "two"):
        state = new_state(CONFIG, "cpu")
        before = {n: v.clone() for n, v in state.model.encoder.state_dict().items()}
        store = keep_embeddings(state.model, tmp_path / "embeddings", state.average)
        train(state, *pools, tmp_path / run, "cpu")
        for name, value in state.model.encoder.state_dict().items():
            assert torch.equal(value, before[name]), name
        weights.append(state.model.decoder.state_dict())
        kept = len(list(store.folder.iterdir()))
        # five slices in two views, four unlabelled ones weak and strong, and the validation slices
        assert len(pools[1]) < kept <= 5 * 2 + 4 * 2 + len(pools[1])
    assert all(torch.equal(weights[0][n], weights[1][n]) for n in weights[0])
    fresh = new_state(CONFIG, "cpu").model.decoder.state_dict()
    assert any(not torch.equal(weights[0][n], fresh[n]) for n in fresh)


def test_unlabelled_slices_are_the_same_for_every_seed(
    pools: tuple[SlicePool, SlicePool],
) -> None:
    def drawn(seed: int) -> set[int]:
        config = dataclasses.replace(CONFIG, seed=seed, unlabelled_slices=20)
        sampler = StepSampler(pools[0], config)
        assert not set(sampler.unlabelled) & set(sampler.labelled)
        return set(sampler.unlabelled.tolist())

    assert len(drawn(0)) == len(drawn(1)) == 20
    assert len(drawn(0) & drawn(1)) >= 15  # but for those that are labelled under the other seed
