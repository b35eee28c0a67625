"""Models: layers in a row with loss and optimizer, and what can be done with one or many."""

from .model import Model

__all__ = ["Model"]
