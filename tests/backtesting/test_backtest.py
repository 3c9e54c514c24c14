"""The backtest's long table, which models are fitted when and on which rows, and saving and loading a run."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks
from pandas.testing import assert_frame_equal

import forecast as fc
from forecast import _io
from forecast.features.windows import forward_fill
from forecast.models.base import Forecast

FIRST_COLUMNS = ["unique_id", "cutoff", "step", "ds", "model", "member", "y0", "y", "y_hat"]
LAST_COLUMNS = ["scale", "age"]
SEEN: list[tuple] = []  # the rows that the models below received, in order


class Recorder(fc.Forecaster):
    """A user's model with _fit and _predict only: the last price."""

    def _fit(self, panel, horizon):
        SEEN.append(("fit", panel.index[0], panel.index[-1], len(panel)))
        self.fitted_at_ = panel.index[-1]

    def _predict(self, panel):
        SEEN.append(("predict", panel.index[0], panel.index[-1], len(panel), self.fitted_at_))
        last = forward_fill(panel.target)[-1]
        point = np.repeat(last[None, :, None], self.horizon_, axis=2)
        return Forecast(point, None, (), panel.series, panel.index[-1:])


class Faulty(Recorder):
    """Fails as its parameter specifies."""

    def __init__(self, fault="", after=0):
        self.fault = fault
        self.after = after  # fail only with more rows than this

    def _fit(self, panel, horizon):
        super()._fit(panel, horizon)
        if self.fault == "fit" and len(panel) > self.after:
            raise RuntimeError("cannot fit this")

    def _predict(self, panel):
        good = super()._predict(panel)
        if len(panel) <= self.after:
            return good
        point = {
            "nan": np.where(np.arange(self.horizon_) == 1, np.nan, good.point),
            "inf": good.point + np.inf,
            "longer": np.concatenate([good.point, good.point[:, :, -1:]], axis=2),
            "shorter": good.point[:, :, :-1],
            "fewer series": good.point[:, :-1],
            "more cutoffs": np.concatenate([good.point, good.point]),
        }.get(self.fault, good.point)
        quantiles = {
            "NaN among quantiles": np.stack([point - 1, np.full_like(point, np.nan), point + 1], axis=-1),
            "two quantiles for three levels": np.stack([point - 1, point + 1], axis=-1),
        }.get(self.fault)
        return Forecast(point, quantiles, () if quantiles is None else (0.1, 0.5, 0.9), good.series, good.cutoffs)


class FailsEarly(Recorder):
    """Fails where Faulty("fit", after=48) does not."""

    def _fit(self, panel, horizon):
        super()._fit(panel, horizon)
        if len(panel) <= 48:
            raise RuntimeError("too early")


@pytest.fixture(autouse=True)
def _forget():
    SEEN.clear()


@pytest.fixture(scope="module")
def prices():
    return walks(rows=60, series=2)


CV = fc.WalkForward(horizon=3, n_windows=4)


def test_the_table_and_its_columns(prices):
    table = fc.backtest({"naive": fc.Naive(), "drift": fc.Drift()}, prices, CV).forecasts
    assert list(table.columns) == [*FIRST_COLUMNS, "q0.1", "q0.5", "q0.9", *LAST_COLUMNS]
    assert len(table) == 2 * 4 * 2 * 3  # models, cutoffs, series, steps
    assert not table.duplicated(["unique_id", "cutoff", "step", "model", "member"]).any()
    assert list(table["model"].cat.categories) == ["naive", "drift"]
    assert list(table["unique_id"].cat.categories) == ["S0", "S1"]
    at = prices.index.get_indexer(table["cutoff"])
    assert sorted(set(at)) == [47, 50, 53, 56]
    column = prices.columns.get_indexer(table["unique_id"].astype(str))
    values = prices.to_numpy()
    np.testing.assert_array_equal(prices.index.get_indexer(table["ds"]), at + table["step"])
    np.testing.assert_array_equal(table["y0"], values[at, column])
    np.testing.assert_array_equal(table["y"], values[at + table["step"].to_numpy(), column])
    naive = table["model"] == "naive"
    np.testing.assert_array_equal(table.loc[naive, "y_hat"], table.loc[naive, "y0"])
    assert (table["member"] == 0).all()
    assert (table["age"] == 0).all()


