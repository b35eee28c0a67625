"""Pictures of a model, its training and its gradients, by matplotlib (extra `plot`).

Each function draws on `axes` or on a new figure, returns the axes, and changes no setting of
matplotlib. matplotlib is imported by the first call.
"""

from .curves import history
from .diagram import network
from .flow import gradient_flow
from .images import weights
from .predictions import confusion, residuals
from .ratios import update_ratios
from .regions import decision_regions
from .spreads import activations

__all__ = [
    "activations",
    "confusion",
    "decision_regions",
    "gradient_flow",
    "history",
    "network",
    "residuals",
    "update_ratios",
    "weights",
]
