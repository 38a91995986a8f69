"""Bundles: graphs equal PyTorch, the manifest is complete, golden tensors replay."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from sammix_train.config import MODEL_SIZES, TrainConfig, config_to_dict
from sammix_train.evaluate.slices import predict_slices
from sammix_train.export.bundle import BundleContents, Training, write_bundle
from sammix_train.export.bundle_model import BundleModel
from sammix_train.export.graphs import export_graphs
from sammix_train.export.quantize import quantize_bundle
from sammix_train.model.cam import cam_prompts, prompts_to_tensors
from sammix_train.model.sam_mix import SamMix
from sammix_train.step.state import Stage

from .conftest import drawn_pool, tiny_model, tiny_vit_config

BASE = {"checkpoint": "sam.pth", "sha256": "0" * 64, "licence": "Apache-2.0"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[SamMix, Path, dict]:
    model, folder = tiny_model(), tmp_path_factory.mktemp("bundle")
    config = TrainConfig(size="tiny", model=MODEL_SIZES["tiny"])
    training = Training((Stage(config_to_dict(config), 40, 60.0),), base=BASE)
    errors = write_bundle(model, BundleContents(0.4, training, model_card="# x\n"), folder)
    return model, folder, errors


def test_graphs_equal_pytorch(bundle: tuple) -> None:
    _, _, errors = bundle
    assert set(errors) == {"classifier", "encoder", "decoder"}
    assert max(errors.values()) < 1e-4


def test_vit_model_exports(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = tiny_vit_config(image_size=128, cam_grid=8, global_blocks=(1,), lora_rank=2)
    errors = export_graphs(SamMix(config), tmp_path)
    assert max(errors.values()) < 1e-4


def test_manifest_names_every_file(bundle: tuple) -> None:
    _, folder, _ = bundle
    manifest = json.loads((folder / "bundle.json").read_text())
    assert manifest["base"] == BASE
    listed = {entry["path"]: entry for entry in manifest["files"]}
    assert set(listed) == {p.name for p in folder.iterdir()} - {"bundle.json"}
    for name, entry in listed.items():
        content = (folder / name).read_bytes()
        assert entry["bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_declared_shapes_are_the_files_shapes(bundle: tuple) -> None:
    _, folder, _ = bundle
    manifest = json.loads((folder / "bundle.json").read_text())
    for name in ("classifier", "encoder", "decoder"):
        graph = manifest[name]["graph"]
        found = onnx.load(folder / graph["file"]).graph
        assert onnx.load(folder / graph["file"]).opset_import[0].version == 17
        for declared, values in ((graph["inputs"], found.input), (graph["outputs"], found.output)):
            shapes = {
                v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
                for v in values
            }
            assert {t["name"]: t["shape"] for t in declared} == shapes


def test_encoder_outputs_feed_the_decoder(bundle: tuple) -> None:
    _, folder, _ = bundle
    manifest = json.loads((folder / "bundle.json").read_text())
    outputs = manifest["encoder"]["graph"]["outputs"]
    inputs = manifest["decoder"]["graph"]["inputs"]
    assert inputs[: len(outputs)] == outputs
    assert [t["name"] for t in inputs[len(outputs) :]] == ["cam_mask", "box"]


def test_bundle_predicts_what_the_model_predicts(bundle: tuple) -> None:
    model, folder, _ = bundle
    images = drawn_pool(patients=2, per_patient=2).images
    ours, theirs = predict_slices(model, images), predict_slices(BundleModel(folder), images)
    assert np.allclose(ours.probability, theirs.probability, atol=1e-5)
    same = [
        np.array_equal(a.mask, b.mask) for a, b in zip(ours.prompts, theirs.prompts, strict=True)
    ]
    assert np.allclose(ours.logits[same], theirs.logits[same], atol=1e-3)
    assert np.mean(same) > 0.8  # a pixel on the threshold may fall either way


def test_batches_equal_single_slices(bundle: tuple) -> None:
    model, _, _ = bundle
    images = drawn_pool(patients=2, per_patient=1).images[:3]
    together = predict_slices(model, images, batch=3)
    for i in range(3):
        alone = predict_slices(model, images[[i]])
        assert np.allclose(alone.logits[0], together.logits[i], atol=1e-4)


def read_golden(folder: Path) -> list[dict]:
    description = json.loads((folder / "golden.json").read_text())
    data = (folder / description["data"]).read_bytes()
    cases = []
    for case in description["cases"]:
        tensors = {}
        for t in case["tensors"]:
            count = int(np.prod(t["shape"]))
            tensor = np.frombuffer(data, t["dtype"], count, t["byteOffset"])
            tensors[t["name"]] = torch.from_numpy(tensor.reshape(t["shape"]).copy())
        cases.append({**case, "tensors": tensors})
    return cases


def test_golden_cases_replay(bundle: tuple) -> None:
    _, folder, _ = bundle
    runtime = BundleModel(folder)
    cases = read_golden(folder)
    assert [case["name"] for case in cases] == ["large-liver", "small-liver", "empty-cam"]
    assert cases[-1]["camEmpty"]
    for case in cases:
        t = case["tensors"]
        logit, cam = runtime.classifier(t["image"])
        assert torch.allclose(logit, t["logit"], atol=1e-4)
        if case["camSource"] == "classifier":
            assert torch.allclose(cam, t["cam"], atol=1e-4)
        mask, box = prompts_to_tensors(cam_prompts(t["cam"]))
        assert torch.equal(mask.to(torch.uint8), t["cam_mask"])
        assert torch.equal(box, t["box"])
        masks, scores = runtime.segment(t["image"], mask, box)
        assert int(scores.argmax()) == case["selected"]
        assert torch.allclose(masks[:, [case["selected"]]], t["mask_logits"], atol=1e-3)


def test_tiny_bundle_is_small(bundle: tuple) -> None:
    _, folder, _ = bundle
    graphs = sum(path.stat().st_size for path in folder.glob("*.onnx"))
    assert graphs < 1.2e6


def test_int8_variant_runs_and_stays_close(bundle: tuple, tmp_path: Path) -> None:
    _, folder, _ = bundle
    images = drawn_pool(patients=2, per_patient=1).images[:4]
    quantize_bundle(folder, tmp_path / "int8", images / np.float32(255))
    manifest = json.loads((tmp_path / "int8" / "bundle.json").read_text())
    assert manifest["onnx"]["precision"] == "int8"
    before = predict_slices(BundleModel(folder), images)
    after = predict_slices(BundleModel(tmp_path / "int8"), images)
    assert np.array_equal(before.probability, after.probability)
    assert ((before.logits > 0) == (after.logits > 0)).mean() > 0.9
