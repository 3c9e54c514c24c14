"""The training of the pretrained network: reproducible, resumable, and it learns."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from forecast.models.recurrent.pretrained.pretraining import Training, TrainingConfig, naive_errors, training_batch
from forecast.models.recurrent.pretrained.train import hash_weights, run
from forecast.models.recurrent.pretrained.weights import read_weights

SMALL = TrainingConfig(steps=4, n_rows=512, chunk=256, lengths=(64, 128), n_positions=32)


@pytest.mark.medium
def test_the_same_settings_give_the_same_bytes_resumed_or_not(tmp_path):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    run(SMALL, whole)
    run(SMALL, resumed, until=2)
    assert not (resumed / "weights.npz").exists()
    run(SMALL, resumed)
    assert (whole / "weights.npz").read_bytes() == (resumed / "weights.npz").read_bytes()
    assert json.loads((whole / "card.json").read_text()) == json.loads((resumed / "card.json").read_text())
    with pytest.raises(ValueError, match="of a training with other settings: use another --out"):
        run(replace(SMALL, seed=1), whole)


def test_a_training_starts_from_other_weights(tmp_path):
    """Without a step these weights are the result, and the card has their hash."""
    weights = read_weights()
    run(replace(SMALL, steps=0), tmp_path / "no", weights=weights)
    run(SMALL, tmp_path / "four", weights=weights)
    unchanged, changed = (read_weights(tmp_path / name) for name in ("no", "four"))
    assert all((unchanged[name] == weights[name]).all() for name in weights)
    assert any((changed[name] != weights[name]).any() for name in weights)
    card = json.loads((tmp_path / "four" / "card.json").read_text())
    assert card["config"]["start_from"] == hash_weights(weights) != card["sha256"]


def test_half_precision_is_used_only_where_the_processor_has_it(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    run(SMALL, tmp_path)
    assert json.loads((tmp_path / "card.json").read_text())["precision"] == "float32"


@pytest.mark.medium
def test_the_loss_falls():
    training = Training(replace(SMALL, steps=60, n_rows=4096, chunk=4096, n_positions=512, warm_up=5))
    batches = [training_batch(SMALL, step) for step in range(1000, 1020)]

    def loss():
        with torch.no_grad():
            return np.mean([float(training.network.batch_loss(*batch)) for batch in batches])

    before = loss()
    for _ in range(60):
        training.next_step()
    assert loss() < 0.95 * before


def test_errors_of_naive_forecasts():
    t = np.arange(60)
    y = np.stack([t * 1.0, np.array([0.0, 3.0, -1.0, 2.0])[t % 4]])
    errors = naive_errors(y, np.array([1, 4]), np.array([1, 3]))
    assert errors[0] == pytest.approx([1.0, 3.0])
    assert errors[1] == pytest.approx([0.0, 0.0])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="cuda"):
        run(SMALL, tmp_path / "out", device="cuda")
    assert not (tmp_path / "out").exists()
