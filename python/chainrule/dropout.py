"""Where pickles of 0.1.0 look for `Layer_Dropout`; it is in ``layers/dropout.py``."""

from .layers.dropout import Layer_Dropout

__all__ = ["Layer_Dropout"]
