"""Published checkpoints: real key names and shapes, every naming, refusals, and what follows."""

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from segment_anything import sam_model_registry
from torch import Tensor

from sammix_train.config import MODEL_SIZES, TrainConfig
from sammix_train.data.slices import SlicePool
from sammix_train.export.graphs import MAX_PARITY_ERROR, export_graphs
from sammix_train.model.sam.checkpoint import (
    base_record,
    branch_parameters,
    load_sam,
    matched,
    read_checkpoint,
    start_from_sam,
    vit_config,
)
from sammix_train.model.sam.checkpoint_names import (
    CheckpointError,
    hugging_face_to_sam,
    in_sam_naming,
)
from sammix_train.model.sam_mix import SamMix
from sammix_train.step.losses import segmentation_loss
from sammix_train.step.state import new_state

from .reference_sam import TINY, reference_sam

KEYS = Path(__file__).parent / "golden" / "hugging_face_sam_vit_base.json"


def saved(tensors: object, path: Path) -> Path:
    torch.save(tensors, path)
    return path


def hugging_face_names() -> dict[str, list[int]]:
    """Key -> shape of `SamModel(SamConfig())`, as golden/hugging_face_keys.py wrote them."""
    return json.loads(KEYS.read_text())


def to_hugging_face(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names a state dict as Hugging Face does, by looking its keys up among the real ones."""
    real = {hugging_face_to_sam(key): key for key in named_keys()}
    return {real[key]: value for key, value in state.items()}


def named_keys() -> list[str]:
    return [k for k in hugging_face_names() if not k.startswith("shared_image_embedding")]


def on_meta(size: str) -> dict[str, Tensor]:
    """Keys and shapes that the reference package's own builder gives."""
    with torch.device("meta"):
        return sam_model_registry[size]().state_dict()


@pytest.mark.parametrize(
    ("size", "image_size"), [("vit_b", 1024), ("vit_b", 512), ("vit_l", 512), ("vit_h", 256)]
)
def test_real_layout_fits_without_gaps(size: str, image_size: int) -> None:
    state = on_meta(size)
    config = vit_config(state, image_size)
    with torch.device("meta"):
        model = SamMix(config)
    found, report = matched(branch_parameters(model), state, "sam")
    assert report.missing == ()
    assert report.unexpected == ()
    assert report.mismatched == ()
    assert report.loaded == len(found) == len(state)
    changed = {key for key, _, _ in report.resized}
    if image_size == 1024:
        assert not changed
    else:
        tables = {
            f"image_encoder.blocks.{i}.attn.rel_pos_{axis}"
            for i in config.global_blocks
            for axis in "hw"
        }
        assert changed == {"image_encoder.pos_embed"} | tables
    for key, own in branch_parameters(model).items():
        assert found[key].shape == own.shape, key


def test_vit_b_is_the_configured_size() -> None:
    state = on_meta("vit_b")
    assert vit_config(state, 512) == MODEL_SIZES["vit_b"]
    # the count that MedSAM's script prints for SAM ViT-B
    count = sum(v.numel() for k, v in state.items() if "gaussian_matrix" not in k)
    assert count == 93_735_472


def test_trainable_share_of_vit_b() -> None:
    with torch.device("meta"):
        model = SamMix(MODEL_SIZES["vit_b"])

    def trainable(module: torch.nn.Module) -> int:
        return sum(p.numel() for p in module.parameters() if p.requires_grad)

    assert trainable(model.encoder) == 12 * 2 * (768 * 8 + 8 * 768) == 294_912
    assert trainable(model.decoder.prompt_encoder) == 6_220
    assert trainable(model.decoder.mask_decoder) == 4_058_340


def test_vit_h_is_read_off_its_shapes() -> None:
    config = vit_config(on_meta("vit_h"), 1024)
    assert (config.vit_dim, config.vit_depth, config.vit_heads) == (1280, 32, 16)
    assert config.global_blocks == (7, 15, 23, 31)


def test_hugging_face_keys_become_sams() -> None:
    expected = {key: list(value.shape) for key, value in on_meta("vit_b").items()}
    renamed, naming = in_sam_naming(
        {k: torch.empty(shape, device="meta") for k, shape in hugging_face_names().items()}, "x"
    )
    assert naming == "hugging-face"
    assert {key: list(value.shape) for key, value in renamed.items()} == expected


@pytest.fixture(scope="module")
def tiny_sam() -> torch.nn.Module:
    return reference_sam(256)


def wrapped(naming: str, state: dict[str, Tensor], folder: Path) -> Path:
    """The same weights as each publisher stores them."""
    if naming == "safetensors":
        from safetensors.torch import save_file

        path = folder / "model.safetensors"
        save_file({k: v.contiguous() for k, v in to_hugging_face(state).items()}, path)
        return path
    if naming == "medsam":
        under_module = {f"module.{key}": value for key, value in state.items()}
        return saved({"model": under_module, "epoch": 3}, folder / "medsam.pth")
    return saved(state, folder / "sam.pth")


@pytest.mark.parametrize("naming", ["sam", "safetensors", "medsam"])
def test_loaded_model_equals_the_reference(
    naming: str, tiny_sam: torch.nn.Module, tmp_path: Path
) -> None:
    path = wrapped(naming, tiny_sam.state_dict(), tmp_path)
    model = SamMix(TINY).eval()
    report = load_sam(model, path)
    assert report.resized == report.missing == report.unexpected == ()
    x = torch.randn(1, 3, 256, 256)
    box, mask = torch.tensor([[10.0, 20, 200, 180]]), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        sparse, dense = tiny_sam.prompt_encoder(points=None, boxes=box, masks=mask)
        embedding = tiny_sam.image_encoder(x)
        expected = tiny_sam.mask_decoder(
            embedding, tiny_sam.prompt_encoder.get_dense_pe(), sparse, dense, True
        )
        ours = model.encoder.image_encoder(x)
        prompts = model.decoder.prompt_encoder
        found = model.decoder.mask_decoder(
            ours, prompts.dense_pe(), prompts.embed_boxes(box), prompts.embed_masks(mask)
        )
    assert torch.allclose(ours, embedding, atol=1e-4, rtol=1e-4)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-3, rtol=1e-3)


