# Written by .ci/make_stub.py from the compiled module. Do not edit.
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

class ConversionNeeded(TypeError):
    """An argument is not an array that the compiled functions take as it is; nothing was
    done."""

class Training:
    """A compiled training plan; `chainrule.training` builds the specification."""

    def __init__(
        self,
        spec: dict[str, Any],
        samples: Any,
        validation: Any,
        epochs: int,
        stop_on_nonfinite: bool,
    ) -> None: ...
    def load(self, arrays: Sequence[Any]) -> None:
        """Read parameters and optimizer arrays."""

    def run(self, max_steps: int, seconds: float, order: Any) -> int:
        """Run whole steps until max_steps are done or the seconds have gone by; return their
        number."""

    def set_schedule(
        self,
        *,
        learning_rate: float,
        decay: float,
        iterations: int,
        momentum: float,
        epsilon: float,
        rho: float,
        beta_1: float,
        beta_2: float,
        weight_decay: float,
        clip_norm: float,
    ) -> None: ...
    def step_record(self) -> tuple[float, float, float, float]:
        """Accuracy, data loss, regularisation loss and rate of the last step."""

    def stop(self) -> None: ...
    def store(self, arrays: Sequence[Any]) -> None:
        """Write parameters and optimizer arrays, in place."""

    def take_epochs(self) -> NDArray[Any]:
        """Number of the epochs finished since the last call, and eight columns: an array, or
        one number that holds for all."""

    @property
    def bytes(self) -> int: ...
    @property
    def done(self) -> bool: ...
    @property
    def epoch(self) -> int: ...
    @property
    def iterations(self) -> int: ...
    @property
    def nonfinite(self) -> bool: ...
    @property
    def step(self) -> int: ...

def adagrad_update(
    parameter: NDArray[Any],
    gradient: NDArray[Any],
    cache: NDArray[Any],
    rate: float,
    epsilon: float,
    /,
) -> None:
    """c += g^2; w -= rate * g / (sqrt(c) + epsilon), in place."""

def adam_update(
    parameter: NDArray[Any],
    gradient: NDArray[Any],
    momentums: NDArray[Any],
    cache: NDArray[Any],
    rate: float,
    beta_1: float,
    beta_2: float,
    correction_1: float,
    correction_2: float,
    epsilon: float,
    decay: float,
    /,
) -> None:
    """w -= decay * w; m = beta_1 m + (1 - beta_1) g; c = beta_2 c + (1 - beta_2) g^2; w -=
    rate * (m / correction_1) / (sqrt(c / correction_2) + epsilon), in place."""

def available_targets() -> list[str]:
    """Names of the kernels this CPU can run, the plainest first."""

def binary_crossentropy_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """-(y / p - (1 - y) / (1 - p)) / m / n, p clipped to [1e-7, 1 - 1e-7]."""

def binary_crossentropy_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j -(y log p + (1 - y) log(1 - p)) per sample, p clipped to [1e-7, 1 - 1e-7]."""

def build_info() -> dict[str, Any]:
    """Version, compiler, OpenMP date and flags."""

def categorical_crossentropy_backward(
    dvalues: NDArray[Any], y_true: NDArray[Any], /
) -> NDArray[Any]:
    """-y / p / n, p at least 1e-7."""

def categorical_crossentropy_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """-sum_j y log p per sample, p clipped to [1e-7, 1 - 1e-7]; y_true int64 labels (n,)
    or targets (n, m)."""

def cpu_target() -> str:
    """Name of the kernels in use."""

def dense_backward(
    inputs: NDArray[Any], dvalues: NDArray[Any], weights: NDArray[Any], /
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """dweights (d, m) = inputs^T . dvalues, dbiases (1, m) = sum of dvalues, dinputs (n,
    d) = dvalues . weights^T."""

def dense_forward(
    inputs: NDArray[Any], weights: NDArray[Any], biases: NDArray[Any], /
) -> NDArray[Any]:
    """inputs (n, d) . weights (d, m) + biases (1, m) -> a new array (n, m)."""

def dropout_forward(
    inputs: NDArray[Any], keep: float, key: int, step: int, /
) -> tuple[NDArray[Any], NDArray[Any]]:
    """inputs * mask and the mask, (u < keep) / keep; u from Philox4x32-10 with the counter
    (element, step)."""

def engine_for(spec: dict[str, Any]) -> str:
    """Name of the engine that a plan of these shapes uses."""

def fma_peak(dtype: str, seconds: float) -> float:
    """GFLOP/s of fused multiply-adds alone, one thread."""

def follow_speeds(shares: Sequence[float], busy: Sequence[float]) -> list[float]:
    """Next shares of a team's work, from those it had and how long each worker was busy
    with its own."""

def get_num_threads() -> int:
    """Largest number of threads a call of this thread may use."""

def half_squared_error_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """(p - y) / n."""

def half_squared_error_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """sum_j (p - y)^2 / 2 per sample."""

def mean_absolute_error_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """sign(p - y) / m / n."""

def mean_absolute_error_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j |p - y| per sample."""

def mean_squared_error_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """2 (p - y) / m / n."""

def mean_squared_error_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j (p - y)^2 per sample."""

def multiply(a: NDArray[Any], b: NDArray[Any], /) -> NDArray[Any]:
    """a * b, element by element."""

def quota_cores(root: str) -> float:
    """Cores that the control groups below root/sys leave this process; inf: no quota."""

def regularize(gradient: NDArray[Any], parameter: NDArray[Any], l1: float, l2: float, /) -> None:
    """gradient += l1 * sign(parameter) + 2 * l2 * parameter, in place; sign(0) = +1."""

def relu_backward(dvalues: NDArray[Any], inputs: NDArray[Any], /) -> NDArray[Any]:
    """dvalues where inputs > 0, else 0."""

def relu_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """max(inputs, 0); NaN passes."""

def rmsprop_update(
    parameter: NDArray[Any],
    gradient: NDArray[Any],
    cache: NDArray[Any],
    rate: float,
    epsilon: float,
    rho: float,
    /,
) -> None:
    """c = rho * c + (1 - rho) * g^2; w -= rate * g / (sqrt(c) + epsilon), in place."""

def set_num_threads(count: int) -> None:
    """Largest number of threads a call may use, from the next call on."""

def sgd_momentum_update(
    parameter: NDArray[Any],
    gradient: NDArray[Any],
    momentums: NDArray[Any],
    rate: float,
    momentum: float,
    nesterov: bool,
    /,
) -> None:
    """v = momentum * v - rate * g; w += v, or w += momentum * v - rate * g (Nesterov), in
    place."""

def sgd_update(parameter: NDArray[Any], gradient: NDArray[Any], rate: float, /) -> None:
    """w -= rate * g, in place."""

def sigmoid_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * output * (1 - output)."""

def sigmoid_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """1 / (1 + exp(-inputs))."""

def softmax_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """output * (dvalues - sum(dvalues * output)) of each row."""

def softmax_crossentropy_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """(p - onehot(y)) / n with dvalues = p, the softmax output."""

def softmax_crossentropy_forward(
    inputs: NDArray[Any], y_true: NDArray[Any], /
) -> tuple[NDArray[Any], NDArray[Any]]:
    """softmax(inputs) and the categorical cross-entropy per sample."""

def softmax_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """exp(x - max) / sum exp(x - max) of each row."""

def sum(values: NDArray[Any], /) -> float:
    """Sum of all values, in double."""

def tanh_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * (1 - output^2)."""

def tanh_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """tanh(inputs)."""
