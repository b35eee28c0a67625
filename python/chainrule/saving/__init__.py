"""Model files: safetensors with a JSON document, replaced as a whole, never executed."""

from .saving import load_model, load_parameters, save_model, save_parameters

__all__ = ["load_model", "load_parameters", "save_model", "save_parameters"]
