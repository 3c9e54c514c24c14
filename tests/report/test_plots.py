"""The plots, and their tables against independent computations."""

from __future__ import annotations

import dataclasses
import types

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

import forecast as fc
from forecast.report import plots
from forecast.report.html import figures
from forecast.report.plots import (
    calibration,
    error_by_step,
    folds,
    plot_calibration,
    plot_error_by_step,
    plot_folds,
    plot_forecasts,
    plot_skill_through_time,
    plot_training,
    skill_through_time,
    training_curves,
)

PLOTS = [plot_error_by_step, plot_calibration, plot_forecasts, plot_skill_through_time]


def run(prices=None, cv=None, **more):
    prices = walks(220) if prices is None else prices
    return fc.backtest(
        {"drift": fc.Drift(), "weekly": fc.SeasonalNaive(5)}, prices, cv or fc.WalkForward(3, 12), **more
    )


@pytest.fixture(scope="module")
def result():
    return run(refit=4)


def named(result, names):
    """The run with models of these names: naive's rows, each with a small error."""
    rng = np.random.default_rng(0)
    own = result.forecasts[result.forecasts["model"] == "naive"]
    tables = [own.assign(model="naive")]
    tables += [own.assign(model=n, y_hat=own["y_hat"] * (1 + rng.normal(0, 0.003, len(own)))) for n in names]
    spec = result.spec | {"models": {n: {"class": "Drift", "params": {}} for n in ["naive", *names]}}
    return dataclasses.replace(result, forecasts=pd.concat(tables, ignore_index=True), spec=spec)


def test_error_by_step_is_an_rmse_ratio(result):
    table = error_by_step(result)
    assert list(dict.fromkeys(table["model"])) == ["drift", "weekly"]
    f = result.forecasts
    for row in table.itertuples():
        ratios = []
        for series in f["unique_id"].unique():
            rows = f[(f["unique_id"] == series) & (f["step"] == row.step)]
            rms = {
                m: np.sqrt(np.mean([(r.y - r.y_hat) ** 2 for r in rows.itertuples() if r.model == m]))
                for m in (row.model, "naive")
            }
            ratios.append(rms[row.model] / rms["naive"])
        assert row.error == pytest.approx(np.exp(np.mean(np.log(ratios))), rel=1e-12)
        assert row.skill == pytest.approx(1 - row.error**2, rel=1e-9)
        assert row.low < row.error < row.high
    by_step = result.verdict_by_step().set_index(["model", "step"])
    np.testing.assert_array_equal(
        table["p_holm"], by_step.loc[pd.MultiIndex.from_frame(table[["model", "step"]]), "p_holm"]
    )


@pytest.mark.medium
def test_skill_through_time_ends_at_the_skill():
    result = run(walks(300, series=1), cv=fc.WalkForward(3, 50))
    table = skill_through_time(result)
    assert (table["naive"] == 0).all()
    board = result.leaderboard()["skill"]
    for model in ("drift", "weekly"):
        assert table[model].iloc[-1] == pytest.approx(board[model], rel=1e-9)
    f = result.forecasts[result.forecasts["cutoff"] <= table.index[19]]
    squared = (f["y"] - f["y_hat"]) ** 2
    sums = squared.groupby(f["model"].astype(str)).sum()
    naive = result.forecasts[result.forecasts["model"] == "naive"]
    gain = (sums["naive"] - sums["weekly"]) / ((naive["y"] - naive["y_hat"]) ** 2).sum()
    assert table["weekly"].iloc[19] == pytest.approx(gain, rel=1e-9)


@pytest.mark.medium
def test_training_curves_contain_every_fit():
    models = {"lstm": quick("lstm", members=2, trainer=fc.Trainer(steps=45)), "drift": fc.Drift()}
    result = fc.backtest(models, walks(220), fc.WalkForward(3, 4), refit=2)
    table = training_curves(result)
    assert set(table["model"]) == {"lstm"}
    fits = table.groupby(["member", "cutoff"])
    assert len(fits) == 4
    assert (fits.size() == 20).all()
    assert (fits["step"].last() == 45).all()
    cutoff = result.forecasts["cutoff"].min()
    alone = models["lstm"].set_params(members=1).fit(walks(220).loc[:cutoff], 3)
    first = table[(table["member"] == 1) & (table["cutoff"] == cutoff)]["loss"]
    mean = [part.mean() for part in np.array_split(alone.history_["loss"].dropna().to_numpy(), 20)]
    np.testing.assert_allclose(first, mean, atol=1e-6)
    ax = plot_training(result)
    assert len(ax.lines) == 1
    assert ax.lines[0].get_ydata()[0] == pytest.approx(1)
    with pytest.raises(ValueError, match="no network was trained"):
        plot_training(run())


