"""What a fitted model remembers of its prices, so that it forecasts no prices of another kind."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast._text import list_names
from forecast.data.fields import canonical_field
from forecast.data.panel import Panel, as_panel, split_fields
from forecast.data.spacing import describe_distance, distances_differ, usual_distance


@dataclass(frozen=True)
class PriceKind:
    """The kind of prices that a model was fitted on.

    Parameters
    ----------
    quantity : str, optional
        What is forecast: a field such as "Close", a derived target such as "return"; None if the prices do not name it.
    distance : float, optional
        The usual distance of two rows in seconds; None of rows that have no dates or are irregular.
    newest : tuple
        The labels of the last two rows.
    rows : {"all", "common"}
        Whether rows on which a series has no value were left out.
    source : str, optional
        Where the prices are from.
    options : mapping
        How a command read them: the options that differ from the defaults.
    instrument : str, optional
        The instrument whose columns are the series; None of other prices.
    """

    quantity: str | None
    distance: float | None
    newest: tuple[Any, ...]
    rows: str
    source: str | None
    options: Mapping[str, Any]
    instrument: str | None = None

    @classmethod
    def of(cls, panel: Panel) -> PriceKind:
        """Return the kind of a panel."""
        source, options = panel.attrs.get("source"), dict(panel.attrs.get("options", {}))
        return cls(
            quantity=quantity_of(panel),
            distance=usual_distance(panel.index),
            newest=tuple(panel.index[-2:]),
            rows=str(panel.attrs.get("rows", "all")),
            source=None if source is None else str(source),
            options=options,
            instrument=panel.attrs.get("instrument"),
        )

    def panel(self, prices: Any, exog: Sequence[str], future: Sequence[str], model: str) -> Panel:
        """Return prices as a panel of the fitted quantity; raise ValueError if they are of another kind.

        `model` is the model's name in the error. Prices whose kind is unknown are not refused: those without a name of
        their quantity, without dates, or of a few rows.
        """
        panel = self._choose_target(prices, exog, future)
        if self._is_other_quantity(panel):
            other = quantity_of(panel)
            raise ValueError(
                f"{model} was fitted on {self.quantity} and these prices are {other}: pass {self.quantity}, "
                f"or fit a model on {other}"
            )
        if self.rows == "common" and not panel.observed.all():
            raise ValueError(
                f"{model} was fitted on the rows where every series has a value, and these prices have others: "
                "pass as_panel(prices, how='common')"
            )
        self._check_distance(panel.index, model)
        return panel

    def _choose_target(self, prices: Any, exog: Sequence[str], future: Sequence[str]) -> Panel:
        """Return the panel of the fitted quantity where a table has it, of the default target otherwise."""
        names = list(prices.columns) if isinstance(prices, pd.DataFrame) else []
        if self.quantity in names:
            return as_panel(prices, target=self.quantity, exog=exog, future=future)
        panel = as_panel(prices, exog=exog, future=future)
        if names and self._is_other_quantity(panel) and self.quantity in split_fields(prices):
            return as_panel(prices, target=self.quantity, exog=exog, future=future)
        return panel

    def is_same_data(self, other: PriceKind) -> bool:
        """Return whether both are of one source, one quantity and one kind of rows."""
        if self.source is None or other.source is None:
            return False
        paths = [os.path.realpath(os.path.expanduser(kind.options.get("data", kind.source))) for kind in (self, other)]
        same_rows = not distances_differ(self.distance, other.distance)
        return paths[0] == paths[1] and self.quantity == other.quantity and same_rows

    def describe(self, series: Sequence[str]) -> str:
        """Return what the prices were, such as "Close of AAPL from prices.csv"; `series` are their names."""
        names = list_names(series)
        source = "given in Python" if self.source is None else f"from {self.options.get('data', self.source)}"
        is_named = self.quantity is None or tuple(series) == (self.quantity,)
        return f"{'' if is_named else f'{self.quantity} of '}{names} {source}"

    def _is_other_quantity(self, panel: Panel) -> bool:
        """Return whether both quantities are known and differ."""
        quantity = quantity_of(panel)
        return None not in (self.quantity, quantity) and self.quantity != quantity

    def _continues(self, index: pd.Index) -> bool:
        """Return whether the last two fitted rows follow one another among these rows, which are then of one table."""
        last = self.newest[-1]
        if not isinstance(index, pd.DatetimeIndex) or last not in index:
            return False
        row = int(index.get_indexer([last])[0])
        return tuple(index[max(row - 1, 0) : row + 1]) == self.newest

    def _check_distance(self, index: pd.Index, model: str) -> None:
        """Raise ValueError if rows are at another distance than the fitted ones, unless they continue them."""
        distance = usual_distance(index)
        if self.distance is None or distance is None or not distances_differ(self.distance, distance):
            return
        if not self._continues(index):
            one, other = describe_distance(self.distance), describe_distance(distance)
            raise ValueError(
                f"{model} was fitted on {one} rows and these are {other}: pass {one} rows, or fit a model on these"
            )


def quantity_of(panel: Panel) -> str | None:
    """Return the name of what a panel's target is; None if it has none."""
    name = panel.channels[0] if panel.channels[0] != "y" else panel.attrs.get("field")
    return None if name is None else canonical_field(name)
