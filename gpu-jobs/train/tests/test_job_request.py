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
        ({"schemaVersion": 2}, "schemaVersion: expected 1, found 2"),
        ({"id": "other"}, "id: expected 'x'"),
        ({"dataPrefix": "cases/liver/"}, "dataPrefix: expected training/data/"),
        ({"dataPrefix": "training/data/../../cases/"}, "dataPrefix"),
        ({"lables": "50"}, r"unknown fields \['lables'\]"),
        ({"config": {"labels": 50}}, "config.labels: expected str, found int"),
        ({"config": {"speed": 1}}, "config.speed: expected one of"),
        ({"config": {"size": "huge"}}, "config.size: expected one of"),
        ({"config": {"steps": 0}}, "config.steps"),
        ({"config": {"steps": True}}, "config.steps: expected int, found bool"),
        ({"config": {"pixel_loss": "l2"}}, "pixel_loss must be"),
        ({"imageSize": True}, "imageSize: found a value of type bool"),
        (
            {"checkpoint": {"key": "models/base/a.pth", "input": "hu", "licence": "MIT"}},
            "checkpoint.input",
        ),
        (
            {"checkpoint": {"key": "incoming/a.pth", "input": "sam", "licence": "MIT"}},
            "checkpoint.key",
        ),
    ],
)
def test_bad_requests_say_what_is_wrong(change: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_request(json.dumps({**request("x"), "config": {}, **change}), "x")


def test_a_request_without_a_field_is_refused() -> None:
    wanted = request("x")
    del wanted["dataPrefix"]
    with pytest.raises(RequestError, match=r"missing fields \['dataPrefix'\]"):
        parse_request(json.dumps(wanted), "x")
    with pytest.raises(RequestError, match="expected a JSON object"):
        parse_request("[]", "x")


def test_a_good_request_becomes_a_configuration() -> None:
    config = parse_request(json.dumps(request("x", steps=7, learning_rate=1)), "x").train_config()
    assert (config.size, config.labels, config.steps) == ("tiny", "5", 7)
    assert config.learning_rate == 1.0
    assert config.model.name == "sammix-tiny"
