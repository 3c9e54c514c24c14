"""Classes: directions of prices, sequences of vectors, sequences of tokens; padding never changes an answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.quick import walks
from sklearn.base import clone, is_classifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import forecast as fc
from forecast.models.recurrent.classifier_network import Examples, same_length
from forecast.models.recurrent.sequences import direction_examples

CELLS = ("rnn", "lstm", "gru")


def _first_sign(n=400, rows=6, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, rows, 2))
    return x, np.where(x[:, 0, 1] > 0, "plus", "minus")


def _loud_words(n=400, seed=0, longest=9):
    """A sentence is loud if it holds more of the ids 1 to 9 than of 10 to 19."""
    rng = np.random.default_rng(seed)
    texts = [list(rng.integers(1, 20, size=rng.integers(1, longest))) for _ in range(n)]
    return texts, np.array([sum(t < 10 for t in text) * 2 > len(text) for text in texts])


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_vectors(cell, both):
    x, y = _first_sign()
    model = fc.RecurrentClassifier(cell, both, hidden=8, epochs=20, lr=1e-2).fit(x, y)
    assert list(model.classes_) == ["minus", "plus"]
    fresh, truth = _first_sign(seed=1)
    assert model.score(fresh, truth) > 0.9
    p = model.predict_proba(fresh)
    assert p.shape == (400, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (model.predict(fresh) == model.classes_[p.argmax(axis=1)]).all()
    assert list(model.history_["epoch"]) == list(range(1, 21))
    assert model.history_["validation_loss"].idxmin() + 1 == model.best_epoch_


def _padded(texts, start):
    wide = np.zeros((len(texts), 30), dtype=int)
    for row, ids in zip(wide, texts, strict=True):
        row[start(len(ids)) : start(len(ids)) + len(ids)] = ids
    return wide


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_tokens_and_their_padding(cell, both):
    x, y = _loud_words()
    model = fc.RecurrentClassifier(cell, both, vocabulary=20, hidden=8, epochs=12, lr=1e-2).fit(x, y)
    fresh, truth = _loud_words(seed=1)
    assert model.score(fresh, truth) > 0.85
    answers = model.predict_proba(fresh)
    before, after, wide = _padded(fresh, lambda n: 30 - n), _padded(fresh, lambda n: 0), _padded(fresh, lambda n: 7)
    for padded in (before, after, wide, before.astype(float), list(map(list, after))):
        assert model.predict_proba(padded).tobytes() == answers.tobytes()
    alone = np.concatenate([model.predict_proba([ids]) for ids in fresh[:20]])
    assert alone.tobytes() == answers[:20].tobytes()  # nor do the neighbours
    again = clone(model).fit(_padded(x, lambda n: 30 - n), y)  # learnt from padded rows it is the same model
    assert again.predict_proba(fresh).tobytes() == answers.tobytes()


def test_more_than_two_classes():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4, 1))
    y = np.digitize(x[:, -1, 0], [-0.5, 0.5])
    model = fc.RecurrentClassifier("gru", hidden=8, epochs=20, lr=1e-2).fit(x, y)
    assert list(model.classes_) == [0, 1, 2]
    assert model.predict_proba(x).shape == (600, 3)
    assert model.score(x, y) > 0.85


def test_scikit_learns_contract():
    model = fc.RecurrentClassifier(hidden=4, epochs=2, lr=1e-2)
    assert is_classifier(model)
    assert clone(model).get_params() == model.get_params()
    x, y = _first_sign(120)
    assert len(cross_val_score(model, x, y, cv=3)) == 3
    pipe = make_pipeline(model)
    assert set(pipe.fit(x, y).predict(x)) <= {"minus", "plus"}


def test_the_same_seed_gives_the_same_bytes_and_nothing_global_moves():
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
    """Prices whose direction lasts: up for some rows, down for some."""
    rng = np.random.default_rng(0)
    turns = np.where(np.arange(rows) // 10 % 2 == 0, 1.0, -1.0)
    steps = 0.01 * turns[:, None] + 0.003 * rng.normal(size=(rows, 2))
    return pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=pd.bdate_range("2015-01-01", periods=rows))


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


def test_directions_are_what_happened():
    """Against a loop: up if the price `horizon` rows later is higher; unchanged and unknown outcomes teach nothing."""
    frame = walks(rows=60, series=2)
    frame.iloc[50, 0] = frame.iloc[47, 0]
    frame.iloc[40, 1] = np.nan
    examples = direction_examples(fc.as_panel(frame), log=True, lookback=20, horizon=3)
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
    assert list(examples.pairs[:, 1]) == sorted(examples.pairs[:, 1])  # the newest are kept for validation


def test_validation_is_the_newest_part_and_is_not_learnt_from():
    x, y = _first_sign(100)
    other = y.copy()
    other[80:] = np.where(y[80:] == "plus", "minus", "plus")
    one, two = (fc.RecurrentClassifier(hidden=4, epochs=3, lr=1e-2).fit(x, labels) for labels in (y, other))
    np.testing.assert_array_equal(one.history_["loss"], two.history_["loss"])
    assert not np.allclose(one.history_["validation_loss"], two.history_["validation_loss"])
    whole = fc.RecurrentClassifier(hidden=4, epochs=3, validation_split=0).fit(x, y)
    assert whole.history_["validation_loss"].isna().all()
    assert whole.best_epoch_ == 3


def test_an_epoch_holds_every_example_once_in_batches_of_one_length():
    texts, _ = _loud_words(200)
    examples = Examples([np.array(t) for t in texts], np.arange(200))
    rng = np.random.default_rng(0)
    orders = []
    for _ in range(2):
        batches = [examples.draw(rng, 16) for _ in range(examples.batches(16))]
        seen = np.concatenate([labels for _, labels in batches])
        assert sorted(seen) == list(range(200))
        assert max(len(labels) for _, labels in batches) == 16
        orders.append(list(seen))
    assert orders[0] != orders[1]
    lengths = np.array([len(t) for t in texts])
    assert all(len(set(lengths[part])) == 1 for part in same_length(lengths, 7, np.arange(200)))


@pytest.mark.parametrize(
    ("params", "x", "y", "message"),
    [
        ({"cell": "elman"}, np.zeros((4, 2, 1)), [0, 1, 0, 1], "cell must be one of"),
        ({"vocabulary": 1}, [[0]], [0], "vocabulary must be at least 2"),
        ({"vocabulary": 5}, [[1, 5], [2]], [0, 1], r"sequence 0 holds the id 5; ids run from 0"),
        ({"vocabulary": 5}, [[1], [-2]], [0, 1], "sequence 1 holds the id -2"),
        ({"vocabulary": 5}, [[1], [1.5]], [0, 1], "sequence 1 must be a list of whole numbers"),
        ({"vocabulary": 5}, ["a b", "c"], [0, 1], "sequence 0 must be a list of whole numbers"),
        ({"vocabulary": 5}, "words", [0, 1], "token sequences must be lists of ids"),
        ({}, np.zeros((4, 3)), [0, 1, 0, 1], r"got shape \(4, 3\).*vocabulary"),
        ({}, [[1, 2], [3]], [0, 1], "sequences must be an array"),
        ({}, np.full((4, 2, 1), np.nan), [0, 1, 0, 1], "example 0 holds a value that is no number"),
        ({}, np.zeros((4, 2, 1)), [0, 1, 0], "one class for each of the 4 examples"),
        ({}, np.zeros((4, 2, 1)), None, "the class of every example is needed"),
        ({}, np.zeros((4, 2, 1)), [1, 1, 1, 1], "there is one class only"),
        (
            {"validation_split": 0.5},
            np.zeros((4, 2, 1)),
            [1, 1, 0, 0],
            "there is one class only .* put them in a random",
        ),
        ({}, np.zeros((4, 2, 1)), [0, 1, np.nan, 1], "y holds no class at example 2"),
        ({}, np.zeros((4, 2, 1)), [None, "a", "b", "a"], "y holds no class at example 0"),
        ({}, np.zeros((4, 2, 1)), [0.1, 0.7, 0.2, 3.1], "Unknown label type: continuous"),
        ({"lr": 1e20}, np.ones((40, 2, 1)), [0, 1] * 20, "the training ran away: at step"),
        ({"vocabulary": 5}, [[[1, 2], [3]], [[2]]], [0, 1], "sequence 0 must be a list of whole numbers"),
        ({}, walks().to_numpy(), None, "prices come as a DataFrame"),
        ({}, np.zeros((2, 2, 1)), [0, 1], "leaves one part empty"),
        ({}, walks(), [0, 1], "prices bring their own classes"),
        ({}, walks(rows=30), None, "no row has 60 traded rows before it"),
        ({"residual": True}, np.zeros((4, 2, 1)), [0, 1, 0, 1], "there is one: use layers=2"),
        ({"validation_split": 1.0}, np.zeros((4, 2, 1)), [0, 1, 0, 1], "validation_split must be"),
    ],
)
def test_what_is_wrong_is_named(params, x, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fc.RecurrentClassifier(**params).fit(x, y)


def test_other_doors():
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
    with pytest.raises(ValueError, match="no row of these has another price 1 rows later"):
        of_prices.score_at(prices, [159])


def test_a_table_of_ids_is_read_as_tokens():
    texts, y = _loud_words(60)
    model = fc.RecurrentClassifier(vocabulary=20, hidden=3, epochs=1).fit(pd.Series(texts), pd.Series(y))
    expected = model.predict_proba(texts)
    for table in (pd.Series(texts), pd.DataFrame(_padded(texts, lambda n: 0))):
        assert model.predict_proba(table).tobytes() == expected.tobytes()


def test_what_it_was_not_trained_on_is_refused():
    x, y = _first_sign(50)
    model = fc.RecurrentClassifier(hidden=3, epochs=1, lookback=10).fit(x, y)
    for ask in (model.predict_proba, model.score, lambda p: model.predict_proba_at(p, [100])):
        with pytest.raises(ValueError, match="was trained on vectors and cannot read prices"):
            ask(walks())
    with pytest.raises(ValueError, match="the class of every example is needed"):
        model.score(x)
    with pytest.raises(ValueError, match="none of the classes"):
        fc.gradient_flow(model, x, ["zero", "plus"] * 25)
    assert model.fit(x[:, :, :1], y).n_inputs_ == 1  # a new fit starts afresh
    model.fit(walks())
    with pytest.raises(ValueError, match="was trained on prices and cannot read vectors"):
        model.predict(x)
    with pytest.raises(ValueError, match="8 rows hold no outcome 9 rows later"):
        model.set_params(horizon=9).score(walks().iloc[:8])


def test_later_prices_do_not_decide_about_logs():
    """Logs are chosen in training; a later value below zero is named, and does not change what was said before it."""
    prices = walks(rows=300, series=2)
    model = fc.RecurrentClassifier(hidden=3, epochs=1, lookback=10).fit(prices.iloc[:200])
    later = prices.copy()
    later.iloc[250, 0] = -1
    before = model.predict_proba_at(later, [240])
    assert before.tobytes() == model.predict_proba_at(prices, [240, 260])[:1].tobytes()
    with pytest.raises(ValueError, match="S0 is -1 at"):
        model.predict_proba_at(later, [240, 260])


def test_a_series_that_has_not_begun_has_no_class():
    prices = walks()
    prices["Z"] = np.nan
    model = fc.RecurrentClassifier(hidden=3, epochs=1, lookback=10).fit(prices)
    assert model.predict(prices)[3] is None
    assert set(model.predict(prices)[:3]) <= {"up", "down"}


@pytest.mark.parametrize("horizon", [1, 20])
def test_the_validation_of_prices_is_purged(horizon):
    examples = direction_examples(fc.as_panel(walks(rows=200)), log=True, lookback=10, horizon=horizon)
    train, late = examples.parted(0.2, horizon)
    assert train.pairs[:, 1].max() + horizon < late.pairs[:, 1].min()
    assert late.pairs[:, 1].max() == examples.pairs[:, 1].max()
    assert abs(len(late) - 0.2 * len(examples)) <= 3
    assert len(set(train.pairs[:, 1]) & set(late.pairs[:, 1])) == 0


def test_a_failed_fit_leaves_the_model_as_it_was():
    x, y = _first_sign(50)
    model = fc.RecurrentClassifier(hidden=3, epochs=1).fit(x, y)
    before = model.predict_proba(x)
    with pytest.raises(ValueError, match="there is one class only"):
        model.fit(x[:, :, :1], ["plus"] * 50)
    assert model.predict_proba(x).tobytes() == before.tobytes()
