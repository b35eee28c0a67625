"""Models for other libraries, and theirs for this one; each library is imported where it is used.

`to_onnx`, `from_onnx`                 ONNX files, of estimators too (``chainrule[onnx]``)
`to_torch`, `from_torch`               PyTorch's ``nn.Sequential``
`to_keras`, `from_keras`               Keras 3's ``Sequential``, on any backend
`from_sklearn`                         scikit-learn's fitted perceptrons, in mid-training
`save_state_dict`, `load_state_dict`   its state dict in a safetensors file, without PyTorch
`TensorBoard`                          a callback that writes for TensorBoard
"""

from .keras_models import from_keras, to_keras
from .onnx_export import to_onnx
from .onnx_import import from_onnx
from .sklearn_estimators import from_sklearn
from .state_dicts import load_state_dict, save_state_dict
from .tensorboard import TensorBoard
from .torch_models import from_torch, to_torch

__all__ = [
    "TensorBoard",
    "from_keras",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "load_state_dict",
    "save_state_dict",
    "to_keras",
    "to_onnx",
    "to_torch",
]
