"""What training shows: the notebook's lines, or a tqdm bar on stderr."""

from __future__ import annotations

import math
import sys
import time
from importlib.util import find_spec
from typing import Any

from .request import Runner, StepRecord

BAR_PAUSE = 0.1  # seconds between two updates of the bar


def accuracy_text(accuracy: float) -> str:
    """Return ``acc: 0.950, ``, nothing where no accuracy was computed."""
    return "" if math.isnan(accuracy) else f"acc: {accuracy:.3f}, "


def losses_text(data_loss: float, regularization_loss: float, rate: float) -> str:
    """Return ``loss: ... (data_loss: ..., reg_loss: ...), lr: ...``."""
    return (
        f"loss: {data_loss + regularization_loss:.3f} (data_loss: {data_loss:.3f}, "
        f"reg_loss: {regularization_loss:.3f}), lr: {rate}"
    )


def step_line(step: int, record: StepRecord) -> str:
    """Return ``step: 0, acc: ..., loss: ... (data_loss: ..., reg_loss: ...), lr: ...``."""
    losses = losses_text(record.data_loss, record.regularization_loss, record.rate)
    return f"step: {step}, {accuracy_text(record.accuracy)}{losses}"


def bar_loss(record: StepRecord) -> str:
    """Return ``loss: 0.693``, for a regularised model ``data_loss: ...``.

    The regularisation of a step that nothing else is due after need not be known.
    """
    name = "loss" if record.regularization_loss == 0 else "data_loss"
    return f"{name}: {record.data_loss:.3g}"


def training_line(values: dict[str, float]) -> str:
    """Return ``training, acc: ..., loss: ... (data_loss: ..., reg_loss: ...), lr: ...``."""
    losses = losses_text(
        values["data_loss"], values["regularization_loss"], values["learning_rate"]
    )
    return f"training, {accuracy_text(values.get('accuracy', math.nan))}{losses}"


def validation_line(loss: float, accuracy: float) -> str:
    """Return ``validation, acc: ..., loss: ...``."""
    return f"validation, {accuracy_text(accuracy)}loss: {loss:.3f}"


def someone_is_looking() -> bool:
    """Tell whether stderr is a terminal or this is a Jupyter kernel."""
    if "ipykernel" in sys.modules and "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        if shell is not None and hasattr(shell, "kernel"):
            return True
    stream = sys.stderr
    return stream is not None and hasattr(stream, "isatty") and bool(stream.isatty())


def bar_class() -> Any:
    """Return tqdm's bar: of widgets in Jupyter, of text elsewhere and where ipywidgets is missing.

    There `tqdm.auto` would fall back to text too, after a warning.
    """
    if find_spec("ipywidgets") is None:
        from tqdm.std import tqdm
    else:
        from tqdm.auto import tqdm
    return tqdm


class Bar:
    """A tqdm bar over all steps, updated at most ten times a second; or none at all.

    Without a `total` it tells how many steps are done, and nothing of those to come.
    """

    def __init__(self, total: int | None, shown: bool) -> None:
        self._bar: Any = None
        self._count = 0
        self._next = 0.0
        if shown:
            self._bar = bar_class()(total=total, unit="step", mininterval=BAR_PAUSE)

    @property
    def shown(self) -> bool:
        """Whether there is a bar."""
        return self._bar is not None

    def update(self, count: int, runner: Runner) -> None:
        """Show that `count` steps are done in all, and the last one's loss."""
        if self._bar is None:
            return
        now = time.monotonic()
        if now >= self._next:
            self._show(count, runner)
            self._next = now + BAR_PAUSE

    def set_total(self, total: int) -> None:
        """Tell how many steps there will be, now that it is known."""
        if self._bar is not None:
            self._bar.total = total

    def _show(self, count: int, runner: Runner) -> None:
        record = runner.step_record()
        epoch = max(runner.epoch - (runner.step == 0), 1)  # that of the last step
        text = f"epoch {epoch}, {accuracy_text(record.accuracy)}{bar_loss(record)}"
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(count - self._count)
        self._count = count

    def close(self, count: int, runner: Runner) -> None:
        """Show the last state and leave the bar as it is."""
        if self._bar is not None:
            self._show(count, runner)
            self._bar.close()

    def print(self, line: str) -> None:
        """Print a line above the bar, or plainly where there is none."""
        if self._bar is None:
            print(line)
        else:
            self._bar.write(line)
