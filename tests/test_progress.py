"""Bars: in a terminal, and in Jupyter with and without ipywidgets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr

# What a kernel has, as far as it is asked; `shown` counts what is displayed as widgets.
JUPYTER = """
import sys, types

class Shell:
    kernel = object()

class Widget:
    def __init__(self, *children, **settings):
        self.__dict__.update(layout=types.SimpleNamespace(), style=types.SimpleNamespace())
        self.__dict__.update(settings)
        self.children = self.__dict__.get("children", children)
        self.value, self.bar_style = self.__dict__.get("value", 0), ""

def module(name, **contents):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__dict__.update(contents)
    sys.modules[name].__spec__ = types.SimpleNamespace(name=name)

shown = []
module("ipykernel")
module("ipykernel.zmqshell")
module("IPython", get_ipython=lambda: Shell())
module("IPython.display", display=lambda *things: shown.append(things))
"""
WIDGETS = 'module("ipywidgets", HTML=Widget, FloatProgress=Widget, HBox=Widget)\n'
NO_WIDGETS = 'sys.modules["ipywidgets"] = None\n'
TRAINING = """
import numpy as np
import chainrule as cr
model = cr.Model()
model.add(cr.Layer_Dense(2, 1))
model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(1e-3))
for _ in range(2): model.train(np.ones((4, 2)), np.ones((4, 1)), epochs=3)
"""


def trained(before: str, after: str) -> tuple[str, str]:
    """What is printed, and what goes to stderr: bars and all warnings."""
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", before + TRAINING + after],
        env={**os.environ, "PYTHONPATH": str(Path(cr.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, run.stderr


def test_jupyter_without_ipywidgets_gets_a_bar_of_text_and_no_warning() -> None:
    printed, errors = trained(JUPYTER + NO_WIDGETS, "print(len(shown))")
    assert printed == "0\n"
    assert errors.count("3/3") >= 2 and "epoch 3" in errors
    assert "IProgress" not in errors and "Warning" not in errors


def test_jupyter_with_ipywidgets_gets_widgets() -> None:
    printed, errors = trained(JUPYTER + WIDGETS, "print(len(shown))")
    assert int(printed) == 2 and errors == ""


@pytest.mark.parametrize("widgets", [WIDGETS, NO_WIDGETS])
def test_elsewhere_a_bar_is_text(widgets: str) -> None:
    definitions, _, kernel = JUPYTER.partition("shown = []\n")
    assert "ipykernel" in kernel
    show = "sys.stderr.isatty = lambda: True\n"
    _, errors = trained(definitions + widgets + show, "")
    assert errors.count("3/3") >= 2 and "epoch 3" in errors
