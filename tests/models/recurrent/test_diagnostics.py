"""Layers, and how far back the gradient reaches: against finite differences and against theory."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from helpers.quick import quick, walks

import forecast as fc
from forecast.models.recurrent.diagnostics import gradient_norms

RECURRENT = ["rnn", "lstm", "gru", "lstm-many-to-one", "gru-seq2seq", "rnn-recursive"]


@pytest.mark.parametrize("name", RECURRENT)
def test_table_has_a_row_for_each_distance(name):
    model = quick(name).fit(walks(), 3)
    table = fc.gradient_flow(model, walks())
    assert list(table.columns) == ["input", "state"]
    assert list(table.index) == list(range(12))
    assert table.index.name == "distance"
    assert (table > 0).all().all()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradient_equals_differences_of_the_loss(cell):
    """For one example, at one row after the other."""
    model = fc.RecurrentClassifier(cell, hidden=5, epochs=2).fit(
        np.random.default_rng(0).normal(size=(40, 7, 2)), [0, 1] * 20
    )
    net = model.net_.double()
    x, label = torch.randn(1, 7, 2, dtype=torch.float64), torch.tensor([1])
    of_input, _ = gradient_norms(net, [x, label])
    step = 1e-6
    for row in (0, 3, 6):
        difference = []
        for channel in range(2):
            up, down = x.clone(), x.clone()
            up[0, row, channel] += step
            down[0, row, channel] -= step
            difference.append(((net.batch_loss(up, label) - net.batch_loss(down, label)) / (2 * step)).item())
        assert of_input[row] == pytest.approx(np.linalg.norm(difference), rel=1e-5)


def test_gradient_of_an_elman_state_by_hand():
    """Back from the newest row: d loss / d h[t] = W' · diag(1 − h[t+1]²) · d loss / d h[t+1]."""
    model = fc.RecurrentClassifier("rnn", hidden=5, epochs=2).fit(
        np.random.default_rng(0).normal(size=(40, 7, 2)), [0, 1] * 20
    )
    net = model.net_.double()
    x, label = torch.randn(1, 7, 2, dtype=torch.float64), torch.tensor([1])
    _, of_state = gradient_norms(net, [x, label])
    with torch.no_grad():
        h = net.stack(x)[0][0]  # (L, hidden)
        p = torch.sigmoid(net(x))[0, 0]
        gradient = (p - 1) * net.dense.weight[0]
        weights = net.stack.layers[0].weight_hh_l0
        for row in range(6, -1, -1):
            assert of_state[row] == pytest.approx(gradient.norm().item(), rel=1e-9)
            gradient = weights.T @ ((1 - h[row] ** 2) * gradient)


def test_elman_gradient_vanishes_unlike_chrono_gates():
    x = np.random.default_rng(0).normal(size=(300, 60, 1))
    y = (x[:, -1, 0] > 0).astype(int)
    far = {}
    for name, params in {"rnn": {"cell": "rnn"}, "one": {}, "chrono": {"gate_bias": "chrono"}}.items():
        model = fc.RecurrentClassifier(hidden=16, epochs=1, **params).fit(x, y)
        state = fc.gradient_flow(model, x, y)["state"]
        far[name] = state.iloc[59] / state.iloc[0]
    assert far["rnn"] < far["chrono"]
    assert far["one"] < far["chrono"]


def test_bidirectional_network_has_no_state_gradient():
    model = quick("lstm-many-to-one", bidirectional=True).fit(walks(), 2)
    table = fc.gradient_flow(model, walks())
    assert (table["input"] > 0).all()
    assert table["state"].isna().all()


@pytest.mark.medium
def test_gradient_of_patches_dilations_and_tokens():
    for options in ({"patch": 3}, {"layers": (1, 3)}):
        for name in ("lstm", "gru-many-to-one"):
            table = fc.gradient_flow(quick(name, **options).fit(walks(), 2), walks())
            assert len(table) == 12
            assert (table["input"] > 0).any()
    rng = np.random.default_rng(0)
    words, y = rng.integers(1, 9, (50, 6)), [0, 1] * 25
    table = fc.gradient_flow(fc.RecurrentClassifier(vocabulary=9, epochs=1).fit(words, y), words, y)
    assert (table > 0).all().all()


def test_networks_of_one_row_are_refused():
    for name in ("lstm-one-to-one", "lstm-one-to-many"):
        with pytest.raises(ValueError, match="reads one row: no row further back has a gradient"):
            fc.gradient_flow(quick(name).fit(walks(), 2), walks())


def test_diagnostics_leave_the_model_unchanged():
    model = quick("lstm", dropout=0.2, layers=2).fit(walks(), 2)
    before = model.predict(walks()).quantiles.tobytes()
    weights = pickle.dumps(model)
    fc.gradient_flow(model, walks())
    model.summary()
    assert pickle.dumps(model) == weights
    assert model.predict(walks()).quantiles.tobytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in fc.model_names() if n.startswith(("rnn", "lstm", "gru"))])
def test_summary_counts_every_weight(name):
    for options in ({}, {"layers": 2, "embedding": 2}):
        model = quick(name, **options).fit(walks(), 3)
        text = repr(model.summary())
        total = sum(p.numel() for p in model.nets_[0].parameters() if p.requires_grad)
        assert f"{total:,} parameters" in text
        assert str(model.record_["parameters"]) == str(total)
        counted = sum(int(line.split()[-1].replace(",", "")) for line in text.split("\n")[2:-1])
        assert counted == total


def test_summary_of_a_classifier():
    words, y = np.random.default_rng(0).integers(1, 9, (50, 6)), [0, 1] * 25
    text = str(fc.RecurrentClassifier(vocabulary=9, epochs=1, hidden=4, embedding=3).fit(words, y).summary())
    assert "vectors (Embedding)" in text
    assert "(B, 60, 3)" in text
    assert "27" in text
    assert "dense (Linear)" in text