def test_unit_input_undoes_the_normalisation(tiny_sam: torch.nn.Module, tmp_path: Path) -> None:
    path = saved(tiny_sam.state_dict(), tmp_path / "medsam_vit_b.pth")
    model = SamMix(TINY).eval()
    load_sam(model, path, input_range="unit")
    image = torch.rand(1, 1, 256, 256)
    with torch.no_grad():
        expected = tiny_sam.image_encoder(image.expand(-1, 3, -1, -1))
        assert torch.allclose(model.encoder(image)[0], expected, atol=2e-4, rtol=1e-4)


def test_another_image_size_resizes_positions_only(tmp_path: Path) -> None:
    sam = reference_sam(512)
    path = saved(sam.state_dict(), tmp_path / "sam.pth")
    model = SamMix(TINY)
    report = load_sam(model, path)
    assert {(key, b) for key, _, b in report.resized} == {
        ("image_encoder.pos_embed", (1, 16, 16, 64)),
        ("image_encoder.blocks.1.attn.rel_pos_h", (31, 32)),
        ("image_encoder.blocks.1.attn.rel_pos_w", (31, 32)),
    }
    assert any("resized image_encoder.pos_embed: [1, 32, 32, 64]" in x for x in report.lines())
    # bilinear halving of a table without antialiasing is the mean of each 2 x 2 cell
    own = model.encoder.image_encoder.pos_embed
    cell = sam.image_encoder.pos_embed.reshape(1, 16, 2, 16, 2, 64).mean(dim=(2, 4))
    assert torch.allclose(own, cell, atol=1e-6)


def test_missing_key_fails_and_copies_nothing(tiny_sam: torch.nn.Module, tmp_path: Path) -> None:
    state = dict(tiny_sam.state_dict())
    del state["mask_decoder.iou_token.weight"]
    path = saved(state, tmp_path / "cut.pth")
    model = SamMix(TINY)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(CheckpointError, match=r"missing mask_decoder\.iou_token\.weight"):
        load_sam(model, path)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_unexpected_keys_are_reported(tiny_sam: torch.nn.Module, tmp_path: Path) -> None:
    state = {**tiny_sam.state_dict(), "mask_decoder.extra": torch.zeros(1)}
    report = load_sam(SamMix(TINY), saved(state, tmp_path / "more.pth"))
    assert report.unexpected == ("mask_decoder.extra",)


