"""Stored models: the same bytes after loading, nothing unpickled, damage reported."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers.quick import covering, quick, walks

import forecast as fc
from forecast._io import ARRAYS, DESCRIPTION
from forecast.models.serialize import decode, encode
from forecast.models.store import _digest

UNSAVED = ("boosting",)  # scikit-learn's estimators can only be read by unpickling
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


def _save_and_load(model, tmp_path):
    model.save(tmp_path / "model", replace=True)
    return fc.load_model(tmp_path / "model")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [*(name for name, _ in covering() if name not in UNSAVED), *OTHERS])
def test_loaded_model_forecasts_the_same_bytes(name, tmp_path):
    prices = walks(late=True)
    model = (OTHERS[name]() if name in OTHERS else quick(name)).fit(prices.iloc[:130], 3)
    loaded = _save_and_load(model, tmp_path)
    assert repr(loaded) == repr(model)
    for rows in ([129], [140, 150, 159]):
        ours, theirs = model.predict_at(prices, rows), loaded.predict_at(prices, rows)
        assert ours.quantiles.tobytes() == theirs.quantiles.tobytes()
        assert ours.point.tobytes() == theirs.point.tobytes()
    if hasattr(model, "history_"):
        assert loaded.history_.equals(model.history_)
    loaded.save(tmp_path / "second")
    second = fc.load_model(tmp_path / "second")
    assert second.predict(prices).quantiles.tobytes() == model.predict(prices).quantiles.tobytes()


def test_loaded_classifier_predicts_the_same_probabilities(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5, 2))
    y = np.where(x[:, 0, 0] > 0, "up", "down")
    for model, data in (
        (fc.RecurrentClassifier("gru", hidden=4, epochs=1).fit(x, y), x),
        (fc.RecurrentClassifier(hidden=4, epochs=1, lookback=10).fit(walks()), walks()),
        (fc.RecurrentClassifier(vocabulary=9, epochs=1).fit(rng.integers(1, 9, (60, 5)), y), [[1, 2], [8]]),
    ):
        loaded = _save_and_load(model, tmp_path)
        assert loaded.predict_proba(data).tobytes() == model.predict_proba(data).tobytes()
        assert list(loaded.predict(data)) == list(model.predict(data))


@pytest.mark.parametrize("name", UNSAVED)
@pytest.mark.medium
def test_models_that_need_unpickling_are_not_saved(name, tmp_path):
    model = quick(name).fit(walks(), 2)
    with pytest.raises(TypeError, match=r"Tabular fitted by .* cannot be saved.*Fit it again"):
        model.save(tmp_path / "model")
    with pytest.raises(TypeError, match="cannot be saved"):
        quick("lstm", base=model).fit(walks(), 2).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


class OpensFile:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_loading_never_unpickles(tmp_path):
    """Arrays that hold a pickle are refused, even with the right checksum."""
    quick("lstm").fit(walks(), 2).save(tmp_path / "model")
    content = io.BytesIO()
    np.savez(content, a0=np.array([OpensFile(str(tmp_path / "opened"))], dtype=object))
    (tmp_path / "model" / ARRAYS).write_bytes(content.getvalue())
    head = json.loads((tmp_path / "model" / DESCRIPTION).read_text())
    head["sha256"] = _digest(head["model"], (tmp_path / "model" / ARRAYS).read_bytes())
    (tmp_path / "model" / DESCRIPTION).write_text(json.dumps(head))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded when allow_pickle=False"):
        fc.load_model(tmp_path / "model")
    assert not (tmp_path / "opened").exists()


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
        (ARRAYS, lambda path: path.unlink(), "is not a model: it has no arrays.npz"),
        (DESCRIPTION, lambda path: path.unlink(), "is not a model: it has no model.json"),
        (DESCRIPTION, _cut, "model.json is damaged"),
        (DESCRIPTION, lambda path: path.write_text("[]"), "does not describe a model of this version"),
        (
            DESCRIPTION,
            _edit("format", 4),
            r"written by forecast 0\.\d.*in format 4.*reads format 5: install that version",
        ),
        (DESCRIPTION, _edit("model", {"class": "System", "params": {}, "state": {}}), "damaged"),
        (DESCRIPTION, _edit("model", 5), "damaged"),
        (DESCRIPTION, lambda path: path.write_text(path.read_text().replace("0.9", "0.8")), "damaged"),
    ],
)
def test_damage_is_reported(file, damage, message, tmp_path):
    quick("lstm").fit(walks(), 2).save(tmp_path / "model")
    damage(tmp_path / "model" / file)
    with pytest.raises(ValueError, match=message):
        fc.load_model(tmp_path / "model")


@pytest.mark.parametrize(
    "description",
    [
        None,
        5,
        [],
        {"naive": 1},
        {"class": "Pipeline", "params": {}},
        {"class": "Naive"},
        {"class": "Naive", "params": {}},
        {"class": "Naive", "params": 3},
        {"class": "Naive", "params": {"window": 3}},
        {"class": "Naive", "params": {}, "state": {"horizon_": {"array": "missing"}}},
        {"class": "Naive", "params": {}, "state": {"horizon_": {"float": "one"}}},
        {"class": "lstm", "params": {}},
        {"class": "Trainer", "params": {}},
    ],
    ids=str,
)
def test_a_description_that_was_written_by_hand_is_refused(description, tmp_path):
    """Even with the right checksum."""
    fc.Naive().fit(walks(), 2).save(tmp_path / "model")
    head = json.loads((tmp_path / "model" / DESCRIPTION).read_text())
    head |= {"model": description, "sha256": _digest(description, (tmp_path / "model" / ARRAYS).read_bytes())}
    (tmp_path / "model" / DESCRIPTION).write_text(json.dumps(head))
    with pytest.raises(ValueError, match=r"fitted model.*: train the model again"):
        fc.load_model(tmp_path / "model")


def test_models_that_cannot_be_loaded_are_not_saved(tmp_path):
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


def test_another_model_is_replaced_on_request_only(tmp_path):
    """Another class, other data or other parameters; the same model may be saved again."""
    prices, folder = walks(), tmp_path / "model"
    model = quick("lstm").fit(prices, 2)
    model.save(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    fc.load_model(folder).save(folder)
    others = [fc.Naive().fit(prices, 2), quick("lstm").fit(prices * 2 + 1, 2), quick("lstm", hidden=5).fit(prices, 2)]
    others.append(fc.RecurrentClassifier(hidden=4, epochs=1, lookback=10).fit(prices))
    for other in others:
        with pytest.raises(ValueError, match=r"model holds Recurrent fitted on S0, S1, S2 .*replace=True"):
            other.save(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    for other in others:
        other.save(folder, replace=True)
        assert type(fc.load_model(folder)) is type(other)
    with pytest.raises(ValueError, match=r"holds RecurrentClassifier .*replace=True"):
        model.save(folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]
    with pytest.raises(ValueError, match="replace must be"):
        model.save(folder, replace="yes")


def test_a_model_that_cannot_be_read_is_replaced_on_request_only(tmp_path):
    model = fc.Naive().fit(walks(), 2)
    model.save(tmp_path / "model")
    _edit("format", 4)(tmp_path / "model" / DESCRIPTION)
    with pytest.raises(ValueError, match=r"format 4.*; replace=True replaces it"):
        model.set_params(log=False).fit(walks(), 2).save(tmp_path / "model")
    model.save(tmp_path / "model", replace=True)
    assert isinstance(fc.load_model(tmp_path / "model"), fc.Naive)


def test_only_a_model_can_be_loaded(tmp_path):
    (tmp_path / "model.py").write_text("")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "model.py"):
        with pytest.raises(ValueError, match=r"is not a model: it has no model.json|is not a model: it has no"):
            fc.load_model(path)


def test_network_is_stored_as_fitted(tmp_path):
    """Parameters that are set after the fit change neither the network nor what can be stored of it."""
    prices = walks()
    model = quick("lstm").fit(prices, 2)
    before = model.predict(prices)
    model.set_params(hidden=9)
    with pytest.raises(ValueError, match="was fitted with hidden=4, and hidden is 9 now"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    loaded = _save_and_load(model.set_params(hidden=4), tmp_path)
    assert loaded.predict(prices).quantiles.tobytes() == before.quantiles.tobytes()
    assert loaded.predict(prices).levels == (0.1, 0.5, 0.9)
    x, y = np.random.default_rng(0).normal(size=(40, 5, 2)), np.array(["2020-01-01", "2021-01-01"] * 20, dtype="M8[ns]")
    classifier = fc.RecurrentClassifier(hidden=4, epochs=1).fit(x, y)
    with pytest.raises(ValueError, match="was fitted with hidden=4, and hidden is 9 now"):
        classifier.set_params(hidden=9).save(tmp_path / "model")
    loaded = _save_and_load(classifier.set_params(hidden=4), tmp_path)
    assert loaded.predict_proba(x).tobytes() == classifier.predict_proba(x).tobytes()
    assert loaded.classes_.dtype == classifier.classes_.dtype


def test_current_folder_is_not_replaced(tmp_path, monkeypatch):
    model = fc.Naive().fit(walks(), 2)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "real")
    for path in (".", "..", str(tmp_path / "link")):
        with pytest.raises(ValueError, match=r"holds the current folder|which is not part of a model"):
            model.save(path)
    monkeypatch.chdir(tmp_path)
    model.save("link")
    assert (tmp_path / "link").is_symlink()
    assert isinstance(fc.load_model(tmp_path / "real"), fc.Naive)


@pytest.mark.medium
def test_saving_a_baseline_does_not_import_torch(tmp_path):
    code = (
        "import sys, numpy as np, forecast as fc\n"
        "fc.Naive().fit(np.arange(20.0), 2).save(sys.argv[1])\n"
        "print(fc.load_model(sys.argv[1]), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "Naive() False\n"


VALUES = [
    (1, 2.5, "text", None, True),
    [1, (2, [3])],
    {"lookback": [30, 60], "trainer.lr": (1e-3, np.inf)},
    {"list": 1, "class": "Naive"},
    {(1, 2): -np.inf, "a": {"dict": ()}},
    pd.Timestamp("2024-01-01 10:00", tz="UTC"),
    fc.Trainer(steps=3),
    fc.Ensemble([fc.Naive(), fc.Tuned(fc.WindowMean(), {"window": [2, 5]})]),
    fc.ARIMA((1, 0, 1), exog=("Volume",)),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_parameters_survive_serialization(value):
    decoded = decode(json.loads(json.dumps(encode(value), allow_nan=False)))
    assert type(decoded) is type(value)
    assert repr(decoded) == repr(value)


def test_foreign_objects_are_not_serialized():
    for value in (np.arange(3), object(), np.mean, {1, 2}):
        with pytest.raises(TypeError, match="cannot be saved"):
            encode(value)
    with pytest.raises(ValueError, match="Pipeline is not a class of this package"):
        decode({"class": "Pipeline", "params": {}})
