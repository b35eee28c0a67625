"""Variables that remember how they were computed, the gradients by them, and pictures of both.

No compiled code and no package but NumPy: a graph for learning and checking, not for speed.
"""

from .recording import no_grad
from .variable import Variable

__all__ = ["Variable", "no_grad"]