def test_members_have_their_own_rows(prices):
    result = fc.backtest({"net": quick("lstm", members=3)}, prices, fc.WalkForward(2, 2), refit=2)
    net = result.forecasts[result.forecasts["model"] == "net"].set_index(["unique_id", "cutoff", "step"])
    assert net["member"].value_counts().to_dict() == {0: 8, 1: 8, 2: 8, 3: 8}
    each = net[net["member"] > 0].groupby(level=[0, 1, 2], observed=True)["y_hat"].median()
    own = net[net["member"] == 0]["y_hat"]
    np.testing.assert_allclose(own, each.loc[own.index], rtol=1e-12)
    assert (net[net["member"] > 0].groupby(level=[0, 1, 2], observed=True)["y_hat"].nunique() == 3).all()
    assert net.loc[net["member"] > 0, "q0.1"].isna().all()
    assert len(result.leaderboard()) == 2


@pytest.mark.parametrize("season", [1, 4])
def test_scale_is_computed_on_training_rows(prices, season):
    table = fc.backtest(fc.Naive(), prices, CV, season=season, refit=4).forecasts
    for (name, cutoff), rows in table.groupby(["unique_id", "cutoff"], observed=True):
        expected = prices.loc[:cutoff, name].diff(season).abs().mean()
        np.testing.assert_allclose(rows["scale"], expected, rtol=1e-12)


def test_refit_freezes_parameters_but_not_history(prices):
    result = fc.backtest({"recorder": Recorder(), "drift": fc.Drift(log=False)}, prices, CV, refit=3)
    ix = prices.index
    shown = [
        ("fit", ix[0], ix[47], 48),
        *[("predict", ix[0], ix[c], c + 1, ix[47]) for c in (47, 50, 53)],
        ("fit", ix[0], ix[56], 57),
        ("predict", ix[0], ix[56], 57, ix[56]),
    ]
    assert shown == SEEN
    table = result.forecasts
    ages = table.groupby("cutoff")["age"].unique()
    assert [list(age) for age in ages] == [[0], [3], [6], [0]]
    row = table[(table["model"] == "drift") & (table["cutoff"] == ix[53]) & (table["step"] == 2)].iloc[1]
    slope = (prices.iloc[47, 1] - prices.iloc[0, 1]) / 47  # of the rows up to the refit
    assert row["y_hat"] == pytest.approx(prices.iloc[53, 1] + 2 * slope, rel=1e-12)
    fits = result.fits[result.fits["model"] == "drift"]
    assert list(fits["cutoff"]) == [ix[47], ix[56]]
    assert list(fits["train_end"]) == [ix[47], ix[56]]
    assert fits["rows"].tolist() == [48, 57]
    assert fits["cutoffs"].tolist() == [3, 1]
    assert (fits["series"] == 2).all()
    assert (fits["error"] == "").all()


def test_rolling_training_rows_and_embargo(prices):
    cv = fc.WalkForward(3, 3, step_size=2, train_size=20, embargo=4)
    result = fc.backtest({"recorder": Recorder()}, prices, cv)
    ix, cutoffs = prices.index, (52, 54, 56)
    fits = [row for row in SEEN if row[0] == "fit"]
    assert fits == [("fit", ix[c - 23], ix[c - 4], 20) for c in cutoffs]
    assert [row[:4] for row in SEEN if row[0] == "predict"] == [("predict", ix[0], ix[c], c + 1) for c in cutoffs]
    assert result.fits["train_start"].tolist() == [ix[c - 23] for c in cutoffs] * 2  # naive and recorder
    assert (result.forecasts["age"] == 4).all()  # rows since the last one it was fitted on
    for cutoff, rows in result.forecasts.groupby("cutoff"):
        at = ix.get_loc(cutoff)
        expected = prices.iloc[at - 23 : at - 3].diff().abs().mean()
        np.testing.assert_allclose(rows["scale"], expected.loc[rows["unique_id"].astype(str)], rtol=1e-12)


class Unvalidated(fc.Naive):
    """Records the prices as the engine passes them, before `predict_at` validates and cuts them."""

    def predict_at(self, prices, cutoffs):
        SEEN.append((len(prices), list(cutoffs)))
        return super().predict_at(prices, cutoffs)


class Foreign:
    """A model of another package: not a Forecaster, and without parameters."""

    def fit(self, prices, horizon):
        self.horizon = horizon
        return self

    def predict_at(self, prices, cutoffs):
        SEEN.append((len(prices), list(cutoffs)))
        point = np.repeat(forward_fill(prices.target)[cutoffs][:, :, None], self.horizon, axis=2)
        return Forecast(point, None, (), prices.series, prices.index[cutoffs])