@pytest.mark.parametrize(
    "prices", [walks(220), walks(220).index, walks(220).to_numpy()], ids=["frame", "index", "rows"]
)
def test_folds_are_those_of_the_split(prices):
    cv = fc.WalkForward(3, 40, train_size=60, embargo=4)
    table = folds(cv, prices, refit=10)
    index = walks(220).index if not isinstance(prices, np.ndarray) else pd.RangeIndex(220)
    for row, fold in zip(table.itertuples(), cv.split(index), strict=True):
        assert row.cutoff == index[fold.cutoff]
        assert [row.train_first, row.train_last] == [index[fold.train.start], index[fold.train.stop - 1]]
        assert [row.test_first, row.test_last] == [index[fold.test.start], index[fold.test.stop - 1]]
    assert table["fitted"].tolist() == ([True] + [False] * 9) * 4
    ax = plot_folds(cv, prices, refit=10)
    assert len(ax.lines) == 2 * plots.MOST_FOLDS
    assert ax.get_title(loc="left").startswith("24 of 40 cutoffs")
    ax.figure.savefig("/dev/null", format="svg")


@pytest.mark.parametrize(("n", "refit"), [(200, 50), (200, 7), (60, 1), (90, 90)])
def test_every_refit_is_drawn(n, refit):
    cv = fc.WalkForward(2, n)
    fitted = folds(cv, walks(700), refit)["fitted"].to_numpy()
    drawn = plots.drawn_folds(fitted)
    assert fitted[drawn].sum() == fitted.sum()
    assert len(drawn) == max(plots.MOST_FOLDS, fitted.sum())
    ax = plot_folds(cv, walks(700), refit=refit)
    strong = [line for line in ax.lines if line.get_color() == plots.GREY and line.get_alpha() == 1]
    assert len(strong) == fitted.sum()
    if len(drawn) < n:
        assert "all refits" in ax.get_title(loc="left")


def test_intervals_of_comparable_models_are_complete(result):
    ax = plot_error_by_step(result)
    low, high = ax.get_ylim()
    table = error_by_step(result)
    farthest = (table["error"] - 1).abs().groupby(table["model"]).max()
    near = table[table["model"] == farthest.idxmin()]
    assert low < near["low"].min() < near["high"].max() < high


def test_intervals_that_leave_the_plot_have_arrows(result):
    def arrows(ax):
        return [(x, y) for line in ax.lines if line.get_marker() in ("^", "v") and line.get_linestyle() == "None"
                for x, y in zip(*line.get_data(), strict=True)]  # fmt: skip

    f = result.forecasts.copy()
    distant = f["model"] == "weekly"
    f.loc[distant, "y_hat"] += 5 * (f.loc[distant, "y_hat"] - f.loc[distant, "y0"])
    changed = dataclasses.replace(result, forecasts=f)
    ax, table = plot_error_by_step(changed), error_by_step(changed)
    low, high = ax.get_ylim()
    cut = (table["high"] > high).sum() + (table["low"] < low).sum()
    assert cut > 0
    assert len(arrows(ax)) == cut
    assert all(y in (low, high) for _, y in arrows(ax))
    assert f"arrows: intervals that go on, to {table['high'].max():.2f}" in ax.get_title(loc="left")
    alike = dataclasses.replace(result, forecasts=f[~distant])
    assert not arrows(plot_error_by_step(alike))
    assert plot_error_by_step(alike).get_title(loc="left") == ""


def test_calibration_counts_the_outcomes_below(result):
    shares = calibration(result)
    assert list(shares.columns) == [0.1, 0.5, 0.9]
    f = result.forecasts[result.forecasts["model"] == "drift"]
    by_hand = np.mean([(rows["y"] <= rows["q0.9"]).mean() for _, rows in f.groupby("unique_id", observed=True)])
    assert shares.loc["drift", 0.9] == pytest.approx(by_hand, rel=1e-12)


