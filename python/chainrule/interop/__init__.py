"""Models for other libraries, and theirs for this one; each library is imported where it is used.

`to_torch`, `from_torch`               PyTorch's ``nn.Sequential``
`save_state_dict`, `load_state_dict`   its state dict in a safetensors file, without PyTorch
"""

from .state_dicts import load_state_dict, save_state_dict
from .torch_models import from_torch, to_torch

__all__ = ["from_torch", "load_state_dict", "save_state_dict", "to_torch"]