@pytest.mark.parametrize("model", [Unvalidated(), Foreign()], ids=["forecaster", "foreign"])
def test_no_row_after_the_last_cutoff_is_passed(model, prices):
    result = fc.backtest({"model": model}, prices, CV, refit=3)
    assert SEEN == [(54, [47, 50, 53]), (57, [56])]
    assert result.verdict().table["finding"].tolist() == ["identical"]
    assert result.spec["models"]["model"]["class"] == type(model).__name__


class OnlyPredict:
    """A model of another package that forecasts from the last row only."""

    def fit(self, prices, horizon):
        self.inner = fc.Naive().fit(prices, horizon)
        return self

    def predict(self, prices):
        return self.inner.predict(prices)


def test_foreign_model_may_have_predict_only(prices):
    result = fc.backtest({"foreign": OnlyPredict()}, prices, CV, refit=3)
    assert result.verdict().table["finding"].tolist() == ["identical"]


def test_naive_is_added(prices):
    result = fc.backtest(fc.Drift(), prices, CV)
    assert list(result.forecasts["model"].cat.categories) == ["naive", "drift"]
    assert list(result.spec["models"]) == ["naive", "drift"]
    own = fc.backtest({"drift": fc.Drift(), "naive": fc.Naive(levels=(0.25, 0.5, 0.75))}, prices, CV)
    assert list(own.forecasts["model"].cat.categories) == ["drift", "naive"]
    assert own.spec["models"]["naive"]["params"]["levels"] == [0.25, 0.5, 0.75]
    with pytest.raises(ValueError, match="'naive' is reserved for Naive"):
        fc.backtest({"naive": fc.Drift()}, prices, CV)


@pytest.mark.parametrize("models", [{}, [], {"a": 3}, None, [fc.Naive(), 3]])
def test_invalid_models_are_refused(models, prices):
    with pytest.raises(TypeError, match=r"[Ff]orecaster"):
        fc.backtest(models, prices, CV)


@pytest.mark.medium
def test_models_in_a_list_have_the_names_of_the_registry_or_of_their_class(prices):
    named = fc.backtest({"holt": fc.make_model("holt"), "drift": fc.Drift()}, prices, CV)
    for models in (["holt", fc.Drift()], ("holt", "drift"), {"holt": "holt", "drift": "drift"}):
        assert_frame_equal(fc.backtest(models, prices, CV).forecasts, named.forecasts)
    assert fc.backtest("drift", prices, CV).spec["models"] == fc.backtest(fc.Drift(), prices, CV).spec["models"]
    with pytest.raises(ValueError, match=r"no model 'lstn' \(did you mean 'lstm'"):
        fc.backtest(["arima", "lstn"], prices, CV)
    with pytest.raises(ValueError, match="two models are named 'drift': give each its own name"):
        fc.backtest([fc.Drift(), "drift"], prices, CV)


def test_a_leaderboard_is_printed_whole(prices):
    """Every row and column, with what pandas prints of a table by default; a table that is derived is a DataFrame."""
    board = fc.backtest(["drift", "ses", "theta", "window-mean"], prices, CV, refit=4).leaderboard()
    assert len(board) >= 5
    with pd.option_context("display.max_columns", 4, "display.max_rows", 4, "display.width", 40):
        printed, page = str(board).splitlines(), board._repr_html_()
    assert len(printed) == len(board) + 2
    for name in board.columns:
        assert name in printed[0]
        assert name in page
    assert type(board[["skill"]]) is pd.DataFrame
    assert type(board.reset_index()) is pd.DataFrame


class Demanding(fc.Drift):
    """A model that needs more rows than others."""

    def __init__(self, rows=6):
        super().__init__()
        self.rows = rows

    def min_rows(self, horizon):
        return self.rows


@pytest.fixture(scope="module")
def uneven():
    frame = walks(rows=60, series=5).set_axis(["complete", "late", "ended", "hole", "moved"], axis=1)
    frame.iloc[:46, 1] = np.nan  # 2 observed rows at the first cutoff, 5, 8 and 11 at the others
    frame.iloc[52:, 2] = np.nan
    frame.iloc[50, 3] = np.nan  # a cutoff
    frame.iloc[54, 4] = np.nan  # a target between cutoffs
    return frame


