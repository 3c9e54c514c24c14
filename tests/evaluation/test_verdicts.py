"""The verdicts of a run: a sentence on each question, and whether a network is worth its training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.losses import correlated_errors, table_of_errors

import forecast as fc
from forecast.evaluation import Question, Verdicts, verdict


def question(loss: str = "squared", n: int = 40, arimas: tuple[str, ...] = (), **scales: float) -> Question:
    """Return the verdicts of models with errors, and quantile errors, of these sizes; "net" is a network."""
    table = table_of_errors(correlated_errors(n=n, **scales))
    for level in (0.1, 0.5, 0.9):
        table[f"q{level:g}"] = table["y_hat"] + 0.1 * (level - 0.5)
    networks = [name for name in scales if name.startswith("net")]
    others = tuple(verdict(table, 1, against=name, models=networks, loss=loss) for name in arimas)
    return Question(verdict(table, 1, loss=loss), others)


def on_network(*verdicts: Question, networks: tuple[str, ...] = ("net",)) -> str:
    return Verdicts(verdicts, networks).on_networks


@pytest.mark.parametrize(
    ("scales", "arimas", "sentence"),
    [
        ({"net": 1.0}, (), "no: net does not beat naive"),
        ({"net": 0.5}, (), "yes: net beats naive"),
        ({"net": 1.0, "arima": 0.5}, ("arima",), "no: net does not beat naive"),
        ({"net": 0.5, "arima": 1.0}, ("arima",), "yes: net beats naive and arima"),
        ({"net": 0.5, "arima": 0.5}, ("arima",), "no: net beats naive, but none beats arima"),
        ({"net": 0.5, "arima": 0.2}, ("arima",), "no: net beats naive, but arima is better"),
        ({"net": 0.2, "arima": 0.5, "other": 0.6}, ("arima", "other"), "yes: net beats naive, arima and other"),
    ],
)
def test_sentence_on_a_network(scales, arimas, sentence):
    text = on_network(question(naive=1, arimas=arimas, **scales))
    assert text == f"A network? For the forecast itself, {sentence}."


def test_several_networks():
    networks = ("net1", "net2")
    neither = on_network(question(naive=1, net1=1.001, net2=1.002), networks=networks)
    assert neither == "A network? For the forecast itself, no: none beats naive."
    both = on_network(question(naive=1, net1=0.5, net2=0.4, arima=1.0, arimas=("arima",)), networks=networks)
    assert both == "A network? For the forecast itself, yes: net2 and net1 beat naive and arima."
    one = on_network(question(naive=1, net1=0.5, net2=0.1, arima=0.5, arimas=("arima",)), networks=networks)
    assert one == "A network? For the forecast itself, yes: net2 beats naive and arima."


def test_spreads_that_cannot_be_compared_are_named():
    sentences = Verdicts((question(naive=1, net=0.5),), ("net",), shares_no_levels=True).sentences
    assert sentences[1] == (
        "How far may it be off: not compared, as the models with quantiles share no level below .5 and one above."
    )


@pytest.mark.medium
def test_two_questions():
    point, spread = question(naive=1, net=0.5), question("pinball", naive=1, net=0.5)
    assert on_network(point, spread) == "A network? Yes, for both: net beats naive."
    poor, wide = question(naive=1, net=1.0), question("pinball", naive=1, net=1.0)
    assert on_network(poor, wide) == (
        "A network? No, neither for the forecast itself nor for the range: net does not beat naive."
    )
    assert on_network(poor, spread) == (
        "A network? For the forecast itself, no: net does not beat naive; for the range, yes: net beats naive."
    )


def test_no_sentence_on_networks():
    assert on_network(question(naive=1, drift=0.5), networks=()) == ""
    assert on_network(question(naive=1)) == ""
    against_network = Question(verdict(table_of_errors(correlated_errors(naive=1, net=0.5)), 1, against="net"))
    assert on_network(against_network) == ""
    short = on_network(question(n=1, naive=1, net=0.5))
    assert short == "A network? For the forecast itself, undecided: the run is too short for a test."


def test_runs_that_could_not_have_shown_a_difference_are_undecided():
    errors = np.random.default_rng(0).standard_cauchy((3, 6))
    table = table_of_errors(dict(zip(("naive", "net", "drift"), errors, strict=True)))
    point = Question(verdict(table, 1))
    smallest = point.verdict.table["detectable"].min()
    assert smallest > 0.5
    assert point.verdict.sentence == (
        "Where will it be: no model is shown to beat naive, the last value; 6 cutoffs are too few to find a true skill "
        f"below {smallest:.0%}."
    )
    assert on_network(point) == (
        f"A network? For the forecast itself, undecided: the run is too short to find a skill below {smallest:.0%}."
    )


def test_text_of_verdicts():
    verdicts = Verdicts((question(naive=1, net=0.5, arima=0.5, arimas=("arima",)),), ("net",))
    main, against_arima = list(verdicts)
    assert verdicts.main == [main]
    assert verdicts.sentences == [main.sentence, verdicts.on_networks]
    text, html = str(verdicts), verdicts._repr_html_()
    for shown in (*verdicts.sentences, *main.details, *against_arima.details):
        assert shown in text
    for sentence in verdicts.sentences:
        assert sentence in html
    assert "Where will it be, against arima: 40 cutoffs" in text


@pytest.fixture(scope="module")
def run():
    net = fc.Recurrent("rnn", hidden=4, lookback=8, trainer=fc.Trainer(steps=3, batch_size=8))
    models = {"arima": fc.ARIMA((1, 0, 0)), "net": net, "wide": fc.Drift(levels=(0.05, 0.1, 0.5, 0.9, 0.95))}
    return fc.backtest(models, fc.load_sample("simulated")[["ar1"]], fc.WalkForward(1, 20), refit=20)


@pytest.mark.medium
def test_verdicts_of_a_run(run):
    verdicts = run.verdicts()
    assert [(v.loss, v.against) for v in verdicts] == [
        ("squared", "naive"), ("squared", "arima"), ("pinball", "naive"), ("pinball", "arima"),
    ]  # fmt: skip
    assert [v.loss for v in verdicts.main] == ["squared", "pinball"]
    assert list(list(verdicts)[1].table["model"]) == ["net"]
    assert verdicts.main[1].levels == (0.1, 0.5, 0.9)
    assert len(verdicts.sentences) == 3
    assert verdicts.sentences[2].startswith("A network? ")
    for loss in ("squared", "absolute", "pinball"):
        assert {v.loss for v in run.verdicts(loss)} == {loss}
    assert run.verdicts("pinball").main[0].sentence == verdicts.main[1].sentence
    with pytest.raises(ValueError, match="'squared', 'absolute', 'pinball', 'qlike'; got 'mse'"):
        run.verdicts("mse")
    with pytest.raises(ValueError, match="qlike is a loss of variances"):
        fc.backtest({"drift": fc.Drift()}, np.arange(50.0, -50, -1), fc.WalkForward(1, 5), refit=5).verdicts("qlike")


def test_spread_on_the_leaderboard_is_that_of_the_verdict(run):
    board, table = run.leaderboard(), run.verdict("naive", loss="pinball").table.set_index("model")
    assert board.loc["naive", "spread"] == 0
    assert board.loc["arima", "spread"] == pytest.approx(table.loc["arima", "skill"])


def test_runs_without_quantiles_are_judged_by_the_point_forecast():
    models = {"drift": fc.Drift(levels=(0.5,)), "mean": fc.WindowMean(levels=(0.5,))}
    y = np.random.default_rng(0).normal(size=120).cumsum()
    result = fc.backtest(models, y, fc.WalkForward(1, 10), refit=10)
    assert [v.loss for v in result.verdicts()] == ["squared"]
    assert result.leaderboard()["spread"].isna().all()
    chosen = fc.backtest(models | {"ses": fc.ETS("ANN")}, y, fc.WalkForward(1, 10), refit=10, against="drift")
    assert [v.loss for v in chosen.verdicts()] == ["squared"]  # the chosen baseline forecasts no quantiles
    assert not pd.isna(chosen.leaderboard().loc["ses", "spread"])