def test_calibration_leaves_out_models_without_quantiles(result):
    f = result.forecasts.copy()
    f.loc[f["model"] == "weekly", ["q0.1", "q0.5", "q0.9"]] = np.nan
    assert list(calibration(dataclasses.replace(result, forecasts=f)).index) == ["naive", "drift"]
    bare = dataclasses.replace(result, forecasts=f.drop(columns=["q0.1", "q0.5", "q0.9"]))
    assert calibration(bare).empty
    with pytest.raises(ValueError, match="no model of this run forecasts quantiles"):
        plot_calibration(bare)


def test_truth_is_the_stored_prices(result):
    prices = walks(220)
    y = plots.truth(result, "S1")
    assert y.index.is_monotonic_increasing
    assert y.index.is_unique
    pd.testing.assert_series_equal(y, prices["S1"].loc[y.index], check_names=False, check_freq=False)


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_return_axes_without_pyplot(result, plot):
    assert isinstance(plot(result), Axes)
    ax = Figure().add_subplot()
    assert plot(result, ax=ax) is ax
    assert not plt.get_fignums()


@pytest.mark.slow
@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    "prices",
    [
        walks(220).to_numpy(),
        walks(220).tz_localize("America/New_York"),
        walks(220).set_index(pd.date_range("2020-01-01 09:30", periods=220, freq="h")),
    ],
    ids=["undated", "time zone", "hours"],
)
def test_every_kind_of_index_is_plotted(prices, plot):
    plot(run(prices, refit=12)).figure.savefig("/dev/null", format="svg")


@pytest.mark.slow
@pytest.mark.parametrize("plot", PLOTS)
def test_names_are_text_and_not_clipped(result, plot):
    names = ["$\\frac{$", "a" * 80, "line\nbreak", "_hidden", "<b>&amp;</b>", "x", "y", "seven", "eighth"]
    ax = plot(named(result, names)) if plot is not plot_forecasts else plot(named(result, names), models=names)
    figure = ax.figure
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()  # of everything, texts included
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


@pytest.mark.parametrize("width", figures.WIDTHS)
@pytest.mark.medium
def test_figures_of_the_page_contain_all_their_texts(result, width, monkeypatch):
    names = ["a" * 16, "x", "y", "seven", "eighth"]
    run, drawn = named(result, names), []

    def with_table(forecasts):
        return dataclasses.replace(run, forecasts=forecasts)

    def savefig(figure, *_, **__):
        figure.draw_without_rendering()
        drawn.append((figure.get_tightbbox(), *figure.get_size_inches()))
        raise StopIteration

    monkeypatch.setattr(Figure, "savefig", savefig)
    for plot in PLOTS:
        for last in (1.0, 3.0):  # the second leaves the plot, and the title names it
            table = run.forecasts
            changed = table.assign(y_hat=table["y_hat"].where(table["model"] != "eighth", table["y_hat"] * last))
            with pytest.raises(StopIteration):
                plots.as_svg(lambda ax, plot=plot, table=changed: plot(with_table(table), ax=ax), 3.6, [width], "")
    assert len(drawn) == 2 * len(PLOTS)
    for box, page_width, height in drawn:
        assert min(box.x0, box.y0) >= -0.01
        assert box.x1 <= page_width + 0.01
        assert box.y1 <= height + 0.01
        assert box.x1 > page_width - 0.3  # no empty margin


def test_of_many_series_the_dots_are_evenly_spaced_in_order_of_skill(monkeypatch):
    result = run(walks(120, series=9), cv=fc.WalkForward(2, 8), refit=8)
    complete = fc.plot_by_series(result).lines
    monkeypatch.setattr(plots.skill_by_series, "MOST_DOTS", 5)
    for drawn, every in zip(fc.plot_by_series(result).lines[1:], complete[1:], strict=True):
        np.testing.assert_array_equal(np.sort(drawn.get_xdata()), np.sort(every.get_xdata())[::2])
        points = set(zip(*every.get_data(), strict=True))
        assert len(every.get_xdata()) == 9
        assert set(zip(*drawn.get_data(), strict=True)) <= points  # each at its height


def test_labels_do_not_overlap(result):
    ax = plot_error_by_step(named(result, [f"model {i}" for i in range(8)]))
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the line that connects it
    assert len(boxes) == 9
    for i, a in enumerate(boxes):
        assert not any(a.y0 < b.y1 - 1 and b.y0 < a.y1 - 1 for b in boxes[i + 1 :])


