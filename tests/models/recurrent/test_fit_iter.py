"""fit_iter: the records of a training while it runs, and a model that is as fit leaves it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.quick import quick, walks
from pandas.testing import assert_frame_equal
from sklearn.exceptions import NotFittedError

import forecast as fc


@pytest.mark.parametrize("options", [{}, {"members": 2}, {"trainer": fc.Trainer(steps=30, lr=0.01, patience=20)}])
def test_the_records_are_the_history_and_the_model_is_that_of_fit(options):
    prices = 100 + np.random.default_rng(0).normal(size=(150, 2))  # of which a network learns the mean
    model, fitted = quick("lstm", **options), quick("lstm", **options).fit(prices, 2)
    records = list(model.fit_iter(prices, 2))
    trained = fitted.history_[fitted.history_["loss"].notna()].reset_index(drop=True)
    assert_frame_equal(pd.DataFrame(records)[list(trained)].drop(columns="seconds"), trained.drop(columns="seconds"))
    np.testing.assert_array_equal(model.predict(prices).quantiles, fitted.predict(prices).quantiles)
    assert len(records) >= 2
    assert any(record["validation"] == record["validation"] for record in records) == ("trainer" in options)
    assert (np.diff([record["seconds"] for record in records if record["member"] == 1]) >= 0).all()


def test_leaving_the_loop_leaves_the_model_as_it_was():
    prices, threads, model = walks(150), torch.get_num_threads(), quick("lstm")
    for record in model.fit_iter(prices, 2):
        if record["step"] == 2:
            break
    with pytest.raises(NotFittedError):
        model.predict(prices)
    before = model.fit(prices, 2).predict(prices).quantiles
    steps = model.fit_iter(walks(150, series=1), 5)
    next(steps)
    steps.close()
    np.testing.assert_array_equal(model.predict(prices).quantiles, before)
    assert torch.get_num_threads() == threads


def test_a_fine_tuned_network_has_no_records():
    with pytest.raises(ValueError, match="fit_iter has no records of start='pretrained': call fit"):
        next(fc.Recurrent(start="pretrained").fit_iter(walks(150), 2))
