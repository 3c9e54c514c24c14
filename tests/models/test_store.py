"""Models in folders: the same bytes after loading, nothing unpickled, damage named."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from helpers.quick import quick, walks

import forecast as fc
from forecast.models.store import ARRAYS, DESCRIPTION, _digest

UNSAVED = ("boosting",)  # scikit-learn's estimators would have to be unpickled
OTHERS = {
    "auto": lambda: fc.ARIMA("auto", seasonal_order=5),
    "seasonal": lambda: fc.ETS(m=5),
    "hybrid with members": lambda: quick("lstm", base=fc.ARIMA((1, 1, 1)), members=2),
    "on an ensemble": lambda: quick("gru-many-to-one", base=fc.Ensemble([fc.Naive(), fc.Drift()]), embedding=2),
    "on a network": lambda: quick("lstm", base=quick("rnn"), layers=(1, 3), residual=True),
    "student": lambda: quick("rnn-seq2seq", loss="student-t", calendar=True),
    "patches": lambda: quick("lstm", patch=3, skip=4, trainer=fc.Trainer(steps=20, patience=10)),
    "mean": lambda: quick("gru", point="mean"),
    "ensemble": lambda: fc.Ensemble([fc.Naive(), quick("lstm")]),
}


def _saved(model, tmp_path):
    model.save(tmp_path / "model")
    return fc.load_model(tmp_path / "model")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [*(name for name in fc.model_names() if name not in UNSAVED), *OTHERS])
def test_a_loaded_model_forecasts_the_same_bytes(name, tmp_path):
    prices = walks(late=True)
    model = (OTHERS[name]() if name in OTHERS else quick(name)).fit(prices.iloc[:130], 3)
    loaded = _saved(model, tmp_path)
    assert repr(loaded) == repr(model)
    for rows in ([129], [140, 150, 159]):
        ours, theirs = model.predict_at(prices, rows), loaded.predict_at(prices, rows)
        assert ours.quantiles.tobytes() == theirs.quantiles.tobytes()
        assert ours.point.tobytes() == theirs.point.tobytes()
    if hasattr(model, "history_"):
        assert loaded.history_.equals(model.history_)
    loaded.save(tmp_path / "again")
    again = fc.load_model(tmp_path / "again")
    assert again.predict(prices).quantiles.tobytes() == model.predict(prices).quantiles.tobytes()


def test_a_loaded_classifier_gives_the_same_probabilities(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5, 2))
    y = np.where(x[:, 0, 0] > 0, "up", "down")
    for model, data in (
        (fc.RecurrentClassifier("gru", hidden=4, epochs=1).fit(x, y), x),
        (fc.RecurrentClassifier(hidden=4, epochs=1, lookback=10).fit(walks()), walks()),
        (fc.RecurrentClassifier(vocabulary=9, epochs=1).fit(rng.integers(1, 9, (60, 5)), y), [[1, 2], [8]]),
    ):
        loaded = _saved(model, tmp_path)
        assert loaded.predict_proba(data).tobytes() == model.predict_proba(data).tobytes()
        assert list(loaded.predict(data)) == list(model.predict(data))


@pytest.mark.parametrize("name", UNSAVED)
def test_what_would_need_unpickling_is_not_saved(name, tmp_path):
    model = quick(name).fit(walks(), 2)
    with pytest.raises(TypeError, match=r"Tabular fitted by .* cannot be saved.*Fit it again"):
        model.save(tmp_path / "model")
    with pytest.raises(TypeError, match="cannot be saved"):
        quick("lstm", base=model).fit(walks(), 2).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_loading_never_unpickles(tmp_path, monkeypatch):
    """A model file with a pickle inside, its checksum made right, is refused and runs nothing."""
    model = quick("lstm").fit(walks(), 2)
    model.save(tmp_path / "model")

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "boom"), "w"))

    torch.save({"a0": Bomb()}, tmp_path / "model" / ARRAYS)
    head = json.loads((tmp_path / "model" / DESCRIPTION).read_text())
    head["sha256"] = _digest(head["model"], (tmp_path / "model" / ARRAYS).read_bytes())
    (tmp_path / "model" / DESCRIPTION).write_text(json.dumps(head))
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        fc.load_model(tmp_path / "model")
    assert not (tmp_path / "boom").exists()


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _edit(key, value):
    def edit(path):
        head = json.loads(path.read_text())
        head[key] = value
        path.write_text(json.dumps(head))

    return edit


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        (ARRAYS, _cut, r"model is damaged: .*Train the model again"),
        (ARRAYS, _flip, "is damaged"),
        (ARRAYS, lambda path: path.unlink(), "is not a model: it has no weights.pt"),
        (DESCRIPTION, lambda path: path.unlink(), "is not a model: it has no model.json"),
        (DESCRIPTION, _cut, "model.json is damaged"),
        (DESCRIPTION, lambda path: path.write_text("[]"), "reads format 2: install that version"),
        (
            DESCRIPTION,
            _edit("format", 3),
            r"written by forecast 0\.\d.*in format 3.*reads format 2: install that version",
        ),
        (DESCRIPTION, _edit("model", {"$model": "System", "params": {}, "state": {}}), "damaged"),
        (DESCRIPTION, _edit("model", 5), "damaged"),
        (DESCRIPTION, lambda path: path.write_text(path.read_text().replace("0.9", "0.8")), "damaged"),
    ],
)
def test_damage_is_named(file, damage, message, tmp_path):
    quick("lstm").fit(walks(), 2).save(tmp_path / "model")
    damage(tmp_path / "model" / file)
    with pytest.raises(ValueError, match=message):
        fc.load_model(tmp_path / "model")


def test_what_cannot_be_loaded_again_is_not_saved(tmp_path):
    class Own(fc.Naive):
        pass

    with pytest.raises(TypeError, match="only models of this package can be loaded"):
        quick("lstm", base=Own()).fit(walks(), 2).save(tmp_path / "model")
    with pytest.raises(ValueError, match="not fitted"):
        fc.Recurrent().save(tmp_path / "model")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds 'diary.txt', which is not part of a model"):
        fc.Naive().fit(walks(), 2).save(tmp_path / "notes")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes"]


def test_an_older_model_is_replaced_whole(tmp_path):
    prices = walks()
    quick("lstm").fit(prices, 2).save(tmp_path / "model")
    fc.Naive().fit(prices, 2).save(tmp_path / "model")
    assert isinstance(fc.load_model(tmp_path / "model"), fc.Naive)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


def test_what_is_no_model_says_so(tmp_path):
    (tmp_path / "model.py").write_text("")
    for place in (tmp_path, tmp_path / "nowhere", tmp_path / "model.py"):
        with pytest.raises(ValueError, match=r"is not a model: it has no model.json|is not a model: it has no"):
            fc.load_model(place)


def test_a_network_is_kept_as_it_was_fitted(tmp_path):
    """Parameters that are set after the fit change neither the model nor what is saved of it."""
    prices = walks()
    model = quick("lstm").fit(prices, 2)
    before = model.predict(prices)
    model.set_params(hidden=9, levels=(0.05, 0.5, 0.95), lookback=30)
    assert model.predict(prices).quantiles.tobytes() == before.quantiles.tobytes()
    assert model.predict(prices).levels == (0.1, 0.5, 0.9)
    x, y = np.random.default_rng(0).normal(size=(40, 5, 2)), np.array(["2020-01-01", "2021-01-01"] * 20, dtype="M8[ns]")
    classifier = fc.RecurrentClassifier(hidden=4, epochs=1).fit(x, y).set_params(hidden=9)
    loaded = _saved(classifier, tmp_path)
    assert loaded.predict_proba(x).tobytes() == classifier.predict_proba(x).tobytes()
    assert loaded.classes_.dtype == classifier.classes_.dtype


def test_the_folder_one_stands_in_is_not_replaced(tmp_path, monkeypatch):
    model = fc.Naive().fit(walks(), 2)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "real")
    for place in (".", "..", str(tmp_path / "link")):
        with pytest.raises(ValueError, match=r"holds the folder you are in|which is not part of a model"):
            model.save(place)
    monkeypatch.chdir(tmp_path)
    model.save("link")
    assert (tmp_path / "link").is_symlink()
    assert isinstance(fc.load_model(tmp_path / "real"), fc.Naive)