def test_outliers_do_not_flatten_the_others(result):
    f = result.forecasts.copy()
    outlier = f["model"] == "weekly"
    f.loc[outlier, "y_hat"] = f.loc[outlier, "y_hat"] * 2
    changed = dataclasses.replace(result, forecasts=f)
    ax = plot_error_by_step(changed)
    assert error_by_step(changed)["error"].max() > 20
    assert ax.get_ylim()[1] < 1.5
    assert "weekly (up to" in ax.get_title(loc="left")
    through = plot_skill_through_time(changed)
    assert through.get_ylim()[0] > -50
    assert "weekly (−" in through.get_title(loc="left")


def test_a_model_has_one_colour_in_all_plots(result):
    looks = plots.styles(result)
    assert looks["naive"].colour == plots.GREY
    assert len({style.colour for style in plots.styles(named(result, list("abcdefghij"))).values()}) == 11
    for plot in PLOTS:
        models = {"models": ["naive", "drift", "weekly"]} if plot is plot_forecasts else {}
        drawn = {line.get_color() for line in plot(result, **models).lines}
        assert {style.colour for style in looks.values()} <= drawn
    many = plots.styles(named(result, [f"m{i}" for i in range(20)]))
    assert len(set(many.values())) == 21  # colours are repeated with another dash


def test_forecasts_start_at_the_last_price(result):
    ax = plot_forecasts(result, series="S2", models=["drift"], cutoffs=1)
    f = result.forecasts
    path = f[(f["unique_id"] == "S2") & (f["model"] == "drift") & (f["cutoff"] == f["cutoff"].max())]
    line = next(line for line in ax.lines if line.get_color() == plots.styles(result)["drift"].colour)
    np.testing.assert_allclose(line.get_ydata(), [path["y0"].iloc[0], *path["y_hat"]])


def test_predictions_are_drawn_after_the_history():
    prices = walks(120)
    forecasts = {
        name: model.fit(prices, 4).predict(prices) for name, model in (("drift", fc.Drift()), ("last", fc.Naive()))
    }
    ax = plot_forecasts(forecasts, prices, series="S1")
    path, last, history = ax.lines
    np.testing.assert_allclose(path.get_ydata(), [prices["S1"].iloc[-1], *forecasts["drift"].point[0, 1]])
    np.testing.assert_array_equal(last.get_ydata(), [prices["S1"].iloc[-1]] * 5)
    np.testing.assert_array_equal(history.get_ydata(), prices["S1"].iloc[-plots.forecasts.ROWS :])
    expected = fc.next_dates(prices.index, 4)[0].to_numpy()
    np.testing.assert_array_equal(path.get_xdata()[1:], expected)
    assert [text.get_text() for text in ax.texts] == ["drift", "last"]  # there is no outcome yet
    (band,) = ax.collections
    assert band.get_paths()[0].get_extents().y1 == pytest.approx(forecasts["drift"].quantiles[0, 1, :, -1].max())


def test_all_intervals_of_a_forecast_are_drawn_and_known_outcomes_too():
    prices = walks(120)
    model = fc.Naive(levels=(0.05, 0.1, 0.5, 0.9, 0.95)).fit(prices, 3)
    ax = plot_forecasts(model.predict_at(prices, [90, 100, 110]), prices, cutoffs=2)
    assert len(ax.collections) == 4  # two cutoffs with two intervals
    assert ax.lines[-1].get_xdata()[-1] == prices.index[113].to_numpy()
    assert "truth" in [text.get_text() for text in ax.texts]
    ax.figure.savefig("/dev/null", format="svg")


def test_a_forecast_without_its_prices_is_an_error(result):
    prices = walks(120)
    forecast = fc.Naive().fit(prices, 3).predict(prices)
    with pytest.raises(TypeError, match="pass the prices too"):
        plot_forecasts(forecast)
    with pytest.raises(TypeError, match="a run has stored its prices"):
        plot_forecasts(result, prices)
    with pytest.raises(ValueError, match=r"no series 'S9'.*S0, S1, S2"):
        plot_forecasts(forecast, prices, series="S9")
    with pytest.raises(ValueError, match=r"no model 'lstm'.*forecast"):
        plot_forecasts(forecast, prices, models=["lstm"])
    with pytest.raises(ValueError, match="from which the forecast starts"):
        plot_forecasts(forecast, prices.iloc[:-1])
    with pytest.raises(ValueError, match="the prices have no series 'S0'"):
        plot_forecasts(forecast, prices.add_prefix("x"))