def test_skipped_series_are_listed_with_their_reason(uneven):
    result = fc.backtest({"demanding": Demanding(6)}, uneven, CV)
    date = [str(d.date()) for d in uneven.index]
    found = {(row.unique_id, row.reason): (row.cutoffs, row.first, row.last) for row in result.skipped.itertuples()}
    short = "fewer than 6 observed training rows"
    assert found == {
        ("late", short): (2, date[47], date[50]),
        ("ended", "not observed at the cutoff"): (2, date[53], date[56]),
        ("hole", "not observed at the cutoff"): (1, date[50], date[50]),
    }
    once = fc.backtest({"demanding": Demanding(6)}, uneven, CV, refit=4).skipped
    at_the_refit = once[once["reason"] == f"{short} at the last refit"]  # from the third cutoff on it has 8 rows
    assert (at_the_refit["unique_id"].tolist(), at_the_refit["cutoffs"].tolist()) == (["late"], [2])
    participants = result.forecasts.groupby(["cutoff", "model"], observed=True)["unique_id"].agg(lambda ids: set(ids))
    every = {"complete", "late", "ended", "hole", "moved"}
    expected = [every - {"late"}, every - {"late", "hole"}, every - {"ended"}, every - {"ended"}]
    for model in ("naive", "demanding"):  # every model forecasts the same series
        assert participants.xs(model, level="model").tolist() == expected
    assert result.fits["series"].tolist() == [4, 4, 5, 5] * 2
    assert fc.backtest(fc.Naive(), walks(rows=60), CV).skipped.empty


def test_missing_targets_have_rows_but_no_score(uneven):
    result = fc.backtest({"season": fc.SeasonalNaive(2)}, uneven, CV)
    holes = result.forecasts[result.forecasts["y"].isna()]
    assert set(holes.loc[holes["unique_id"] == "moved", "ds"]) == {uneven.index[54]}
    assert set(holes.loc[holes["unique_id"] == "ended", "ds"]) == {uneven.index[52], uneven.index[53]}
    assert holes["y_hat"].notna().all()
    assert result.scores().set_index(["model", "unique_id"])["n"].loc[("naive", "moved")] == 11
    assert np.isfinite(result.scores()[["mae", "mase"]]).all(axis=None)


def test_no_eligible_series_is_an_error(uneven):
    with pytest.raises(ValueError, match=r"long needs 103 observed training rows .* use prices of 115 rows"):
        fc.backtest({"long": Demanding(103)}, uneven, CV)


def test_failed_fit_is_raised_or_recorded(prices):
    models = {"faulty": Faulty("fit", after=48), "drift": fc.Drift()}
    with pytest.raises(RuntimeError, match="cannot fit this"):
        fc.backtest(models, prices, CV)
    result = fc.backtest(models, prices, CV, on_error="record")
    faulty = result.fits[result.fits["model"] == "faulty"]
    assert faulty["error"].tolist() == ["", *["RuntimeError: cannot fit this"] * 3]
    assert set(result.forecasts.loc[result.forecasts["model"] == "faulty", "cutoff"]) == {prices.index[47]}
    assert result.failures()["cutoff"].tolist() == list(prices.index[[50, 53, 56]])
    assert set(result.failures()["error"]) == {"RuntimeError: cannot fit this"}
    assert result.compared() == (6, 24)  # of four cutoffs one is left
    board = result.leaderboard()
    assert board["failures"].to_dict() == {"naive": 0, "faulty": 3, "drift": 0}
    with pytest.raises(ValueError, match="on_error must be one of 'raise', 'record'"):
        fc.backtest(models, prices, CV, on_error="ignore")


def test_failing_model_does_not_affect_the_others(prices, tmp_path):
    result = fc.backtest({"faulty": Faulty("fit"), "drift": fc.Drift()}, prices, CV, on_error="record")
    without = fc.backtest({"drift": fc.Drift()}, prices, CV)
    board = result.leaderboard()
    assert board.index[-1] == "faulty"
    assert board.loc["drift", "skill"] == without.leaderboard().loc["drift", "skill"]
    assert list(result.verdict().table["model"]) == ["drift"]
    assert repr(result)
    result.save(tmp_path / "run")
    assert fc.BacktestResult.load(tmp_path / "run").leaderboard().equals(board)


def test_models_without_common_rows_have_a_verdict(prices):
    models = {"faulty": Faulty("fit", after=0), "first": Faulty("fit", after=48), "late": FailsEarly()}
    result = fc.backtest(models, prices, CV, on_error="record")
    assert result.leaderboard()["failures"].to_dict() == {"naive": 0, "faulty": 4, "first": 3, "late": 1}
    assert str(result.verdict())


