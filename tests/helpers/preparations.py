"""Preparations of raw prices: honest ones, which an audit passes, and leaking ones, which it fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import signal
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer
from sklearn.preprocessing import QuantileTransformer, StandardScaler

import forecast as fc

TRAIN = 60  # first rows, before every cutoff


def _own_scale(raw):
    early = raw.iloc[:TRAIN]
    return (raw - early.mean()) / early.std()


def _like(raw, values):
    return pd.DataFrame(values, raw.index, raw.columns)


def _first_factor_of_early_rows(raw):
    return pd.DataFrame({"factor": PCA(1).fit(raw.iloc[:TRAIN]).transform(raw)[:, 0]}, raw.index)


def _first_factor(raw):
    return pd.DataFrame({"factor": PCA(1).fit_transform(raw.ffill().fillna(100))[:, 0]}, raw.index)


def _without_own_jumps(raw):
    return raw[(raw.pct_change(fill_method=None).abs() < 0.15).all(axis=1)]


def _without_outliers(raw):
    return raw[((raw - raw.mean()).abs() < 1.6 * raw.std()).all(axis=1)]


def _detrended(raw):
    time = np.arange(len(raw))
    lines = [
        np.polyval(np.polyfit(time[known], column[known], 1), time)
        for column in raw.to_numpy().T
        if (known := ~np.isnan(column)).any()
    ]
    return raw - np.stack(lines, axis=1)


def _smoothed_by_fourier(raw):
    spectrum = np.fft.rfft(raw.ffill().to_numpy(), axis=0)
    spectrum[8:] = 0
    return _like(raw, np.fft.irfft(spectrum, n=len(raw), axis=0))


def _encoded_by_weekday(raw):
    return raw - raw.groupby(raw.index.day_of_week).transform("mean")


def _residuals_of_beta(raw):
    changes = raw.diff()
    beta = changes.cov().iloc[0] / changes.iloc[:, 0].var()
    return pd.DataFrame({name: raw[name] - beta[name] * raw.iloc[:, 0] for name in raw.columns[1:]})


#: They drop, resample, rename or scale rows, and use no later one.
HONEST = {
    "log changes": lambda raw: np.log(raw).diff().dropna(),
    "log changes without labels": lambda raw: np.log(raw).diff().dropna().to_numpy(),
    "array": lambda raw: raw.to_numpy(),
    "new numbers": lambda raw: raw.iloc[10:].reset_index(drop=True),
    "relative changes": lambda raw: raw.pct_change(fill_method=None).iloc[1:],
    "from the tenth row": lambda raw: raw.iloc[10:],
    "newest rows": lambda raw: raw.iloc[-100:],
    "newest rows without labels": lambda raw: raw.iloc[-100:].to_numpy(),
    "rolling mean": lambda raw: raw.rolling(5).mean().dropna(),
    "rolling deviation": lambda raw: raw.pct_change(fill_method=None).rolling(10).std().dropna(),
    "rolling median without labels": lambda raw: raw.rolling(7).median().dropna().to_numpy(),
    "exponential mean": lambda raw: raw.ewm(span=10).mean(),
    "expanding scale": lambda raw: ((raw - raw.expanding(20).mean()) / raw.expanding(20).std()).dropna(),
    "forward-fill": lambda raw: raw.ffill(),
    "complete rows": lambda raw: raw.dropna(),
    "complete rows without labels": lambda raw: raw.dropna().to_numpy(),
    "lag": lambda raw: raw.shift(1).dropna(),
    "relative to the cross-section": lambda raw: raw.sub(raw.mean(axis=1), axis=0),
    "rank in the cross-section": lambda raw: raw.rank(axis=1) + raw / 1000,
    "scale of early rows": _own_scale,
    "clipped at quantiles of early rows": lambda raw: raw.clip(upper=raw.iloc[:TRAIN].quantile(0.95) * 2, axis=1),
    "factor of early rows": _first_factor_of_early_rows,
    "series chosen by early rows": lambda raw: raw[raw.iloc[:TRAIN].std().nlargest(2).index],
    "series complete in early rows": lambda raw: raw.loc[:, raw.iloc[:TRAIN].notna().all()],
    "without own jumps": _without_own_jumps,
    "drawdown": lambda raw: raw / raw.cummax() - 1,
    "mean of the series": lambda raw: raw.mean(axis=1),
    "mapping": lambda raw: {name: raw[name] for name in raw},
    "newest row first": lambda raw: raw[::-1],
    "days of the calendar": lambda raw: raw.asfreq("D").ffill(),
    "long table": lambda raw: raw.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y"),
    "target": lambda raw: fc.make_target(raw, "return"),
    "half of the days": lambda raw: raw.iloc[::2],
    "detrended by the line through early rows": lambda raw: raw.sub(np.linspace(0, 1, 2000)[: len(raw)], axis=0),
    "integers of days": lambda raw: raw.set_axis(range(100, 100 + len(raw))),
}

#: Statistics of all rows, values from below, and rows or series that later values choose.
LEAKING = {
    "scale of all rows": lambda raw: (raw - raw.mean()) / raw.std(),
    "scaler": lambda raw: _like(raw, StandardScaler().fit_transform(raw)),
    "range of all rows": lambda raw: (raw - raw.min()) / (raw.max() - raw.min()),
    "median of all rows": lambda raw: raw - raw.median(),
    "ranks of all rows": lambda raw: raw.rank(pct=True),
    "quantile transform": lambda raw: _like(raw, QuantileTransformer(n_quantiles=20).fit_transform(raw)),
    "winsorised": lambda raw: raw.clip(raw.quantile(0.05), raw.quantile(0.95), axis=1),
    "last value as the base": lambda raw: raw / raw.iloc[-1],
    "share of the total": lambda raw: raw.cumsum() / raw.sum(),
    "divided by the number of rows": lambda raw: raw * np.arange(1, len(raw) + 1)[:, None] / len(raw),
    "days to the end": lambda raw: raw.add(np.asarray((raw.index[-1] - raw.index).days) / 10, axis=0),
    "detrended": _detrended,
    "weekdays encoded": _encoded_by_weekday,
    "mean of the month": lambda raw: raw.groupby(raw.index.to_period("M")).transform("mean"),
    "factor": _first_factor,
    "residuals of beta": _residuals_of_beta,
    "mean of all changes": lambda raw: (raw.diff() - raw.diff().mean()).iloc[1:],
    "shift": lambda raw: raw.shift(-1),
    "shift without labels": lambda raw: raw.shift(-1).to_numpy(),
    "next value in a series": lambda raw: raw.assign(next=raw.iloc[:, 0].shift(-1) + raw.iloc[:, 1] ** 2),
    "centred mean": lambda raw: raw.rolling(5, center=True, min_periods=1).mean(),
    "centred median": lambda raw: raw.rolling(5, center=True, min_periods=1).median(),
    "central difference": lambda raw: _like(raw, np.gradient(raw.to_numpy(), axis=0)),
    "filter in both directions": lambda raw: _like(
        raw, signal.filtfilt(*signal.butter(2, 0.2), raw.ffill().to_numpy(), axis=0)
    ),
    "Savitzky and Golay": lambda raw: _like(raw, signal.savgol_filter(raw.to_numpy(), 7, 2, axis=0)),
    "Fourier": _smoothed_by_fourier,
    "exponential mean backwards": lambda raw: raw[::-1].ewm(span=5).mean()[::-1],
    "expanding backwards": lambda raw: raw[::-1].expanding().max()[::-1],
    "backward-fill": lambda raw: raw.bfill(),
    "interpolation": lambda raw: raw.interpolate(limit_direction="both"),
    "mean for missing": lambda raw: raw.fillna(raw.mean()),
    "neighbours for missing": lambda raw: _like(raw, KNNImputer(n_neighbors=3).fit_transform(raw)),
    "days filled backward": lambda raw: raw.asfreq("D").bfill(),
    "without outliers of all rows": _without_outliers,
    "without rows before a jump": lambda raw: raw[(raw.pct_change(fill_method=None).shift(-1).abs() < 0.2).all(axis=1)],
    "without rows before a gap": lambda raw: raw[raw.shift(-1).notna().all(axis=1)],
    "survivors": lambda raw: raw.dropna(axis=1),
    "survivors of the last row": lambda raw: raw.loc[:, raw.iloc[-1].notna()],
    "nearly complete series": lambda raw: raw.dropna(axis=1, thresh=int(0.95 * len(raw))),
    "largest at the end": lambda raw: raw[raw.iloc[-1].nlargest(2).index],
    "best return": lambda raw: raw[(raw.iloc[-1] / raw.iloc[0]).nlargest(1).index],
    "most volatile": lambda raw: raw[raw.pct_change(fill_method=None).std().nlargest(2).index],
    "most related to the first": lambda raw: raw[raw.corr().iloc[0].nlargest(2).index],
    "logs by a threshold": lambda raw: np.log(raw) if raw.max(axis=None) > 1000 else raw,
    "filled if a later value is missing": lambda raw: raw * 2 if raw.isna().any(axis=None) else raw,
    "scale by the number of values": lambda raw: raw / raw.count(),
}

#: Of longer prices: rows that stand for periods.
HONEST_PERIODS = {
    **{
        f"{rule} {how}": lambda raw, rule=rule, how=how: getattr(raw.resample(rule), how)()
        for rule in ("MS", "ME", "QS", "BMS", "BME", "W", "W-MON", "W-FRI")
        for how in ("last", "mean")
    },
    "Mondays as starts": lambda raw: raw.resample("W-MON", label="left", closed="left").last(),
    "starts labelled later": lambda raw: raw.resample("MS", label="right").last(),
    "changes of months": lambda raw: np.log(raw.resample("MS").last()).diff().dropna(),
    "months without labels": lambda raw: raw.resample("MS").last().to_numpy(),
    "weeks without labels": lambda raw: np.log(raw.resample("W-FRI").last()).diff().dropna().to_numpy(),
    "last days of months": lambda raw: raw.groupby(raw.index.to_period("M")).tail(1),
    "first days of months": lambda raw: raw.groupby(raw.index.to_period("M")).head(1),
    "numbers of months": lambda raw: raw.groupby(raw.index.year * 12 + raw.index.month).last(),
    "every fifth row": lambda raw: raw.iloc[::5],
}
LEAKING_PERIODS = {
    **{
        f"{rule} shifted": lambda raw, rule=rule: raw.resample(rule).last().shift(-1).iloc[:-1]
        for rule in ("MS", "ME", "QS", "BMS", "BME", "W", "W-MON", "W-FRI")
    },
    "starts of months, with values of the next": lambda raw: raw.resample("MS").last().shift(-1).ffill(),
    "Mondays, with values of Tuesdays": lambda raw: raw.shift(-1)[raw.index.day_of_week == 0],
    "every fifth row of a centred mean": lambda raw: raw.rolling(7, center=True).mean().iloc[3:-3:5],
    "month ends of a centred mean": lambda raw: (
        raw.rolling(5, center=True, min_periods=1).mean().resample("BME").last()
    ),
    "months, scaled by all": lambda raw: (months := raw.resample("MS").last()) / months.mean(),
    "months without labels, scaled by all": lambda raw: (
        (months := raw.resample("MS").last()) / months.mean()
    ).to_numpy(),
}
