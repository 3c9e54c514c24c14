"""The audit: every model passes, and every planted leak is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.preparations import HONEST, HONEST_PERIODS, LEAKING, LEAKING_PERIODS
from helpers.quick import covering, quick, series_for, walks
from sklearn.base import BaseEstimator

import forecast as fc
from forecast.evaluation.preparation import Preparation
from forecast.models.naive import Naive

CV = fc.WalkForward(horizon=3, n_windows=6, step_size=4)
FEW = fc.WalkForward(horizon=3, n_windows=3, step_size=4)
SHORT = fc.WalkForward(horizon=1, n_windows=3, step_size=6)
DRIFT = fc.Drift(log=False)


def _failed(report):
    return [row.check for row in report.table.itertuples() if row.passed is False]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, _ in covering()])
def test_every_model_passes(name):
    """Of the networks, each cell and each topology; test_leakage.py has every pair of them."""
    report = fc.audit(quick(name), series_for(name, rows=120, series=2, late=True), FEW)
    assert report.passed, str(report)
    checks = report.table.set_index("check")
    assert checks.loc["freshness", "passed"] is (
        True if "hidden" in vars(quick(name)) and "one-to" not in name else None
    )
    assert "depend on the scale" not in checks.loc["prices × 10", "detail"]
    assert checks.loc["other sources", "passed"] is True
    assert checks.loc["cannot see", "passed"] is None
    assert len(checks) == 19


QUICK = ("log changes", "newest rows without labels")
QUICK_LEAKS = ("scale of all rows", "shift", "centred mean", "interpolation", "survivors", "without rows before a gap")


def _named(preparations, quick=()):
    return [
        pytest.param(f, id=name, marks=() if name in quick else pytest.mark.slow) for name, f in preparations.items()
    ]


@pytest.mark.parametrize("prepare", _named(HONEST, QUICK))
@pytest.mark.medium
def test_honest_preparations_pass(prepare):
    report = fc.audit(DRIFT, walks(130), SHORT, prepare)
    assert report.passed, str(report)
    checks = report.table.set_index("check")
    assert checks.loc["leakage: noise", "passed"] is True
    assert checks.loc["leakage: preparation", "passed"] is True


@pytest.mark.parametrize("prepare", _named(HONEST_PERIODS, ["MS mean"]))
@pytest.mark.medium
def test_honest_periods_pass(prepare):
    report = fc.audit(DRIFT, walks(1300), fc.WalkForward(horizon=1, n_windows=3), prepare)
    assert report.passed, str(report)


@pytest.mark.slow
def test_rows_with_gaps():
    """Rows with a missing value are dropped, in the past and after the cutoff."""
    raw = walks(130)
    raw.iloc[40, 0] = raw.iloc[100:103, 1] = raw.iloc[125, 2] = np.nan
    for prepare in (HONEST["complete rows"], HONEST["complete rows without labels"]):
        report = fc.audit(DRIFT, raw, SHORT, prepare)
        assert report.passed, str(report)


@pytest.mark.parametrize("prepare", _named(LEAKING, QUICK_LEAKS))
def test_leaks_in_the_preparation_are_found(prepare):
    report = fc.audit(DRIFT, walks(130), SHORT, prepare)
    assert not report.passed
    assert all(check.startswith(("leakage: ", "other sources")) for check in _failed(report)), str(report)
    assert "the preparation uses later rows: with raw rows after 2015-0" in str(report)


@pytest.mark.parametrize("prepare", _named(LEAKING_PERIODS, ["MS shifted"]))
def test_leaks_in_periods_are_found(prepare):
    report = fc.audit(DRIFT, walks(1300), fc.WalkForward(horizon=1, n_windows=3), prepare)
    assert any(check.startswith("leakage: ") for check in _failed(report)), str(report)


@pytest.mark.slow
def test_survivors_of_later_rows_are_found_where_none_dies():
    report = fc.audit(DRIFT, walks(130), SHORT, LEAKING["survivors"])
    row = report.table.set_index("check").loc["leakage: preparation"]
    assert row["passed"] is False
    assert (
        "the set of series changes by S0; look for columns that are chosen or dropped by later values" in row["detail"]
    )
    dying = walks(130)
    dying.iloc[120:, 1] = np.nan
    assert "leakage: preparation" in _failed(fc.audit(DRIFT, dying, SHORT, LEAKING["survivors"]))


def test_rows_of_the_preparation_are_explained():
    def detail(prepare):
        preparation = Preparation(walks(300), prepare, ())
        return preparation.describe()

    assert detail(lambda raw: raw) == "a row is known at its label"
    assert "2015-08-01 holds raw rows up to 2015-08-31" in detail(lambda raw: raw.resample("MS").last())
    assert detail(lambda raw: raw.resample("ME").last()) == "a row is known at its label"
    assert detail(lambda raw: raw.resample("MS").first()) == "a row is known at its label"
    assert "labels are lost" in detail(lambda raw: raw.to_numpy())


@pytest.mark.medium
def test_a_preparation_that_raises_is_reported():
    def strict(raw):
        if raw.isna().any(axis=None):
            raise ValueError("no gaps please")
        return raw

    report = fc.audit(DRIFT, walks(130), SHORT, strict)
    assert report.passed
    assert "leakage: nothing left: not tried: the preparation raises ValueError: no gaps please" in str(report)


class Means(Naive):
    """The mean of all training rows: a sum, whose last digits depend on the layout of the array."""

    def _fit(self, panel, horizon):
        super()._fit(panel, horizon)
        self.means_ = np.nanmean(panel.target, axis=0)

    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        object.__setattr__(forecast, "point", 0 * forecast.point + self.means_[:, None])
        return forecast


def test_a_model_that_sums_its_training_rows_passes():
    report = fc.audit(Means(), walks(130), SHORT)
    assert report.passed, str(report)


class Peeking(Naive):
    """Reads the rows between the cutoffs backwards, as a bidirectional aligned network would."""

    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        behind = panel.target[::-1].cumsum(axis=0)[::-1][rows]  # (K, N): a backward state
        object.__setattr__(forecast, "point", forecast.point + 1e-4 * behind[:, :, None])
        return forecast


class Tuning(Naive):
    """Tunes a parameter on all rows that it receives for forecasting."""

    def _predict_at(self, panel, rows):
        changes = np.abs(np.diff(panel.target, axis=0))
        forecast = super()._predict_at(panel, rows)
        object.__setattr__(forecast, "point", forecast.point * (1 + 1e-3 * np.nanmean(changes)))
        return forecast


class Random(Naive):
    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        object.__setattr__(forecast, "point", forecast.point * (1 + 1e-3 * np.random.default_rng().normal()))
        return forecast


class Counting(Naive):
    def _predict_at(self, panel, rows):
        self.calls_ = getattr(self, "calls_", 0) + 1
        return super()._predict_at(panel, rows)


class Base(Naive):
    """Reads the rows behind a view through the array that it is a view of."""

    def _predict_at(self, panel, rows):
        array = panel.values if panel.values.base is None else panel.values.base
        forecast = super()._predict_at(panel, rows)
        object.__setattr__(forecast, "point", forecast.point + 0.01 * np.nanmean(array))
        return forecast


class Ranked(Naive):
    """Ranks each value among those of all cutoffs in the pass, as a target encoding does."""

    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        rank = panel.target[rows].argsort(axis=0).argsort(axis=0)
        object.__setattr__(forecast, "point", forecast.point + 0.01 * rank[:, :, None])
        return forecast


class Longest(Naive):
    """Depends on the number of rows in the pass."""

    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        object.__setattr__(forecast, "point", forecast.point * (1 + 1e-4 * len(panel)))
        return forecast


@pytest.mark.slow
@pytest.mark.parametrize("model", [Peeking(), Tuning(), Base(), Ranked(), Longest()], ids=lambda m: type(m).__name__)
def test_leaks_in_the_model_are_found(model):
    failed = _failed(fc.audit(model, walks(130), SHORT))
    assert failed
    if not isinstance(model, Longest):
        assert "leakage: noise" in failed
    if not isinstance(model, Base):
        assert "many cutoffs at once" in failed


REAL = walks(130)


class FromElsewhere(fc.Forecaster):
    """The last value, and a part of the next real change, which is read by a rule."""

    def __init__(self, rule, share=1.0, by="label"):
        self.rule, self.share, self.by = rule, share, by

    def _fit(self, panel, horizon):
        pass

    def _predict(self, panel):
        real = self.rule()
        row = real.index.get_loc(panel.index[-1]) if self.by == "label" else len(panel) - 1
        changes = real.iloc[row + 1 : row + 1 + self.horizon_].to_numpy() - real.iloc[row].to_numpy()
        point = panel.target[-1] + self.share * changes  # (H, N)
        return fc.Forecast(point.T[None], None, (), panel.series, panel.index[-1:])


class Exact(FromElsewhere):
    def _predict(self, panel):
        real = self.rule()
        row = real.index.get_loc(panel.index[-1])
        point = real.iloc[row + 1 : row + 1 + self.horizon_].to_numpy()
        return fc.Forecast(point.T[None], None, (), panel.series, panel.index[-1:])


class Direction(FromElsewhere):
    def _predict(self, panel):
        forecast = super()._predict(panel)
        last = panel.target[-1][None, :, None]
        object.__setattr__(forecast, "point", last * (1 + 0.01 * np.sign(forecast.point - last)))
        return forecast


class Searching(FromElsewhere):
    """Finds the newest value in a table, and returns what followed."""

    def _predict(self, panel):
        real, last = self.rule(), panel.target[-1]
        rows = np.flatnonzero((real.to_numpy() == last).all(axis=1))
        known = len(rows) and rows[0] + self.horizon_ < len(real)
        point = real.iloc[rows[0] + 1 : rows[0] + 1 + self.horizon_].to_numpy() if known else last[None]
        return fc.Forecast(np.array(point).T[None], None, (), panel.series, panel.index[-1:])


class Intervals(Naive):
    """The point is honest, the intervals are centred on the next real value."""

    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        moves = (REAL.shift(-1) - REAL).fillna(0).loc[panel.index[rows]].to_numpy()
        object.__setattr__(forecast, "quantiles", forecast.quantiles + moves[:, :, None, None])
        return forecast


def _from_file():
    return pd.read_pickle(_from_file.path)


OUTSIDE = {
    "exact": Exact(lambda: REAL),
    "all of the next change": FromElsewhere(lambda: REAL),
    "half of it": FromElsewhere(lambda: REAL, 0.5),
    "a tenth of it": FromElsewhere(lambda: REAL, 0.1),
    "the opposite": FromElsewhere(lambda: REAL, -0.2),
    "by the number of rows": FromElsewhere(lambda: REAL, by="rows"),
    "direction": Direction(lambda: REAL),
    "file": FromElsewhere(_from_file),
    "search": Searching(lambda: REAL),
    "intervals": Intervals(),
}


@pytest.mark.parametrize("model", _named(OUTSIDE, ["half of it"]))
@pytest.mark.medium
def test_models_that_read_tomorrow_elsewhere_are_found(model, tmp_path):
    _from_file.path = tmp_path / "prices.pkl"
    REAL.to_pickle(_from_file.path)
    report = fc.audit(model, REAL, SHORT)
    assert set(_failed(report)) & {"other sources", "exactness"}, str(report)


@pytest.mark.slow
def test_preparations_that_read_tomorrow_elsewhere_are_found():
    moves = REAL.diff().shift(-1).fillna(0)
    for prepare in (lambda raw: raw + 0.3 * moves.reindex(raw.index).fillna(0), lambda raw: REAL):
        assert "other sources" in _failed(fc.audit(DRIFT, REAL, SHORT, prepare))
    rates = walks(130, seed=5)["S0"].to_numpy()
    report = fc.audit(DRIFT, REAL, SHORT, lambda raw: raw.assign(rate=rates[: len(raw)]))
    assert "cannot see where rate comes from" in str(report)


@pytest.mark.medium
def test_what_an_audit_cannot_see_is_printed():
    report = fc.audit(DRIFT, REAL, SHORT)
    assert "info    cannot see: what the model or the preparation reads elsewhere (a global, a file" in str(report)
    assert "survivorship" in str(report)
    assert "cannot see" in fc.audit.__doc__


@pytest.mark.slow
def test_constant_and_regular_series():
    """Forecasts that no price changes, and exact forecasts of a season, are no look-ahead."""
    zero = fc.audit(fc.Zero(), walks(130).diff().iloc[1:], SHORT)
    assert zero.passed, str(zero)
    season = pd.DataFrame({"a": np.tile([1.0, 5.0, 2.0, 7.0, 3.0], 40), "b": np.tile([3.0, 1.0, 9.0, 2.0, 5.0], 40)})
    report = fc.audit(fc.SeasonalNaive(5), season, SHORT)
    assert report.passed, str(report)


@pytest.mark.slow
def test_other_faults_are_found():
    assert "determinism" in _failed(fc.audit(Random(), walks(), CV))
    assert _failed(fc.audit(Counting(), walks(), CV)) == ["unchanged by forecasting"]


def test_a_stale_network_is_found():
    """Steps decoded from positions before the last, as in other toolkits."""
    model = quick("lstm-seq2seq").fit(walks(), 3)
    from forecast.models.recurrent.diagnostics import fresh_steps

    nets, batch = model.probe(walks())
    assert fresh_steps(nets[0], batch).all()

    class Stale(type(nets[0])):
        def forward(self, x, target=None, series=None, steps=None):
            late = super().forward(x[:, :-1], target, series, steps)
            now = super().forward(x, target, series, steps)
            return (
                late[:, :, [0, 0, 0]] * 0
                + late * (late.new_tensor([0.0, 1.0, 1.0])[:, None])
                + now * (late.new_tensor([1.0, 0.0, 0.0])[:, None])
            )

    nets[0].__class__ = Stale
    assert fresh_steps(nets[0], batch).tolist() == [True, False, False]


class Plain(BaseEstimator):
    """Not a Forecaster: any object with `fit` and `predict`."""

    def fit(self, prices, horizon):
        self.inner_ = fc.Naive().fit(prices, horizon)
        return self

    def predict(self, prices):
        return self.inner_.predict(prices)


@pytest.mark.slow
def test_models_of_other_packages():
    report = fc.audit(Plain(), walks(), CV)
    assert report.passed, str(report)
    with pytest.raises(TypeError, match=r"must have fit\(prices, horizon\) and predict\(prices\)"):
        fc.audit(object(), walks(), CV)


@pytest.mark.slow
def test_rows_change_with_all_fields():
    """A range needs its High above its Low, also in changed rows."""
    raw = fc.load_sample("sp500", fields="all").iloc[-300:]
    report = fc.audit(fc.HAR(), raw, CV, prepare=fc.parkinson)
    assert report.passed, str(report)
    reads = fc.audit(fc.Tabular(exog=("Volume",)), raw, CV)
    assert reads.passed, str(reads)


def test_invalid_input():
    long = walks().stack().rename_axis(["ds", "unique_id"]).rename("y").reset_index()
    with pytest.raises(TypeError, match="needs a wide table of numbers; the column"):
        fc.audit(fc.Naive(), long, CV)
    with pytest.raises(ValueError, match="at least 3 cutoffs"):
        fc.audit(fc.Naive(), walks(), fc.WalkForward(horizon=3, n_windows=2))


@pytest.mark.slow
def test_report_as_text():
    report = fc.audit(fc.Drift(log=False), walks(), CV, prepare=LEAKING["scale of all rows"])
    start = (
        "The audit is FAILED.\nFAILED  leakage: noise: the preparation uses later rows: with raw rows after 2015-07-10"
    )
    assert str(report).startswith(f"{start} changed (noise), S0 at 2015-01-01 was ")
    assert "look for a mean, scale, rank, threshold or fit over all rows" in str(report)
    assert repr(report) == str(report)
    assert "<strong>The audit is FAILED.</strong>" in report._repr_html_()
    assert isinstance(report.table, pd.DataFrame)