@pytest.mark.parametrize("fault", ["nan", "inf"])
def test_forecast_that_is_not_finite_is_an_error(fault, prices):
    with pytest.raises(ValueError, match=rf"faulty has no finite forecast for S0 .* {prices.index[50].date()}"):
        fc.backtest({"faulty": Faulty(fault, after=48)}, prices, CV)
    result = fc.backtest({"faulty": Faulty(fault, after=48)}, prices, CV, on_error="record")
    assert result.leaderboard().loc["faulty", "failures"] == 3


FAULTS = [
    "longer",
    "shorter",
    "fewer series",
    "more cutoffs",
    "NaN among quantiles",
    "two quantiles for three levels",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_forecasts_of_wrong_shape_are_refused(fault, prices):
    with pytest.raises(ValueError, match="faulty"):
        fc.backtest({"faulty": Faulty(fault)}, prices, CV)


def test_models_and_prices_are_not_changed(prices):
    net = quick("gru", base=fc.Drift())
    models = {"own": Recorder(), "net": net}
    before, frame = copy.deepcopy({name: vars(model) for name, model in models.items()}), prices.copy()
    result = fc.backtest(models, prices, fc.WalkForward(2, 2), refit=2)
    assert list(models) == ["own", "net"]
    assert {name: sorted(vars(model)) for name, model in models.items()} == {n: sorted(v) for n, v in before.items()}
    assert repr(net) == repr(quick("gru", base=fc.Drift()))
    assert not [key for model in (net.base, net.trainer) for key in vars(model) if key.endswith("_")]
    assert_frame_equal(prices, frame)
    own = result.forecasts[result.forecasts["model"] == "own"]
    np.testing.assert_array_equal(own["y_hat"], own["y0"])
    assert own["q0.5"].isna().all()  # it has no quantiles
    assert own["q0.1"].isna().all()
    assert np.isnan(result.leaderboard().loc["own", "coverage"])
    assert result.verdict().table.set_index("model").loc["own", "finding"] == "identical"


@pytest.fixture(scope="module")
def small(prices):
    models = {"drift": fc.Drift(), "net": quick("lstm", members=2)}
    return fc.backtest(models, prices, fc.WalkForward(2, 4), refit=2)


@pytest.mark.slow
def test_number_of_processes_changes_no_byte(small, prices, tmp_path):
    models = {"drift": fc.Drift(), "net": quick("lstm", members=2)}
    calls = []
    parallel = fc.backtest(models, prices, fc.WalkForward(2, 4), refit=2, n_jobs=2, progress=lambda *n: calls.append(n))
    assert calls == [(done, 8) for done in range(1, 9)]  # naive, drift and two members, at two cutoffs
    for name, result in (("one", small), ("two", parallel)):
        result.save(tmp_path / name)
    one, two = (tmp_path / name for name in ("one", "two"))
    assert (one / _io.FORECASTS).read_bytes() == (two / _io.FORECASTS).read_bytes()
    assert (one / _io.SPEC).read_text() == (two / _io.SPEC).read_text()
    seconds = ["seconds_fit", "seconds_predict"]
    assert_frame_equal(small.fits.drop(columns=seconds), parallel.fits.drop(columns=seconds))


@pytest.mark.parametrize("kind", ["dated", "numbered", "uneven"])
def test_saving_and_loading_loses_nothing(kind, small, uneven, tmp_path):
    result = small
    if kind == "numbered":
        result = fc.backtest({"drift": fc.Drift()}, walks(rows=60).to_numpy(), CV)
        assert result.forecasts["cutoff"].dtype == np.int64
    if kind == "uneven":
        result = fc.backtest(
            {"season": fc.SeasonalNaive(2), "faulty": Faulty("fit", 50)}, uneven, CV, on_error="record"
        )
    result.save(tmp_path / "deep" / "run")
    loaded = fc.BacktestResult.load(tmp_path / "deep" / "run")
    assert_frame_equal(loaded.forecasts, result.forecasts, check_exact=True, check_categorical=True)
    assert_frame_equal(loaded.fits, result.fits, check_exact=True)
    assert_frame_equal(loaded.skipped, result.skipped, check_exact=True)
    assert loaded.spec == result.spec
    assert list(loaded.forecasts["model"].cat.categories) == list(result.forecasts["model"].cat.categories)
    assert_frame_equal(loaded.leaderboard(), result.leaderboard())
    assert str(loaded.verdict()) == str(result.verdict())


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_only_a_run_is_replaced_by_a_run(small, tmp_path):
    run = tmp_path / "run"
    small.save(run)
    (run / _io.REPORT).write_text("from the old run")
    small.save(run)
    assert listing(tmp_path) == ["run", *[f"run/{name}" for name in sorted((_io.FITS, _io.FORECASTS, _io.SPEC))]]
    (tmp_path / "empty").mkdir()
    small.save(tmp_path / "empty")
    for name in ("mine", "note.txt"):
        path = tmp_path / name
        path.mkdir() if name == "mine" else path.write_text("keep me")
        if name == "mine":
            (path / "thesis.tex").write_text("keep me")
        before = listing(tmp_path)
        with pytest.raises(ValueError, match=r"thesis.tex|is a file"):
            small.save(path)
        assert listing(tmp_path) == before


def interrupted_write(run: Path, stop: type[BaseException]) -> None:
    with _io.atomic_folder(run, _io.RUN) as folder:
        (folder / _io.FORECASTS).write_text("partial")
        raise stop


def test_interrupted_write_leaves_the_old_run(small, tmp_path):
    run = tmp_path / "run"
    small.save(run)
    before = {name: (run / name).read_bytes() for name in (_io.FORECASTS, _io.FITS, _io.SPEC)}
    for stop in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(stop):
            interrupted_write(run, stop)
        assert listing(tmp_path) == ["run", *[f"run/{name}" for name in sorted(before)]]
        assert {name: (run / name).read_bytes() for name in before} == before


def test_failed_replacement_restores_the_old_run(small, tmp_path, monkeypatch):
    run = tmp_path / "run"
    small.save(run)
    rename = Path.rename

    def fails_to_replace(self, target):
        if Path(target) == run and not self.name.endswith("-old"):
            raise OSError("no space left")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_to_replace)
    with pytest.raises(ValueError, match=r"^cannot write to .*/run: no space left"):
        small.save(run)
    assert fc.BacktestResult.load(run).spec == small.spec
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_only_a_run_can_be_loaded(small, tmp_path):
    with pytest.raises(ValueError, match=r"is not a run: it has no spec.json"):
        fc.BacktestResult.load(tmp_path)
    small.save(tmp_path / "run")
    (tmp_path / "run" / _io.FITS).write_bytes(b"PAR1 not")
    with pytest.raises(ValueError, match=r"fits.parquet cannot be read"):
        fc.BacktestResult.load(tmp_path / "run")
    (tmp_path / "run" / _io.SPEC).write_text("{")
    with pytest.raises(ValueError, match=r"spec.json is damaged"):
        fc.BacktestResult.load(tmp_path / "run")


