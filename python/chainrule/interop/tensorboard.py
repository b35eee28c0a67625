"""What a training computes, for TensorBoard: a callback that writes event files."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from ..arrays import as_count
from ..callbacks import Callback
from ..errors import labelled
from ..layers.parameters import slots_of
from ..libraries import library
from ..saving.saving import as_path

VALIDATION = "validation_"


class TensorBoard(Callback):
    """Write an epoch's values, and histograms of the parameters, to a folder for TensorBoard.

    Scalars are named ``loss/training``, ``loss/validation``, ``accuracy/training``, ...: one chart
    for both. Histograms are named as in model files, ``1.weights``, ``1.biases``. A second
    training with the same object goes on behind the first. Needs the extra
    ``chainrule[tensorboard]``: tensorboardX, no PyTorch and no TensorFlow.

    Parameters
    ----------
    folder : str or path-like
        Where ``tensorboard --logdir`` will look; one folder a run.
    histograms : int
        Epochs from one set of histograms to the next; 0 for none.

    Raises
    ------
    ImportError
        tensorboardX is not installed; when the object is made.
    TypeError, ValueError
        No folder, or no number of epochs.
    """

    def __init__(self, folder: Any, *, histograms: int = 0) -> None:
        with labelled(type(self).__name__):
            self.folder = as_path(folder)
            self.histograms = as_count(histograms, "histograms", 0)
        self._before = self._epochs = 0  # of earlier trainings, and of all
        self._writer: Any = None
        library("tensorboardX", type(self).__name__, "'chainrule[tensorboard]'")

    def on_train_begin(self) -> None:
        """Open an event file."""
        self._close()
        made = library("tensorboardX", type(self).__name__, "'chainrule[tensorboard]'")
        suffix = f".{secrets.token_hex(4)}"  # files of one second have else one name
        self._writer = made.SummaryWriter(self.folder, filename_suffix=suffix)
        self._before = self._epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Write the epoch's values, and histograms where they are due."""
        self._epochs = step = self._before + epoch
        for name, value in logs.items():
            what = name.removeprefix(VALIDATION)
            part = "training" if what == name else "validation"
            self._writer.add_scalar(f"{what}/{part}", value, step)
        if self.histograms and step % self.histograms == 0:
            with_some = [layer for layer in self.model.layers if slots_of(layer)]
            for number, layer in enumerate(with_some, 1):
                for slot in slots_of(layer):
                    array = np.asarray(getattr(layer, slot.name))
                    self._writer.add_histogram(f"{number}.{slot.name}", array, step)
        self._writer.flush()

    def on_train_end(self) -> None:
        """Close the event file."""
        self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_writer": None}  # an open file is no one else's

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.folder!r}, histograms={self.histograms})"
