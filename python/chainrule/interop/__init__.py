"""Models for other libraries, and theirs for this one; each library is imported where it is used.

`to_onnx`, `from_onnx`                 ONNX files, of estimators too (``chainrule[onnx]``)
`to_torch`, `from_torch`               PyTorch's ``nn.Sequential``
`save_state_dict`, `load_state_dict`   its state dict in a safetensors file, without PyTorch
"""

from .onnx_export import to_onnx
from .onnx_import import from_onnx
from .state_dicts import load_state_dict, save_state_dict
from .torch_models import from_torch, to_torch

__all__ = [
    "from_onnx",
    "from_torch",
    "load_state_dict",
    "save_state_dict",
    "to_onnx",
    "to_torch",
]
