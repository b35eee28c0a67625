"""The command `chainrule demo`, its pictures, and the plain NumPy loop that it races."""

from .demo import digits_model, run, sine_model, spiral_model
from .numpy_loop import numpy_training

__all__ = ["digits_model", "numpy_training", "run", "sine_model", "spiral_model"]
