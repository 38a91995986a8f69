"""`fit`: from labels to a bundle in one command, followed line by line, and gone on with."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator

from sammix_train.command_line import main
from sammix_train.config import MODEL_SIZES
from sammix_train.data.sampling import StepSampler
from sammix_train.export.checkpoint import read_bundle
from sammix_train.fit.settings import ADAPT, START_LOGIT_STD, begin_head, bundle_name, fit_config
from sammix_train.model.cam import cam_prompts
from sammix_train.step.state import RunState, Stage, new_state, start_from

from .conftest import LICENCES, drawn_pool, tiny_bundle, tiny_model
from .drawn_data import write_data_folder

SCHEMA = Path(__file__).parent / "training-events.schema.json"
VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text()))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle of the liver, with the logits of a long training."""
    folder = tmp_path_factory.mktemp("start")
    model = tiny_model(seed=3)
    with torch.no_grad():
        model.classifier.trunk.fc.weight.mul_(500)
    return tiny_bundle(model, folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn data set, whose organ is called spleen."""
    root = write_data_folder(tmp_path_factory.mktemp("data"))
    described = json.loads((root / "dataset.json").read_text())
    described["labels"] = {"background": 0, "spleen": 1, "ignore": 2}
    (root / "dataset.json").write_text(json.dumps(described))
    return root


def arguments(start: Path, data: Path, out: Path, **options: object) -> list[str]:
    given = {
        "data": data,
        "target": "spleen",
        "labels": "12",
        "start-from": start,
        "run": out / "training",
        "out": out,
        "steps": 2,
        "device": "cpu",
        **options,
    }
    return ["fit", *(word for name, value in given.items() for word in (f"--{name}", str(value)))]


def events(text: str) -> list[dict]:
    """The lines, each held to the contract."""
    found = [json.loads(line) for line in text.splitlines()]
    for event in found:
        VALIDATOR.validate(event)
    return found


def test_ends_in_a_bundle_of_the_target(
    start: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    main(arguments(start, data, tmp_path))
    said = events(capsys.readouterr().out)
    assert [event["kind"] for event in said] == ["data", "validation", "exporting", "done"]
    facts = said[0]
    assert (facts["labelledSlices"], facts["trainingPatients"]) == (12, 20)
    assert facts["validationPatients"] == 3
    origin = read_bundle(tmp_path)
    assert [stage.steps for stage in origin.stages] == [40, 2]
    assert origin.licences[0] == LICENCES[0]
    manifest = json.loads((tmp_path / "bundle.json").read_text())
    assert manifest["name"] == "sammix-spleen"
    assert manifest["target"] == {"name": "spleen", "labelValue": 1}
    assert manifest["metrics"]
    assert "Spleen segmentation" in (tmp_path / "MODEL_CARD.md").read_text()
    # of the encoder too: what a liver model sees is not enough for another organ
    changed = changed_weights(start, tmp_path)
    for part in ("encoder.image_encoder.stage2", "decoder.", "classifier.trunk.layer1"):
        assert any(name.startswith(part) for name in changed), part


def changed_weights(start: Path, out: Path) -> set[str]:
    before, after = read_bundle(start).weights, read_bundle(out).weights
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def test_of_the_same_target_the_encoder_learns_by_lora_alone(start: Path, tmp_path: Path) -> None:
    data = write_data_folder(tmp_path / "data")
    main(arguments(start, data, tmp_path / "out", target="liver"))
    changed = changed_weights(start, tmp_path / "out")
    # LoRA is merged into q and v; nothing else of the encoder learns
    assert {name for name in changed if name.startswith("encoder.")} == {
        "encoder.image_encoder.blocks.0.attn.qkv.weight"
    }
    assert any(name.startswith("decoder.") for name in changed)
    assert any(name.startswith("classifier.trunk.layer1") for name in changed)


def test_a_bundle_from_before_targets_had_names_is_of_the_liver(start: Path) -> None:
    origin = read_bundle(start)
    config = {k: v for k, v in origin.stages[-1].config.items() if k != "target"}
    old = dataclasses.replace(origin, stages=(Stage(config, 40, 60.0),))
    assert fit_config(old, "liver", "all", "cpu", steps=10).adapt == ADAPT
    assert fit_config(old, "spleen", "all", "cpu", steps=10).adapt == "all"


def test_an_encoder_too_slow_for_a_cpu_stays_as_it_is_there(start: Path) -> None:
    lite = dataclasses.replace(read_bundle(start), model=MODEL_SIZES["lite_medsam"])
    on_cpu = fit_config(lite, "spleen", "50", "cpu", steps=10)
    assert (on_cpu.adapt, on_cpu.model.lora_rank, on_cpu.views) == ("decoder+classifier", 0, 4)
    on_gpu = fit_config(lite, "spleen", "50", "cuda", steps=10)
    assert (on_gpu.adapt, on_gpu.model.lora_rank, on_gpu.views) == (ADAPT, 8, 0)


def test_goes_on_where_it_was_when_nobody_listens_any_more(
    start: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    call = arguments(start, data, tmp_path, steps=41)
    command = [sys.executable, "-m", "sammix_train", *call]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert json.loads(process.stdout.readline())["kind"] == "data"
        process.stdout.close()
        problems = process.stderr.read().decode()
    assert process.returncode == 143, problems
    assert not (tmp_path / "bundle.json").exists()
    main(call)
    said = events(capsys.readouterr().out)
    # it noticed at the next line that it had to say
    assert 0 < said[0]["step"] < 41
    assert said[-1] == {**said[-1], "kind": "done", "steps": 41}


def test_other_labels_are_another_training(
    start: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    own = shutil.copytree(data, tmp_path / "data")
    call = arguments(start, own, tmp_path / "out", labels="all")
    main(call)
    for folder in ("imagesTr/s003_0000.nii.gz", "labelsTr/s003.nii.gz"):
        (own / folder).unlink()
    split = json.loads((own / "splits_final.json").read_text())
    split[0]["train"].remove("s003")
    (own / "splits_final.json").write_text(json.dumps(split))
    capsys.readouterr()
    with pytest.raises(SystemExit, match="3"):
        main(call)
    (refused,) = events(capsys.readouterr().out)
    assert "found others; train into another folder" in refused["reason"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"target": "pancreas"}, "expected the label 'pancreas', found spleen"),
        ({"labels": "500"}, "asked for 500 labelled slices of"),
        ({"start-from": "nowhere"}, "expected a bundle, found no bundle.json"),
    ],
)
def test_says_why_it_does_not_train(
    options: dict,
    reason: str,
    start: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    with pytest.raises(SystemExit, match="3"):
        main(arguments(start, data, tmp_path, **options))
    (refused,) = events(capsys.readouterr().out)
    assert reason in refused["reason"]


def test_a_side_that_validates_nothing_is_refused(
    start: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    own = shutil.copytree(data, tmp_path / "data")
    split = json.loads((own / "splits_final.json").read_text())
    (own / "splits_final.json").write_text(json.dumps([{**split[0], "val": ["blank"]}]))
    for folder, copy in (("images", "blank_0000"), ("labels", "blank")):
        source = own / f"{folder}Tr" / copy.replace("blank", "s018")
        shutil.copy(f"{source}.nii.gz", own / f"{folder}Tr" / f"{copy}.nii.gz")
    import nibabel as nib

    path = own / "labelsTr" / "blank.nii.gz"
    label = nib.load(path)
    nib.save(nib.Nifti1Image(np.zeros(label.shape, np.uint8), label.affine), path)
    with pytest.raises(SystemExit, match="3"):
        main(arguments(start, own, tmp_path / "out"))
    (refused,) = events(capsys.readouterr().out)
    assert "labelled slices with spleen of the patients that validate" in refused["reason"]


def begun(start: Path, target: str) -> tuple[RunState, RunState, StepSampler]:
    """A state before and after its head was made ready."""
    origin = read_bundle(start)
    config = fit_config(origin, target, "all", "cpu", steps=10)
    states = [new_state(config, "cpu") for _ in range(2)]
    for state in states:
        start_from(state, origin)
    sampler = StepSampler(drawn_pool(), config)
    begin_head(states[1], sampler)
    return *states, sampler


def test_the_same_target_keeps_its_map_and_loses_its_loudness(start: Path) -> None:
    before, after, sampler = begun(start, "liver")
    images = torch.from_numpy(sampler.pool.images[:12]).float()[:, None] / 255
    loud, cam = before.average.eval().classifier(images)
    quiet, same = after.model.eval().classifier(images)
    assert loud.abs().mean() > 100
    assert quiet.abs().mean() < 2 * START_LOGIT_STD
    assert torch.equal(torch.argsort(loud[:, 0]), torch.argsort(quiet[:, 0]))
    for one, other in zip(cam_prompts(cam), cam_prompts(same), strict=True):
        assert np.array_equal(one.mask, other.mask)


def test_another_target_begins_without_evidence(start: Path) -> None:
    _, after, sampler = begun(start, "left kidney")
    images = torch.from_numpy(sampler.pool.images[:4]).float()[:, None] / 255
    for network in (after.model, after.average):
        logit, cam = network.eval().classifier(images)
        assert not logit.any()
        assert not cam.any()


def test_a_target_names_its_bundle() -> None:
    assert bundle_name("left kidney") == "sammix-left-kidney"
    assert bundle_name("Liver+Tumour") == "sammix-liver-tumour"
    assert bundle_name("肝") == "sammix-target"
