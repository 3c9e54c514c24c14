"""scikit-learn's contract for estimators, without its base class but tested with scikit-learn itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.base import clone as sklearn_clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

import forecast as fc
from forecast._estimator import Estimator, clone

NESTED = {"lookback": 30, "base": fc.ARIMA((1, 0, 0)), "trainer": fc.Trainer(steps=7, lr=3e-4)}


class SklearnRecurrent(BaseEstimator):
    """The parameters of a network, on scikit-learn's base class."""

    __init__ = fc.Recurrent.__init__


@pytest.mark.parametrize("deep", [True, False])
def test_parameters_equal_those_of_scikit_learn(deep):
    ours, theirs = fc.Recurrent(**NESTED), SklearnRecurrent(**NESTED)
    assert ours.get_params(deep) == theirs.get_params(deep)


@pytest.mark.parametrize("name", fc.model_names())
def test_clones_copy_parameters_and_no_fitted_state(name):
    model = fc.make_model(name)
    model.fitted_ = 1
    for copied in (clone(model), sklearn_clone(model)):
        assert type(copied) is type(model)
        assert repr(copied.get_params()) == repr(model.get_params())
        assert not hasattr(copied, "fitted_")


def test_clone_shares_no_mutable_state():
    model = fc.Recurrent(**NESTED)
    copied = clone(model)
    copied.set_params(trainer__lr=1.0, base__order=(2, 0, 0))
    assert model.trainer.lr == 3e-4
    assert model.base.order == (1, 0, 0)
    assert copied.trainer.lr == 1.0
    ensemble = fc.Ensemble([fc.Naive(), fc.Drift()])
    assert clone(ensemble).models[1] is not ensemble.models[1]
    fitted = fc.Naive().fit(np.arange(9.0), 1)
    for copied in (clone([fitted])[0], clone((fitted,))[0], clone({"it": fitted})["it"]):
        assert not hasattr(copied, "horizon_")


def test_sklearn_estimators_are_cloned_by_their_own_rule():
    pipeline = make_pipeline(StandardScaler(), Ridge(alpha=3.0)).fit(np.eye(3), np.arange(3.0))
    copied = clone(fc.Tabular(pipeline)).estimator
    assert copied[-1].alpha == 3.0
    assert not hasattr(copied[-1], "coef_")


def test_objects_without_parameters_are_deep_copied():
    values = np.arange(3.0)
    copied = clone(values)
    copied[0] = 9
    assert values[0] == 0


def test_unknown_name_is_refused_and_nothing_is_set():
    model = fc.Recurrent(**NESTED)
    with pytest.raises(ValueError, match=r"Recurrent has no parameter 'lookbak'; it has base, bidirectional"):
        model.set_params(hidden=3, lookbak=3)
    assert model.hidden is None
    with pytest.raises(ValueError, match=r"Trainer has no parameter 'learning_rate'"):
        model.set_params(trainer__learning_rate=3)


class Variadic(Estimator):
    def __init__(self, *windows):
        self.windows = windows


class Converts(Estimator):
    def __init__(self, rows=()):
        self.rows = list(rows)


def test_constructor_that_does_not_only_store_is_named():
    with pytest.raises(TypeError, match="the constructor of Variadic takes any number of windows"):
        Variadic(1, 2).get_params()
    with pytest.raises(RuntimeError, match="the constructor of Converts changes rows"):
        clone(Converts((1, 2)))


def test_repr_shows_changed_parameters_and_evaluates():
    assert repr(fc.ARIMA()) == "ARIMA()"
    text = repr(fc.ARIMA(order=(1, 0, 0), levels=(0.2, 0.5)))
    assert text == "ARIMA(levels=(0.2, 0.5), order=(1, 0, 0))"
    assert eval(text, vars(fc)).get_params() == fc.ARIMA((1, 0, 0), levels=(0.2, 0.5)).get_params()


def test_repr_of_a_network_shows_its_cell_and_topology():
    assert repr(fc.Recurrent()) == "Recurrent(cell='lstm', topology='many-to-many')"
    assert repr(fc.RecurrentClassifier("gru")) == "RecurrentClassifier(cell='gru')"
    assert repr(fc.Recurrent(start="pretrained")) == "Recurrent(start='pretrained')"
    text = repr(fc.Recurrent(**NESTED))
    assert text == (
        "Recurrent(base=ARIMA(order=(1, 0, 0)), cell='lstm', lookback=30, topology='many-to-many', "
        "trainer=Trainer(lr=0.0003, steps=7))"
    )
    assert eval(text, vars(fc)).get_params().keys() == fc.Recurrent(**NESTED).get_params().keys()


def test_sklearn_check_is_fitted_works():
    model = fc.Naive()
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    with pytest.raises(NotFittedError, match="this Naive is not fitted yet"):
        model.predict([1.0, 2.0])
    check_is_fitted(model.fit(np.arange(9.0), 1))


@pytest.mark.slow
def test_backtest_of_networks_loads_no_sklearn_or_scipy():
    code = (
        "import forecast as fc, numpy as np\nmodel = fc.Recurrent(lookback=12, trainer=fc.Trainer(steps=2))\n"
        "models = {'lstm': model, 'ridge': fc.Tabular(lookback=5)}\n"
        "fc.backtest(models, np.arange(90.0) % 7, fc.WalkForward(2, 3))\n"
        "import sys; print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in loaded
    assert not {"sklearn", "scipy", "statsmodels"} & set(loaded)