def test_unknown_names_are_errors(result):
    with pytest.raises(ValueError, match=r"no series 'S9'.*S0, S1, S2"):
        plot_forecasts(result, series="S9")
    with pytest.raises(ValueError, match=r"no model 'lstm'.*naive, drift, weekly"):
        plot_forecasts(result, models=["lstm"])


def test_nothing_to_plot_without_naive_error():
    still = run(pd.DataFrame({"y": np.full(120, 7.0)}))
    assert error_by_step(still).empty
    with pytest.raises(ValueError, match="never wrong"):
        plot_error_by_step(still)


@pytest.mark.parametrize("n", [1, 2, 9, 40])
def test_spread_preserves_order_and_gap(n):
    wanted = np.random.default_rng(n).beta(0.3, 0.3, n)
    positions = plots.spread(wanted, 0.05)
    ordered = positions[np.argsort(wanted, kind="stable")]
    assert (np.diff(ordered) >= min(0.05, 1 / max(n - 1, 1)) - 1e-12).all()
    assert positions.min() >= -1e-12
    assert positions.max() <= 1 + 1e-12
    apart = np.linspace(0, 1, 9)
    np.testing.assert_allclose(plots.spread(apart, 0.05), apart)


def _lines(ax):
    return {line.get_linestyle(): line for line in ax.lines}


@pytest.mark.medium
def test_history_of_a_forecaster():
    model = quick("lstm", members=2, trainer=fc.Trainer(steps=30, patience=30, lr=1e-2, batch_size=8))
    model.fit(100 + np.sin(np.arange(300) / 3), 2)
    assert model.history_["member"].nunique() == 2
    ax = fc.plot_history(model)
    solid = [line for line in ax.lines if line.get_linestyle() == "-"]
    first = model.history_[(model.history_["member"] == 1) & model.history_["loss"].notna()]
    np.testing.assert_allclose(solid[0].get_ydata(), first["loss"].rolling(20, min_periods=1).mean())
    labels = {text.get_text() for text in ax.texts}
    assert "member 1" in labels
    assert "member 2" in labels
    assert fc.plot_history(model, "norm").get_ylabel() == "norm"
    with pytest.raises(ValueError, match="no 'accuracy' in this history; it has loss, norm"):
        fc.plot_history(model, "accuracy")


def test_history_of_a_classifier():
    x = np.random.default_rng(0).normal(size=(80, 4, 1))
    model = fc.RecurrentClassifier(hidden=3, epochs=4).fit(x, x[:, 0, 0] > 0)
    for column in ("loss", "accuracy"):
        ax = fc.plot_history(model, column)
        lines = _lines(ax)
        np.testing.assert_array_equal(lines["-"].get_ydata(), model.history_[column])
        np.testing.assert_array_equal(lines["--"].get_ydata(), model.history_[f"validation_{column}"])
        assert {text.get_text() for text in ax.texts} == {"training", "validation"}
        assert ax.get_xlabel() == "epoch"


def test_gradient_flow_is_relative_to_its_maximum():
    flows = {
        "vanishing": pd.DataFrame({"input": 0.5 ** np.arange(20), "state": np.nan}),
        "constant": pd.DataFrame({"input": np.full(20, 3.0), "state": 1.0}),
    }
    ax = fc.plot_gradient_flow(flows)
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 0.5 ** np.arange(20))
    np.testing.assert_allclose(ax.lines[1].get_ydata(), 1)
    assert [text.get_text() for text in ax.texts] == ["vanishing", "constant"]
    with pytest.raises(ValueError, match="vanishing has no gradient of the state"):
        fc.plot_gradient_flow(flows, of="state")
    with pytest.raises(ValueError, match="of must be one of 'input', 'state'"):
        fc.plot_gradient_flow(flows, of="output")


@pytest.mark.medium
def test_notebooks_draw_axes_that_are_the_value_of_a_cell(monkeypatch):
    """Also before `%matplotlib inline`; pyplot's axes are left to pyplot."""
    _, other = plt.subplots()
    ipython = pytest.importorskip("IPython")
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    shell = types.SimpleNamespace(kernel=object(), display_formatter=formatter)
    monkeypatch.setattr(ipython, "get_ipython", lambda: shell)
    ax = plot_calibration(run())
    for value in (ax, ax.figure):
        assert formatter.format(value, include={"image/png"})[0]["image/png"].startswith(b"\x89PNG")
    assert formatter.format(other, include={"image/png"})[0] == {}
    plt.close("all")
