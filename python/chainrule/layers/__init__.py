"""Layers, and what they share; activations are layers too and stand in ``activations.py``."""

from .base import Layer
from .dense import Layer_Dense, Layer_Input
from .dropout import Layer_Dropout
from .embedding import Layer_Embedding
from .parametric import Layer_ParametricActivation
from .periodic import Layer_PeriodicFeatures
from .scale import Layer_Scale

__all__ = [
    "Layer",
    "Layer_Dense",
    "Layer_Dropout",
    "Layer_Embedding",
    "Layer_Input",
    "Layer_ParametricActivation",
    "Layer_PeriodicFeatures",
    "Layer_Scale",
]