def test_other_widths_fail_by_shape(tmp_path: Path, tiny_sam: torch.nn.Module) -> None:
    path = saved(tiny_sam.state_dict(), tmp_path / "sam.pth")
    wider = SamMix(dataclasses.replace(TINY, vit_dim=96, vit_heads=3))
    with pytest.raises(CheckpointError, match=r"other shape image_encoder\.patch_embed"):
        load_sam(wider, path)
    with pytest.raises(CheckpointError, match="hybrid"):
        load_sam(SamMix(MODEL_SIZES["tiny"]), path)


@pytest.mark.parametrize(
    ("key", "model"),
    [
        ("image_encoder.blocks.0.Adapter.channel.0.weight", "SAM-Med2D"),
        ("image_encoder.patch_embed.seq.0.c.weight", "MobileSAM or TinySAM"),
        ("prompt_encoder.invalid_points.weight", "EfficientSAM"),
        ("image_encoder.features.3.token_mixer.0.conv.c.weight", "EdgeSAM"),
        ("mask_decoder.hf_token.weight", "SAM-HQ"),
        ("sam_mask_decoder.iou_token.weight", "SAM 2"),
        ("conv1.weight", "no image encoder"),
    ],
)
def test_other_models_are_refused_by_name(key: str, model: str, tmp_path: Path) -> None:
    state = {} if model == "no image encoder" else {"image_encoder.pos_embed": torch.zeros(1)}
    path = saved({"model": {**state, key: torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=model):
        read_checkpoint(path)


def test_pickled_modules_are_not_unpickled(tmp_path: Path) -> None:
    path = saved(torch.nn.Linear(2, 2), tmp_path / "SlimSAM-77.pth")
    with pytest.raises(CheckpointError, match="SlimSAM"):
        read_checkpoint(path)


def test_base_record_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sam_vit_b_01ec64.pth"
    path.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    expected = {"checkpoint": path.name, "sha256": digest, "licence": "Apache-2.0"}
    assert base_record(path) == expected


def test_lora_lowers_the_loss_and_the_graphs_keep_parity(
    tiny_sam: torch.nn.Module, tmp_path: Path, pool: SlicePool
) -> None:
    config = TrainConfig(size="vit_b", model=dataclasses.replace(TINY, image_size=128))
    state = new_state(config, "cpu")
    start_from_sam(state, saved(tiny_sam.state_dict(), tmp_path / "sam.pth"))
    model = state.model
    averaged = state.average.state_dict()
    assert all(torch.equal(value, averaged[key]) for key, value in model.state_dict().items())
    frozen = {
        key: value.clone()
        for key, value in model.encoder.named_parameters()
        if not value.requires_grad
    }
    image = torch.from_numpy(pool.images[:2].astype(np.float32) / 255)[:, None]
    mask = torch.from_numpy(pool.masks[:2].astype(np.float32))[:, None]
    box = torch.tensor([[20.0, 60, 130, 190]]).expand(2, -1)
    optimiser = state.optimiser

    def loss() -> Tensor:
        return segmentation_loss(*model.segment(image, mask, box), mask, "bce", 0.25)

    first = loss()
    for _ in range(3):
        optimiser.zero_grad()
        current = loss()
        current.backward()
        optimiser.step()
    with torch.no_grad():
        assert float(loss()) < float(first)
    parameters = dict(model.encoder.named_parameters())
    assert all(torch.equal(parameters[key], value) for key, value in frozen.items())
    assert parameters["image_encoder.blocks.0.attn.qkv.b_q.weight"].count_nonzero() > 0
    errors = export_graphs(model, tmp_path / "bundle")
    assert set(errors) == {"classifier", "encoder", "decoder"}
    assert max(errors.values()) < MAX_PARITY_ERROR