def test_missing_interval_is_reported_with_its_reason():
    frame = walks(series=2)
    frame.iloc[::2, 1] = np.nan  # never two successive rows
    message = "naive has no finite forecast for S1 at the cutoff .*, as no two observed rows of S1 are 1 apart"
    with pytest.raises(ValueError, match=message):
        fc.backtest(fc.Drift(), frame, fc.WalkForward(horizon=3, n_windows=4))


def test_reasons_are_those_of_the_series_itself():
    class WarnsOfEverySeries(Faulty):
        def _fit(self, panel, horizon):
            super()._fit(panel, horizon)
            of_others, of_a = (
                ("AA is odd", "A.B is odd", "A-B is odd", "All are odd"),
                ("'A' is short", "A: no trades", "odd: A"),
            )
            for message in (*of_others, *of_a):
                warnings.warn(message, UserWarning, stacklevel=2)

    with pytest.raises(ValueError, match=r"for A at the cutoff [\d-]+: 'A' is short: A: no trades: odd: A\n"):
        fc.backtest(WarnsOfEverySeries("nan"), walks(series=2).set_axis(["A", "AA"], axis=1), CV)


def test_run_without_naive_forecasts_is_an_error():
    class Failing(fc.Naive):
        def _fit(self, panel, horizon):
            raise ValueError("fails")

    with pytest.raises(ValueError, match=r"naive has no forecast.*naive: ValueError: fails"):
        fc.backtest({"naive": Failing(), "drift": fc.Drift()}, walks(), fc.WalkForward(2, 3), on_error="record")
