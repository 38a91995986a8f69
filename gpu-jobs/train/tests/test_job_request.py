"""What a training request must look like."""

import json

import pytest

from sammix_train.job.request import RequestError, parse_request

DATA_PREFIX = "training/data/drawn/"
SMALL_STEPS = {
    "size": "tiny",
    "labels": "5",
    "labelled_per_step": 2,
    "unlabelled_per_step": 1,
    "classifier_positives_per_step": 2,
    "negatives_per_step": 2,
}


def request(run_id: str, **config: object) -> dict:
    """A request for a few small steps."""
    return {
        "schemaVersion": 1,
        "id": run_id,
        "dataPrefix": DATA_PREFIX,
        "config": {**SMALL_STEPS, **config},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schemaVersion": 2}, r"\$.schemaVersion: 1 was expected"),
        ({"id": "other"}, r"\$.id: expected 'x'"),
        ({"dataPrefix": "cases/liver/"}, r"\$.dataPrefix: 'cases/liver/' does not match"),
        ({"dataPrefix": "training/data/../../cases/"}, r"\$.dataPrefix"),
        ({"dataset": "liver"}, r"\$.dataPrefix: expected a folder .*, or a dataset"),
        ({"startFrom": "active"}, r"\$.startFrom: expected none"),
        ({"startFrom": "models/up"}, r"\$.startFrom"),
        ({"lables": "50"}, r"\$: .*'lables' was unexpected"),
        ({"config": {"labels": 50}}, r"\$.config.labels: 50"),
        ({"config": {"speed": 1}}, r"\$.config: .*'speed' was unexpected"),
        ({"config": {"size": "huge"}}, r"\$.config.size: 'huge' is not one of"),
        ({"config": {"steps": 0}}, r"\$.config.steps"),
        ({"config": {"steps": True}}, r"\$.config.steps: True is not of type 'integer'"),
        ({"config": {"pixel_loss": "l2"}}, r"\$.config.pixel_loss: 'l2'"),
        ({"config": {"adapt": "lora"}}, "config: adapt .* needs a model with lora_rank"),
        ({"imageSize": True}, r"\$.imageSize: True"),
        (
            {"checkpoint": {"key": "models/base/a.pth", "input": "hu", "licence": "MIT"}},
            r"\$.checkpoint.input",
        ),
        (
            {"checkpoint": {"key": "incoming/a.pth", "input": "sam", "licence": "MIT"}},
            r"\$.checkpoint.key",
        ),
        (
            {
                "checkpoint": {"key": "models/a.pth", "input": "sam", "licence": "MIT"},
                "config": {"size": "small"},
            },
            "a SAM checkpoint fits .*, not small",
        ),
    ],
)
def test_bad_requests_say_what_is_wrong(change: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_request(json.dumps({**request("x"), "config": {}, **change}), "x")


def test_a_request_without_a_field_is_refused() -> None:
    wanted = request("x")
    del wanted["dataPrefix"]
    with pytest.raises(RequestError, match=r"\$.dataPrefix: expected a folder .*, or a dataset"):
        parse_request(json.dumps(wanted), "x")
    del wanted["config"]
    with pytest.raises(RequestError, match="'config' is a required property"):
        parse_request(json.dumps(wanted), "x")
    with pytest.raises(RequestError, match="is not of type 'object'"):
        parse_request("[]", "x")
    with pytest.raises(RequestError, match="expected a JSON object"):
        parse_request("{", "x")


def test_of_uploads_little_is_left_to_choose() -> None:
    asked = {"target": "spleen", "labels": "50", "steps": 4, "seed": 1}
    wanted = {"schemaVersion": 1, "id": "x", "dataset": "north", "config": asked}
    parsed = parse_request(json.dumps(wanted), "x")
    assert (parsed.dataset, parsed.data_prefix, parsed.config) == ("north", None, asked)
    for change, said in (
        (
            {"config": {**asked, "size": "small"}},
            r"\$.config: 'size' is not one of \['target', 'lab",
        ),
        ({"imageSize": 256}, r"\$.imageSize"),
        (
            {"checkpoint": {"key": "models/a.pth", "input": "sam", "licence": "MIT"}},
            r"\$.checkpoint",
        ),
    ):
        with pytest.raises(RequestError, match=said):
            parse_request(json.dumps({**wanted, **change}), "x")


def test_one_kind_of_number_stands_for_both() -> None:
    config = parse_request(json.dumps(request("x", steps=7.0, seed=1)), "x").train_config()
    assert (config.steps, type(config.steps)) == (7, int)


def test_a_good_request_becomes_a_configuration() -> None:
    config = parse_request(json.dumps(request("x", steps=7, learning_rate=1)), "x").train_config()
    assert (config.size, config.labels, config.steps) == ("tiny", "5", 7)
    assert config.learning_rate == 1.0
    assert config.model.name == "sammix-tiny"
