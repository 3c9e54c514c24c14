"""A progress bar where someone sees it: in a terminal or a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Called with what is done and what there is in all.
Update = Callable[[int, int], None]

PAUSE = 0.1  # seconds between two updates of a notebook
_shown: list[bool] = []  # of the bars on the screen, at most one


@contextmanager
def progress_bar(progress: bool | Update, description: str, noun: str) -> Iterator[Update]:
    """Show a progress bar in a terminal or a notebook; yield its update function of (done, total).

    It vanishes at the end. With `progress=False`, where output is piped, and inside another bar, nothing is shown. A
    function of (done, total) is called instead.
    """
    if not isinstance(progress, bool):
        if not callable(progress):
            raise TypeError(f"progress must be True, False or a function of (done, total); got {progress!r}")
        yield progress
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not progress or _shown or not (console.is_terminal or console.is_jupyter):
        yield lambda done, total: None
        return
    _shown.append(True)
    try:
        with _in_notebook(description, noun) if console.is_jupyter else _in_terminal(description, noun, console) as bar:
            yield bar
    finally:
        _shown.clear()


@contextmanager
def _in_terminal(description: str, noun: str, console: object) -> Iterator[Update]:
    from rich import progress

    columns = [progress.TextColumn(description), progress.BarColumn(), progress.MofNCompleteColumn()]
    columns += [progress.TextColumn(noun), progress.TimeElapsedColumn(), progress.TimeRemainingColumn()]
    with progress.Progress(*columns, console=console, transient=True) as bar:  # type: ignore[arg-type]
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _in_notebook(description: str, noun: str) -> Iterator[Update]:
    """Show the browser's own bar, which needs no widgets."""
    from IPython.display import HTML, display

    start = latest = time.monotonic()
    handle = display(HTML(f"{description} …"), display_id=True)

    def update(done: int, total: int) -> None:
        nonlocal latest
        now = time.monotonic()
        if now - latest >= PAUSE:
            latest = now
            left = (now - start) / max(done, 1) * (total - done)
            bar = f'<progress value="{done}" max="{total}"></progress>'
            handle.update(HTML(f"{description} {bar} {done} of {total} {noun}, about {left:.0f} s remaining"))

    try:
        yield update
    finally:
        handle.update(HTML(""))
