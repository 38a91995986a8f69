"""The card says what the configuration and the stages were."""

import dataclasses

from sammix_train.config import MODEL_SIZES, WINDOW_HU, TrainConfig, config_sha256, config_to_dict
from sammix_train.export.bundle import Training
from sammix_train.export.model_card import model_card
from sammix_train.step.state import Stage

from .conftest import tiny_model

CONFIG = TrainConfig(size="tiny", model=MODEL_SIZES["tiny"])
REAL = [{"source": "LiTS", "licence": "CC BY-SA 4.0", "use": "training labels"}]


def stage(config: TrainConfig, steps: int, seconds: float) -> Stage:
    return Stage(config_to_dict(config), steps, seconds)


def card(training: Training) -> str:
    return " ".join(model_card(tiny_model(), training, 0.3, REAL, [], WINDOW_HU).split())


def test_from_scratch() -> None:
    text = card(Training((stage(CONFIG, 100, 600.0),), labelled_slices=400))
    assert "Trained from scratch; no pretrained weights were used. 0.2 M parameters." in text
    assert "pixel loss is cross-entropy (BCE) and not focal" in text
    assert "Trained 10 minutes (2 passes over the labelled slices) on cpu" in text
    assert "No fine-tuning to a site was done" in text
    focal = dataclasses.replace(CONFIG, pixel_loss="focal", cam_weight=0.0, lambda_max=0.0)
    plain = card(Training((stage(focal, 1, 1.0),)))
    assert "BCE" not in plain
    assert "averaged teacher" not in plain


def test_from_a_checkpoint() -> None:
    base = {"checkpoint": "sam_vit_b.pth", "sha256": "ab" * 32, "licence": "Apache-2.0"}
    text = card(Training((stage(CONFIG, 1, 1.0),), base=base))
    assert f"Started from sam_vit_b.pth (licence Apache-2.0, sha256 `{'ab' * 32}`)." in text
    assert "from scratch" not in text


def test_stages_count_together() -> None:
    second = dataclasses.replace(CONFIG, learning_rate=1e-4, labelled_per_step=4)
    training = Training(
        (stage(CONFIG, 100, 600.0), stage(second, 50, 60.0)),
        labelled_slices=100,
    )
    assert training.epochs == 10
    assert "Trained 11 minutes (10 passes over the labelled slices) in 2 stages" in card(training)
    alone = Training((stage(second, 50, 60.0),))
    both = config_sha256(config_to_dict(CONFIG), config_to_dict(second))
    assert training.config_sha256 == both != alone.config_sha256
    assert alone.config_sha256 == config_sha256(config_to_dict(second))


def test_fitted_to_a_site() -> None:
    model = dataclasses.replace(CONFIG.model, lora_rank=4)
    config = dataclasses.replace(CONFIG, model=model, adapt="lora+decoder")
    text = card(Training((stage(CONFIG, 1, 1.0), stage(config, 1, 1.0))))
    assert "fitted to a site through lora+decoder (rank 4)" in text
    assert "No fine-tuning" not in text
