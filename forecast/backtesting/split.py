"""Walk-forward splits: which rows a model may be fitted on, which it may condition on, and which it is tested on."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from numbers import Integral


@dataclass(frozen=True)
class Fold:
    """One cutoff of a walk-forward split, with its rows as slices.

    Attributes
    ----------
    train : slice
        Rows that a model may be fitted on, a part of `history`.
    history : slice
        Rows that a model may condition on: row 0 to the cutoff.
    test : slice
        The `horizon` rows after the cutoff.
    cutoff : int
        The last row that is available.
    """

    train: slice
    history: slice
    test: slice
    cutoff: int


@dataclass(frozen=True)
class WalkForward:
    """A walk-forward split: fit on the past, forecast the next `horizon` rows, move on by `step_size` rows, repeat.

    Parameters
    ----------
    horizon : int
        Rows to forecast after each cutoff.
    n_windows : int, default 20
        Number of cutoffs; the last one is `horizon` rows before the end.
    step_size : int, optional
        Rows between two cutoffs; `horizon` by default, so that test rows do not overlap.
    train_size : int, optional
        Length of a rolling training range; by default the range expands from row 0.
    embargo : int, default 0
        Number of the newest rows before the cutoff that are never fitted on, but always conditioned on.

    Raises
    ------
    TypeError
        If a setting is not an integer.
    ValueError
        If a setting is too small.

    Examples
    --------
    >>> [fold.test for fold in fc.WalkForward(horizon=2, n_windows=2).split(range(10))]
    [slice(6, 8, None), slice(8, 10, None)]
    """

    horizon: int
    n_windows: int = 20
    step_size: int | None = None
    train_size: int | None = None
    embargo: int = 0

    def __post_init__(self) -> None:
        for name, minimum in (("horizon", 1), ("n_windows", 1), ("step_size", 1), ("train_size", 1), ("embargo", 0)):
            value = getattr(self, name)
            if value is None and name in ("step_size", "train_size"):
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} must be a whole number of rows; got {value!r}")
            object.__setattr__(self, name, int(value))  # JSON has no NumPy integers
            if value < minimum:
                raise ValueError(f"{name} must be at least {minimum}; got {value}")

    @property
    def step(self) -> int:
        """Rows between two cutoffs."""
        return self.horizon if self.step_size is None else self.step_size

    def cutoffs(self, index: Sized) -> list[int]:
        """Return the rows of the cutoffs, oldest first; raise ValueError if there are too few rows for them."""
        rows = len(index)
        last = rows - 1 - self.horizon
        first = last - (self.n_windows - 1) * self.step
        minimum = self.embargo + (self.train_size or 1)  # rows up to and including the first cutoff
        if first + 1 < minimum:
            possible = max((last + 1 - minimum) // self.step + 1, 0)
            raise ValueError(
                f"{rows} rows cannot hold n_windows={self.n_windows} with horizon={self.horizon}, "
                f"step_size={self.step} and {minimum} rows up to the first cutoff: at most {possible} fit. "
                + ("Use fewer windows or bring more history." if possible else self._remedy())
            )
        return [first + i * self.step for i in range(self.n_windows)]

    def _remedy(self) -> str:
        """Return what helps where the rows are too few for a single cutoff."""
        shorter = [name for name in ("train_size", "embargo") if (getattr(self, name) or 0) > 1]
        return f"Use a smaller horizon{''.join(f' or {name}' for name in shorter)}, or bring more history."

    def split(self, index: Sized) -> Iterator[Fold]:
        """Yield the folds in order of time, for anything that has a length (an index, a frame, a Panel)."""
        for cutoff in self.cutoffs(index):
            end = cutoff + 1 - self.embargo
            start = 0 if self.train_size is None else end - self.train_size
            test = slice(cutoff + 1, cutoff + 1 + self.horizon)
            yield Fold(slice(start, end), slice(0, cutoff + 1), test, cutoff)
