"""scikit-learn's contract, kept without its base class: scikit-learn itself is asked whether it holds."""

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


class Theirs(BaseEstimator):
    """The parameters of a network, on scikit-learn's own base class."""

    __init__ = fc.Recurrent.__init__


@pytest.mark.parametrize("deep", [True, False])
def test_parameters_are_those_that_scikit_learn_would_find(deep):
    ours, theirs = fc.Recurrent(**NESTED), Theirs(**NESTED)
    assert ours.get_params(deep) == theirs.get_params(deep)


@pytest.mark.parametrize("name", fc.model_names())
def test_both_clones_copy_every_parameter_and_nothing_learnt(name):
    model = fc.make_model(name)
    model.learnt_ = 1
    for made in (clone(model), sklearn_clone(model)):
        assert type(made) is type(model)
        assert repr(made.get_params()) == repr(model.get_params())
        assert not hasattr(made, "learnt_")


def test_a_clone_shares_nothing_that_can_be_changed():
    model = fc.Recurrent(**NESTED)
    made = clone(model)
    made.set_params(trainer__lr=1.0, base__order=(2, 0, 0))
    assert model.trainer.lr == 3e-4
    assert model.base.order == (1, 0, 0)
    assert made.trainer.lr == 1.0
    several = fc.Ensemble([fc.Naive(), fc.Drift()])
    assert clone(several).models[1] is not several.models[1]
    fitted = fc.Naive().fit(np.arange(9.0), 1)
    for made in (clone([fitted])[0], clone((fitted,))[0], clone({"it": fitted})["it"]):
        assert not hasattr(made, "horizon_")


def test_estimators_of_scikit_learn_are_cloned_by_their_own_rule():
    pipeline = make_pipeline(StandardScaler(), Ridge(alpha=3.0)).fit(np.eye(3), np.arange(3.0))
    made = clone(fc.Tabular(pipeline)).estimator
    assert made[-1].alpha == 3.0
    assert not hasattr(made[-1], "coef_")


def test_what_has_no_parameters_is_copied_whole():
    values = np.arange(3.0)
    made = clone(values)
    made[0] = 9
    assert values[0] == 0


def test_a_name_that_is_no_parameter_is_refused_and_nothing_is_set():
    model = fc.Recurrent(**NESTED)
    with pytest.raises(ValueError, match=r"Recurrent has no parameter 'lookbak'; it has base, bidirectional"):
        model.set_params(hidden=3, lookbak=3)
    assert model.hidden == 16
    with pytest.raises(ValueError, match=r"Trainer has no parameter 'learning_rate'"):
        model.set_params(trainer__learning_rate=3)


class Stars(Estimator):
    def __init__(self, *windows):
        self.windows = windows


class Converts(Estimator):
    def __init__(self, rows=()):
        self.rows = list(rows)


def test_a_constructor_that_does_more_than_store_is_named():
    with pytest.raises(TypeError, match="the constructor of Stars takes any number of windows"):
        Stars(1, 2).get_params()
    with pytest.raises(RuntimeError, match="the constructor of Converts changes rows"):
        clone(Converts((1, 2)))


def test_it_shows_what_was_changed_and_reads_back():
    assert repr(fc.Recurrent()) == "Recurrent()"
    shown = repr(fc.Recurrent(**NESTED))
    assert shown == "Recurrent(base=ARIMA(order=(1, 0, 0)), lookback=30, trainer=Trainer(lr=0.0003, steps=7))"
    assert eval(shown, vars(fc)).get_params().keys() == fc.Recurrent(**NESTED).get_params().keys()


def test_scikit_learn_knows_whether_it_is_fitted():
    model = fc.Naive()
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    with pytest.raises(NotFittedError, match="this Naive is not fitted yet"):
        model.predict([1.0, 2.0])
    check_is_fitted(model.fit(np.arange(9.0), 1))


def test_a_walk_over_networks_loads_neither_scikit_learn_nor_scipy():
    code = (
        "import forecast as fc, numpy as np\nmodel = fc.Recurrent(lookback=12, trainer=fc.Trainer(steps=2))\n"
        "models = {'lstm': model, 'ridge': fc.Tabular(lookback=5)}\n"
        "fc.backtest(models, np.arange(90.0) % 7, fc.WalkForward(2, 3))\n"
        "import sys; print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in loaded
    assert not {"sklearn", "scipy", "statsmodels"} & set(loaded)
