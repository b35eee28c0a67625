"""chainrule: multilayer perceptrons on the CPU.

Layers, activations, losses, optimizers and a model with the classes of backpropagation
notebooks, computed by a compiled core. Two ways share one mathematics: the classes layer by
layer (``layer.forward``, ``layer.backward``), and the compiled plan (`Model.train`).
"""

from typing import TYPE_CHECKING

from . import datasets, schedules
from .activations import (
    Activation_ELU,
    Activation_Exponential,
    Activation_GELU,
    Activation_LeakyReLU,
    Activation_Linear,
    Activation_Mish,
    Activation_ReLU,
    Activation_SELU,
    Activation_Sigmoid,
    Activation_SiLU,
    Activation_Softmax,
    Activation_Softplus,
    Activation_Tanh,
)
from .callbacks import Callback, LearningRateSchedule
from .errors import ModelFileError
from .history import History
from .layers import (
    Layer_Dense,
    Layer_Dropout,
    Layer_Embedding,
    Layer_Input,
    Layer_ParametricActivation,
    Layer_PeriodicFeatures,
    Layer_Scale,
)
from .losses import (
    Activation_Sigmoid_Loss_BinaryCrossentropy,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_Hinge,
    Loss_Huber,
    Loss_LogCosh,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
    Loss_Poisson,
    Loss_Quantile,
)
from .metrics import Accuracy, Accuracy_AUC, Accuracy_Categorical, Accuracy_R2, Accuracy_Regression
from .model import Model
from .model.mlp import mlp
from .monitoring import Checkpoint, EarlyStopping, ReduceLearningRateOnPlateau
from .optimizers import Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD
from .record import Record
from .runtime import (
    __version__,
    available_targets,
    cpu_target,
    get_num_threads,
    set_num_threads,
    show_config,
)

if TYPE_CHECKING:
    from . import data, interop, plot
    from .autograd import Variable, no_grad
    from .checking import check_gradient, compare, gradcheck, numerical_gradient
    from .model.many import fit_many
else:
    from .lazy import __dir__ as __dir__
    from .lazy import __getattr__ as __getattr__

__all__ = [
    "Accuracy",
    "Accuracy_AUC",
    "Accuracy_Categorical",
    "Accuracy_R2",
    "Accuracy_Regression",
    "Activation_ELU",
    "Activation_Exponential",
    "Activation_GELU",
    "Activation_LeakyReLU",
    "Activation_Linear",
    "Activation_Mish",
    "Activation_ReLU",
    "Activation_SELU",
    "Activation_SiLU",
    "Activation_Sigmoid",
    "Activation_Sigmoid_Loss_BinaryCrossentropy",
    "Activation_Softmax",
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Activation_Softplus",
    "Activation_Tanh",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "Layer_Dense",
    "Layer_Dropout",
    "Layer_Embedding",
    "Layer_Input",
    "Layer_ParametricActivation",
    "Layer_PeriodicFeatures",
    "Layer_Scale",
    "LearningRateSchedule",
    "Loss",
    "Loss_BinaryCrossentropy",
    "Loss_CategoricalCrossentropy",
    "Loss_HalfSquaredError",
    "Loss_Hinge",
    "Loss_Huber",
    "Loss_LogCosh",
    "Loss_MeanAbsoluteError",
    "Loss_MeanSquaredError",
    "Loss_Poisson",
    "Loss_Quantile",
    "Model",
    "ModelFileError",
    "Optimizer_Adagrad",
    "Optimizer_Adam",
    "Optimizer_RMSprop",
    "Optimizer_SGD",
    "Record",
    "ReduceLearningRateOnPlateau",
    "Variable",
    "__version__",
    "available_targets",
    "check_gradient",
    "compare",
    "cpu_target",
    "data",
    "datasets",
    "fit_many",
    "get_num_threads",
    "gradcheck",
    "interop",
    "mlp",
    "no_grad",
    "numerical_gradient",
    "plot",
    "schedules",
    "set_num_threads",
    "show_config",
]
