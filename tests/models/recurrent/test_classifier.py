"""Classes of prices, sequences of vectors and sequences of tokens; padding never changes an output."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.quick import walks
from sklearn.base import clone, is_classifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import forecast as fc
from forecast.features.dataset import DirectionDataset, LabelledSequences, batches_by_length
from forecast.features.inputs import causal_inputs
from forecast.models.recurrent.config import TRAINING_PARAMS

CELLS = ("rnn", "lstm", "gru")


def _first_sign(n=400, rows=6, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, rows, 2))
    return x, np.where(x[:, 0, 1] > 0, "plus", "minus")


def _majority_of_tokens(n=400, seed=0, longest=9):
    """Return token sequences; the class is whether more than half of the ids are below 10."""
    rng = np.random.default_rng(seed)
    texts = [list(rng.integers(1, 20, size=rng.integers(1, longest))) for _ in range(n)]
    return texts, np.array([sum(t < 10 for t in text) * 2 > len(text) for text in texts])


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_sequences_of_vectors(cell, both):
    x, y = _first_sign()
    model = fc.RecurrentClassifier(cell, both, hidden=8, epochs=20, lr=1e-2).fit(x, y)
    assert list(model.classes_) == ["minus", "plus"]
    new, truth = _first_sign(seed=1)
    assert model.score(new, truth) > 0.9
    p = model.predict_proba(new)
    assert p.shape == (400, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (model.predict(new) == model.classes_[p.argmax(axis=1)]).all()
    assert list(model.history_["epoch"]) == list(range(1, 21))
    assert model.history_["validation_loss"].idxmin() + 1 == model.best_epoch_


def _padded(texts, start):
    padded = np.zeros((len(texts), 30), dtype=int)
    for row, ids in zip(padded, texts, strict=True):
        row[start(len(ids)) : start(len(ids)) + len(ids)] = ids
    return padded


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_sequences_of_tokens_with_padding(cell, both):
    x, y = _majority_of_tokens()
    model = fc.RecurrentClassifier(cell, both, vocabulary=20, hidden=8, epochs=12, lr=1e-2).fit(x, y)
    new, truth = _majority_of_tokens(seed=1)
    assert model.score(new, truth) > 0.85
    expected = model.predict_proba(new)
    before, after, both_ends = (_padded(new, start) for start in (lambda n: 30 - n, lambda n: 0, lambda n: 7))
    for padded in (before, after, both_ends, before.astype(float), list(map(list, after))):
        assert model.predict_proba(padded).tobytes() == expected.tobytes()
    alone = np.concatenate([model.predict_proba([ids]) for ids in new[:20]])
    assert alone.tobytes() == expected[:20].tobytes()  # nor do the neighbours matter
    few = clone(model).set_params(epochs=2)  # trained on padded rows it is the same model
    padded = clone(few).fit(_padded(x, lambda n: 30 - n), y)
    assert padded.predict_proba(new).tobytes() == few.fit(x, y).predict_proba(new).tobytes()


@pytest.mark.medium
def test_more_than_two_classes():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4, 1))
    y = np.digitize(x[:, -1, 0], [-0.5, 0.5])
    model = fc.RecurrentClassifier("gru", hidden=8, epochs=20, lr=1e-2).fit(x, y)
    assert list(model.classes_) == [0, 1, 2]
    assert model.predict_proba(x).shape == (600, 3)
    assert model.score(x, y) > 0.85


def test_contract_of_scikit_learn():
    model = fc.RecurrentClassifier(hidden=4, epochs=2, lr=1e-2)
    assert is_classifier(model)
    assert clone(model).get_params() == model.get_params()
    x, y = _first_sign(120)
    assert len(cross_val_score(model, x, y, cv=3)) == 3
    pipe = make_pipeline(model)
    assert set(pipe.fit(x, y).predict(x)) <= {"minus", "plus"}


def test_same_seed_same_bytes_and_no_global_randomness():
    x, y = _first_sign(100)
    model = fc.RecurrentClassifier(hidden=4, epochs=2, layers=2, dropout=0.3)
    before = torch.get_rng_state()
    one, two = clone(model).fit(x, y), clone(model).fit(x, y)
    assert torch.equal(before, torch.get_rng_state())
    assert one.predict_proba(x).tobytes() == two.predict_proba(x).tobytes()
    assert one.predict_proba(x).tobytes() == one.predict_proba(x).tobytes()
    other = clone(model).set_params(seed=1).fit(x, y)
    assert other.predict_proba(x).tobytes() != one.predict_proba(x).tobytes()


def _trending(rows=500):
    """Return prices that rise for ten rows and fall for ten."""
    rng = np.random.default_rng(0)
    turns = np.where(np.arange(rows) // 10 % 2 == 0, 1.0, -1.0)
    steps = 0.01 * turns[:, None] + 0.003 * rng.normal(size=(rows, 2))
    return pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=pd.bdate_range("2015-01-01", periods=rows))


@pytest.mark.medium
def test_directions_of_prices():
    prices = _trending().set_axis(["A", "B"], axis=1)
    model = fc.RecurrentClassifier("gru", hidden=8, lookback=12, epochs=5, lr=1e-2).fit(prices.iloc[:400])
    assert list(model.classes_) == ["down", "up"]
    assert model.score_at(prices, range(400, 499)) > 0.75
    assert model.predict_proba(prices).shape == (2, 2)
    assert set(model.predict(prices)) <= {"down", "up"}
    p = model.predict_proba_at(prices, [420, 430])
    assert p[0].tobytes() == model.predict_proba(prices.iloc[:421]).tobytes()
    changed = prices.copy()
    changed.iloc[421:] *= 2
    assert model.predict_proba_at(changed, [420, 430])[0].tobytes() == p[0].tobytes()
    late = prices.copy()
    late.iloc[:450, 1] = np.nan
    found = model.predict_proba_at(late, [430, 470])
    assert np.isnan(found[0, 1]).all()
    assert np.isfinite(found[:, 0]).all()


def _directions(frame, lookback, horizon):
    return DirectionDataset.from_prices(causal_inputs(np.log(frame.to_numpy())), frame.to_numpy(), lookback, horizon)


def test_directions_equal_those_of_a_loop():
    """Up if the price `horizon` rows later is higher; unchanged and unknown prices are no examples."""
    frame = walks(rows=60, series=2)
    frame.iloc[50, 0] = frame.iloc[47, 0]
    frame.iloc[40, 1] = np.nan
    examples = _directions(frame, lookback=20, horizon=3)
    y = frame.to_numpy()
    expected = {}
    for row in range(60 - 3):
        for series in range(2):
            traded = np.isfinite(y[: row + 1, series]).sum() - 1
            change = y[row + 3, series] - y[row, series]
            if traded >= 20 and np.isfinite(change) and change != 0:
                expected[series, row] = int(change > 0)
    found = {(int(s), int(r)): int(label) for (s, r), label in zip(examples.pairs, examples.labels, strict=True)}
    assert found == expected
    assert (0, 47) not in found
    assert list(examples.pairs[:, 1]) == sorted(examples.pairs[:, 1])  # the newest are used for validation


def test_last_examples_are_for_validation_only():
    x, y = _first_sign(100)
    other = y.copy()
    other[80:] = np.where(y[80:] == "plus", "minus", "plus")
    one, two = (fc.RecurrentClassifier(hidden=4, epochs=3, lr=1e-2).fit(x, labels) for labels in (y, other))
    np.testing.assert_array_equal(one.history_["loss"], two.history_["loss"])
    assert not np.allclose(one.history_["validation_loss"], two.history_["validation_loss"])
    without = fc.RecurrentClassifier(hidden=4, epochs=3, validation_split=0).fit(x, y)
    assert without.history_["validation_loss"].isna().all()
    assert without.best_epoch_ == 3


def test_epoch_has_every_example_once():
    texts, _ = _majority_of_tokens(200)
    examples = LabelledSequences([np.array(t) for t in texts], np.arange(200))
    rng = np.random.default_rng(0)
    orders = []
    for _ in range(2):
        batches = [examples.draw(rng, 16) for _ in range(examples.n_batches(16))]
        numbers = np.concatenate([labels for _, labels in batches])
        assert sorted(numbers) == list(range(200))
        assert max(len(labels) for _, labels in batches) == 16
        orders.append(list(numbers))
    assert orders[0] != orders[1]
    lengths = np.array([len(t) for t in texts])
    assert all(len(set(lengths[part])) == 1 for part in batches_by_length(lengths, 7, np.arange(200)))


@pytest.mark.parametrize(
    ("params", "x", "y", "message"),
    [
        ({"cell": "elman"}, np.zeros((4, 2, 1)), [0, 1, 0, 1], "cell must be one of"),
        ({"vocabulary": 1}, [[0]], [0], "vocabulary must be at least 2"),
        ({"vocabulary": 5}, [[1, 5], [2]], [0, 1], r"sequence 0 has the id 5; ids run from 0"),
        ({"vocabulary": 5}, [[1], [-2]], [0, 1], "sequence 1 has the id -2"),
        ({"vocabulary": 5}, [[1], [1.5]], [0, 1], "sequence 1 must be a list of whole numbers"),
        ({"vocabulary": 5}, ["a b", "c"], [0, 1], "sequence 0 must be a list of whole numbers"),
        ({"vocabulary": 5}, "words", [0, 1], "token sequences must be lists of ids"),
        ({}, np.zeros((4, 3)), [0, 1, 0, 1], r"got shape \(4, 3\).*vocabulary"),
        ({}, [[1, 2], [3]], [0, 1], "sequences must be an array"),
        ({}, np.full((4, 2, 1), np.nan), [0, 1, 0, 1], "example 0 has a value that is not finite"),
        ({}, np.zeros((4, 2, 1)), [0, 1, 0], "one class for each of the 4 examples"),
        ({}, np.zeros((4, 2, 1)), None, "the class of every example is needed"),
        ({}, np.zeros((4, 2, 1)), [1, 1, 1, 1], "there is one class only"),
        (
            {"validation_split": 0.5},
            np.zeros((4, 2, 1)),
            [1, 1, 0, 0],
            "there is one class only .* put them in a random",
        ),
        ({}, np.zeros((4, 2, 1)), [0, 1, np.nan, 1], "y has no class at example 2"),
        ({}, np.zeros((4, 2, 1)), [None, "a", "b", "a"], "y has no class at example 0"),
        ({}, np.zeros((4, 2, 1)), [0.1, 0.7, 0.2, 3.1], "Unknown label type: continuous"),
        ({"lr": 1e20}, np.ones((40, 2, 1)), [0, 1] * 20, "the training diverged: at step"),
        ({"vocabulary": 5}, [[[1, 2], [3]], [[2]]], [0, 1], "sequence 0 must be a list of whole numbers"),
        ({}, walks().to_numpy(), None, "prices must be a DataFrame"),
        ({}, np.zeros((2, 2, 1)), [0, 1], "leaves one part empty"),
        ({}, walks(), [0, 1], "prices imply their classes"),
        ({}, walks(rows=30), None, "no row has 60 traded rows before it"),
        ({"residual": True}, np.zeros((4, 2, 1)), [0, 1, 0, 1], "there is only one layer: use layers=2"),
        ({"validation_split": 1.0}, np.zeros((4, 2, 1)), [0, 1, 0, 1], "validation_split must be"),
    ],
)
def test_invalid_input_is_named(params, x, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fc.RecurrentClassifier(**params).fit(x, y)


def test_other_invalid_input_is_named():
    x, y = _first_sign(50)
    model = fc.RecurrentClassifier(hidden=3, epochs=1).fit(x, y)
    with pytest.raises(ValueError, match="have 3 channels; the network was trained on 2"):
        model.predict(np.zeros((5, 4, 3)))
    with pytest.raises(ValueError, match="not fitted"):
        fc.RecurrentClassifier().predict(x)
    prices = walks()
    of_prices = fc.RecurrentClassifier(hidden=3, epochs=1, lookback=10).fit(prices)
    with pytest.raises(ValueError, match="cutoffs must be rows between 0 and 159"):
        of_prices.predict_proba_at(prices, [160])
    with pytest.raises(ValueError, match="none of these rows has a different price 1 rows later"):
        of_prices.score_at(prices, [159])


def test_table_of_ids_is_read_as_tokens():
    texts, y = _majority_of_tokens(60)
    model = fc.RecurrentClassifier(vocabulary=20, hidden=3, epochs=1).fit(pd.Series(texts), pd.Series(y))
    expected = model.predict_proba(texts)
    for table in (pd.Series(texts), pd.DataFrame(_padded(texts, lambda n: 0))):
        assert model.predict_proba(table).tobytes() == expected.tobytes()


def test_other_kind_of_examples_is_refused():
    x, y = _first_sign(50)
    model = fc.RecurrentClassifier(hidden=3, epochs=1, lookback=10).fit(x, y)
    for use in (model.predict_proba, model.score, lambda p: model.predict_proba_at(p, [100])):
        with pytest.raises(ValueError, match="was trained on vectors and cannot read prices"):
            use(walks())
    with pytest.raises(ValueError, match="the class of every example is needed"):
        model.score(x)
    with pytest.raises(ValueError, match="none of the classes"):
        fc.gradient_flow(model, x, ["zero", "plus"] * 25)
    assert model.fit(x[:, :, :1], y).config_.n_inputs == 1  # a new fit does not depend on the previous one
    model.fit(walks())
    with pytest.raises(ValueError, match="was trained on prices and cannot read vectors"):
        model.predict(x)
    with pytest.raises(ValueError, match="8 rows have no direction 9 rows later"):
        model.set_params(horizon=9).fit(walks()).score(walks().iloc[:8])


def test_later_prices_do_not_choose_logs():
    """Logs are chosen in training; a later value below zero counts as missing, and changes no earlier prediction."""
    prices = walks(rows=300, series=2)
    model = fc.RecurrentClassifier(hidden=3, epochs=1, lookback=10).fit(prices.iloc[:200])
    later = prices.copy()
    later.iloc[250, 0] = -1
    before = model.predict_proba_at(later, [240])
    assert before.tobytes() == model.predict_proba_at(prices, [240, 260])[:1].tobytes()
    missing = prices.copy()
    missing.iloc[250, 0] = np.nan
    expected = model.predict_proba_at(missing, [240, 260])
    assert model.predict_proba_at(later, [240, 260]).tobytes() == expected.tobytes()


def test_series_that_has_not_started_has_no_class():
    prices = walks()
    prices["Z"] = np.nan
    model = fc.RecurrentClassifier(hidden=3, epochs=1, lookback=10).fit(prices)
    assert model.predict(prices)[3] is None
    assert set(model.predict(prices)[:3]) <= {"up", "down"}


@pytest.mark.parametrize("horizon", [1, 20])
def test_validation_of_prices_is_purged(horizon):
    examples = _directions(walks(rows=200), lookback=10, horizon=horizon)
    train, validation = examples.split(0.2)
    assert train.pairs[:, 1].max() + horizon < validation.pairs[:, 1].min()
    assert validation.pairs[:, 1].max() == examples.pairs[:, 1].max()
    assert abs(len(validation) - 0.2 * len(examples)) <= 3
    assert len(set(train.pairs[:, 1]) & set(validation.pairs[:, 1])) == 0


def test_failed_fit_leaves_the_model_unchanged():
    x, y = _first_sign(50)
    model = fc.RecurrentClassifier(hidden=3, epochs=1).fit(x, y)
    before = model.predict_proba(x)
    with pytest.raises(ValueError, match="there is one class only"):
        model.fit(x[:, :, :1], ["plus"] * 50)
    assert model.predict_proba(x).tobytes() == before.tobytes()


#: Another valid value of every parameter that describes a fitted classifier.
CHANGES = {
    "cell": "gru",
    "bidirectional": True,
    "hidden": 5,
    "layers": 2,
    "residual": True,
    "dropout": 0.1,
    "gate_bias": "chrono",
    "vocabulary": 9,
    "embedding": 3,
    "horizon": 2,
    "lookback": 12,
}


@pytest.fixture(scope="module")
def fitted():
    return fc.RecurrentClassifier(hidden=3, epochs=1, lookback=10).fit(walks())


def test_every_parameter_describes_the_model_or_its_training():
    assert CHANGES.keys() | set(TRAINING_PARAMS) >= fc.RecurrentClassifier().get_params().keys()
    assert not CHANGES.keys() & set(TRAINING_PARAMS)


@pytest.mark.parametrize("name", CHANGES)
def test_changed_parameter_is_refused(name, fitted, tmp_path):
    """Every use of the fitted network raises; with the parameter set back the probabilities are the same bytes."""
    value, before = getattr(fitted, name), fitted.predict_proba(walks()).tobytes()
    fitted.set_params(**{name: CHANGES[name]})
    uses = {
        "predict": lambda: fitted.predict(walks()),
        "predict_proba": lambda: fitted.predict_proba(walks()),
        "predict_proba_at": lambda: fitted.predict_proba_at(walks(), [120, 150]),
        "score": lambda: fitted.score(walks()),
        "gradient_flow": lambda: fc.gradient_flow(fitted, walks()),
        "summary": fitted.summary,
        "save": lambda: fitted.save(tmp_path / "model"),
    }
    message = f"was fitted with {name}={value!r}, and {name} is {CHANGES[name]!r} now: fit it again, or set {name} back"
    try:
        for use in uses.values():
            with pytest.raises(ValueError, match=message):
                use()
    finally:
        fitted.set_params(**{name: value})
    assert fitted.predict_proba(walks()).tobytes() == before


def test_parameters_of_the_training_may_change(fitted):
    before = fitted.predict_proba(walks()).tobytes()
    changed = copy.deepcopy(fitted).set_params(epochs=9, batch_size=7, lr=0.5, validation_split=0.5, seed=3)
    assert changed.predict_proba(walks()).tobytes() == before
