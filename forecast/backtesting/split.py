"""Walk-forward evaluation: which rows a model may be fitted on, may condition on, and is tested on."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from numbers import Integral


@dataclass(frozen=True)
class Fold:
    """One origin of the walk: slices of rows to `train` on, of `history` and to `test`; `cutoff` is the last row known.

    `history` always starts at row 0: a model may condition on all of it. `train` is the part of it that it may be
    fitted on. `test` is the next `horizon` rows.
    """

    train: slice
    history: slice
    test: slice
    cutoff: int


@dataclass(frozen=True)
class WalkForward:
    """Walk through time: fit on the past, forecast the next `horizon` rows, move on by `step_size`, and again.

    `n_windows` cutoffs, the last one `horizon` rows before the end. `step_size` is the distance between cutoffs
    (None: `horizon`, so that test rows do not overlap). `train_size` rows make the training range rolling (None:
    expanding from row 0). The newest `embargo` rows before the cutoff are never fitted on, but always conditioned on.

    >>> [fold.test for fold in fc.WalkForward(horizon=2, n_windows=2).split(range(10))]
    [slice(6, 8, None), slice(8, 10, None)]
    """

    horizon: int
    n_windows: int = 20
    step_size: int | None = None
    train_size: int | None = None
    embargo: int = 0

    def __post_init__(self) -> None:
        for name, least in (("horizon", 1), ("n_windows", 1), ("step_size", 1), ("train_size", 1), ("embargo", 0)):
            value = getattr(self, name)
            if value is None and name in ("step_size", "train_size"):
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} must be a whole number of rows; got {value!r}")
            object.__setattr__(self, name, int(value))  # numpy's integers are no JSON
            if value < least:
                raise ValueError(f"{name} must be at least {least}; got {value}")

    @property
    def step(self) -> int:
        """Rows between two cutoffs."""
        return self.horizon if self.step_size is None else self.step_size

    def cutoffs(self, index: Sized) -> list[int]:
        """List the rows of the cutoffs, oldest first; raises ValueError if the rows cannot hold them."""
        rows = len(index)
        last = rows - 1 - self.horizon
        first = last - (self.n_windows - 1) * self.step
        least = self.embargo + (self.train_size or 1)  # rows up to the first cutoff, it included
        if first + 1 < least:
            fit = (last + 1 - least) // self.step + 1
            raise ValueError(
                f"{rows} rows cannot hold n_windows={self.n_windows} with horizon={self.horizon}, "
                f"step_size={self.step} and {least} rows up to the first cutoff: at most {max(fit, 0)} fit. "
                + ("Ask for fewer windows or bring more history." if fit > 0 else "Bring more history.")
            )
        return [first + i * self.step for i in range(self.n_windows)]

    def split(self, index: Sized) -> Iterator[Fold]:
        """Give the folds in order of time, for anything that has a length (an index, a frame, a Panel)."""
        for cutoff in self.cutoffs(index):
            end = cutoff + 1 - self.embargo
            start = 0 if self.train_size is None else end - self.train_size
            yield Fold(
                train=slice(start, end),
                history=slice(0, cutoff + 1),
                test=slice(cutoff + 1, cutoff + 1 + self.horizon),
                cutoff=cutoff,
            )
