# Written by .ci/make_stub.py from the compiled module. Do not edit.
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

class InUse:
    """Marks attributes as in use by this thread for the length of a `with` block."""

    def __enter__(self) -> None: ...
    def __exit__(self, type: Any, error: Any, trace: Any) -> None: ...
    def __init__(self, attributes: dict[str, Any], operation: str, alone: bool) -> None: ...

class ConversionNeeded(TypeError):
    """An argument is not an array that the compiled functions take as it is; nothing was
    done."""

class Plan:
    """A compiled training plan; `chainrule.training.network` describes the network."""

    def __init__(self, network: Any) -> None: ...
    def begin(
        self,
        samples: Any,
        validation: Any,
        epochs: int,
        stop_on_nonfinite: bool,
        drops_last: bool,
        precision: float,
        monitors: Any,
        notes_every: int = 0,
        steps_before: int = 0,
        in_parts: bool = False,
    ) -> None:
        """Begin a training of other samples in the same memory; where they come in parts,
        these show only their form."""

    def end(self) -> None:
        """Let the samples go."""

    def gradients(self, flat: Any, dropped: Any) -> float:
        """Write the gradients of the first batch, penalties included, into one array; return
        the loss. `dropped`: factors of the dropped shares, or None."""

    def load(self, arrays: tuple[Any, ...]) -> None:
        """Read parameters and optimizer arrays: a tuple for each parameter, in the order of
        the layers."""

    def look_at_samples(self, finite: bool) -> bool:
        """Refuse labels, targets and weights that somebody has edited since, as `begin` would.
        Whether all numbers of X and y are finite in the plan's dtype; True where `finite`
        does not ask for that."""

    def monitors(self) -> tuple[Any, ...]:
        """Best epoch, best value and epoch of the last act of each monitor; epochs from 1, 0:
        none."""

    def next_samples(self, samples: Any, last: bool) -> None:
        """Go on with the next part of the epoch's samples, in whole steps unless it is the
        last one."""

    def observe(self, flat: Any, dropped: Any, seen: Any) -> float:
        """Do what `gradients` does, and write what the pass computes into the arrays that are
        not None."""

    def part_gradients(self, flat: Any, part: Any, order: Any, dropped: Any) -> tuple[Any, ...]:
        """Write a part's share of a batch's gradient, without penalties, into one array;
        return its summed loss, weight, hits and rows. `part` is (first row in the order,
        rows, place in the batch, rows of the step, their weight, forwards before, first row
        and rows of the next one)."""

    def penalty(self) -> float:
        """The regularisation loss of the parameters as they are."""

    def run(self, max_steps: int, seconds: float, order: Any, factors: Any) -> int:
        """Run whole steps until max_steps are done, the factors used up or the seconds gone
        by; return their number."""

    def set_counts(self, counts: Any) -> None:
        """Where the training stands; steps_taken and forwards count from here."""

    def set_schedule(
        self,
        *,
        learning_rate: float,
        decay: float,
        weight_decay: float,
        iterations: int,
        clip_norm: float,
        settings: Sequence[float],
    ) -> None:
        """What may change between stretches; settings are those of the rule, in the
        catalogue's order."""

    def spend(self, flat: Any, factors: Any, forwards: int) -> None:
        """Make the optimizer's step from a whole gradient without penalties; `forwards` is
        their number up to this step, since the counts were set."""

    def step_record(self) -> tuple[float, float, float, float]:
        """Accuracy, data loss, regularisation loss (NaN where it is not known) and rate of the
        last step."""

    def stop(self) -> None: ...
    def store(self, arrays: tuple[Any, ...]) -> None:
        """Write parameters and optimizer arrays, in place."""

    def store_best(self, arrays: tuple[Any, ...]) -> None:
        """Write the parameters of the epoch that a monitor kept; without states."""

    def take_epochs(self) -> NDArray[Any]:
        """Number of the epochs finished since the last call, and eight columns: an array, or
        one number that holds for all."""

    def take_notes(self) -> tuple[Any, ...]:
        """Numbers of the steps that were noted since the last call, and of each part: sums of
        squares of gradients, steps and parameters, each of weights and biases, and dead
        units."""

    @property
    def bytes(self) -> int: ...
    @property
    def done(self) -> bool: ...
    @property
    def epoch(self) -> int: ...
    @property
    def forwards(self) -> int: ...
    @property
    def iterations(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def nonfinite(self) -> bool: ...
    @property
    def step(self) -> int: ...
    @property
    def steps_taken(self) -> int: ...
    @property
    def updates(self) -> int: ...
    @property
    def validating(self) -> bool: ...
    @property
    def waits_for_samples(self) -> bool: ...

class ShortWay:
    """A plan for one step, and what its model was when the plan was made;
    `chainrule.training.short_way` makes it."""

    def __init__(
        self,
        plan: Any,
        parts: tuple[Any, ...],
        trainable: Sequence[int],
        parameters: tuple[Any, ...],
        dropouts: tuple[Any, ...],
        constants: Sequence[float],
    ) -> None: ...
    def read(
        self,
        layers: Any,
        trainable: Any,
        loss: Any,
        optimizer: Any,
        accuracy: Any,
        clip_norm: float,
    ) -> bool:
        """Load the plan with what the parts hold now; False where one is otherwise than
        remembered, and then nothing was done."""

    def write(self) -> None:
        """Write parameters, counts and rate to where they were read from."""

class PackedNet:
    """A model's layers with copies of their parameters; any number of threads may use it
    at once."""

    def evaluate(
        self,
        X: Any,
        y: Any,
        loss: str,
        loss_parameters: Sequence[float],
        metric: str,
        precision: float,
    ) -> tuple[Any, ...]:
        """Each sample's loss, and how many outputs are right."""

    def predict(self, X: Any, out: Any) -> Any:
        """The output (n, m) for X (n, d), a new array or `out`."""

    def reads(self, X: Any) -> bool:
        """Whether X is as `predict` and `evaluate` take it."""

    @property
    def dtype(self) -> str: ...
    @property
    def n_inputs(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    @property
    def operations(self) -> float:
        """That one row takes."""

class Predictor:
    """A row of layers as the core sees it; `chainrule.training.predicting` describes their
    classes."""

    def __init__(self, layers: Any) -> None: ...
    def packed(self, layers: Any) -> Any:
        """A PackedNet of the parameters as they are now; None where the core cannot take them."""

def all_finite(array: Any) -> bool:
    """Whether all numbers of an array are finite; a C-contiguous one of floats."""

def available_targets() -> list[str]:
    """Names of the kernels this CPU can run, the plainest first."""

def binary_crossentropy_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """-(y / p - (1 - y) / (1 - p)) / m / n, p clipped to [1e-7, 1 - 1e-7]."""

def binary_crossentropy_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j -(y log p + (1 - y) log(1 - p)), p clipped to [1e-7, 1 - 1e-7]."""

def binary_crossentropy_logits_backward(
    dvalues: NDArray[Any], y_true: NDArray[Any], /
) -> NDArray[Any]:
    """(1 / (1 + exp(-z)) - y) / m / n."""

def binary_crossentropy_logits_forward(
    y_pred: NDArray[Any], y_true: NDArray[Any], /
) -> NDArray[Any]:
    """mean_j (max(z, 0) - y z + log(1 + exp(-|z|))), z the outputs."""

def build_info() -> dict[str, Any]:
    """Version, compiler, OpenMP date and flags."""

def catalogue() -> dict[str, Any]:
    """The compiled parts: activations, losses, rules and metrics, each a dict of its name,
    formulas, parameters and what it needs."""

def categorical_crossentropy_backward(
    dvalues: NDArray[Any], y_true: NDArray[Any], label_smoothing: float, /
) -> NDArray[Any]:
    """-y / p / n, p at least 1e-7."""

def categorical_crossentropy_forward(
    y_pred: NDArray[Any], y_true: NDArray[Any], label_smoothing: float, /
) -> NDArray[Any]:
    """-sum_j y log p, p clipped to [1e-7, 1 - 1e-7]; y_true int64 labels (n,) or targets
    (n, m)."""

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

def dense_gradients(
    inputs: NDArray[Any], dvalues: NDArray[Any], weights: NDArray[Any], /
) -> tuple[NDArray[Any], NDArray[Any]]:
    """dense_backward without dinputs: dweights (d, m) = inputs^T . dvalues, dbiases (1, m)
    = sum of dvalues."""

def dropout_forward(
    inputs: NDArray[Any], keep: float, key: int, step: int, start: int = 0, /
) -> tuple[NDArray[Any], NDArray[Any]]:
    """inputs * mask and the mask, (u < keep) / keep; u from Philox4x32-10 with the counter
    (element, step). The elements are numbers start, start + 1, ... of the step's
    stream."""

def elu_backward(dvalues: NDArray[Any], output: NDArray[Any], alpha: float, /) -> NDArray[Any]:
    """dvalues where output > 0, else dvalues * (output + alpha)."""

def elu_forward(inputs: NDArray[Any], alpha: float, /) -> NDArray[Any]:
    """inputs where inputs > 0, else alpha * (exp(inputs) - 1)."""

def embedding_backward(
    inputs: NDArray[Any],
    dvalues: NDArray[Any],
    weights: NDArray[Any],
    sizes: tuple[int, ...],
    n_passed: int,
    /,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The gradients of embedding_forward: dweights, dinputs; 0 in the columns of codes."""

def embedding_forward(
    inputs: NDArray[Any], weights: NDArray[Any], sizes: tuple[int, ...], n_passed: int, /
) -> NDArray[Any]:
    """The first n_passed columns of inputs, then for each code in the others, len(sizes),
    its row of its table; weights (sum of the sizes, width) are the tables, one below
    the other."""

def embedding_gradients(
    inputs: NDArray[Any],
    dvalues: NDArray[Any],
    weights: NDArray[Any],
    sizes: tuple[int, ...],
    n_passed: int,
    /,
) -> tuple[NDArray[Any]]:
    """embedding_backward without dinputs."""

def engine_for(network: Any) -> str:
    """Name of the engine that a plan of these shapes uses."""

def exponential_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * output."""

def exponential_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """exp(inputs)."""

def exponential_poisson_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """(p - y) / m / n with dvalues = p, the exponential's output."""

def exponential_poisson_forward(
    inputs: NDArray[Any], y_true: NDArray[Any], /
) -> tuple[NDArray[Any], NDArray[Any]]:
    """exp(inputs) and the Poisson loss per sample."""

def fma_peak(dtype: str, seconds: float) -> float:
    """GFLOP/s of fused multiply-adds alone, one thread."""

def follow_speeds(shares: Sequence[float], busy: Sequence[float]) -> list[float]:
    """Next shares of a team's work, from those it had and how long each worker was busy
    with its own."""

def gelu_backward(dvalues: NDArray[Any], inputs: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * (Phi(inputs) + inputs * phi(inputs))."""

def gelu_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """inputs * Phi(inputs), Phi of the standard normal distribution."""

def gelu_tanh_backward(dvalues: NDArray[Any], inputs: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * (s + inputs * s * (1 - s) * 2 * du), s = (1 + tanh(u)) / 2."""

def gelu_tanh_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """inputs / 2 * (1 + tanh(u)), u = sqrt(2 / pi) * (inputs + 0.044715 * inputs^3)."""

def get_num_threads() -> int:
    """Largest number of threads a call of this thread may use."""

def half_squared_error_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """(p - y) / n."""

def half_squared_error_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """sum_j (p - y)^2 / 2."""

def hinge_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """-y / m / n where y p < 1."""

def hinge_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j max(0, 1 - y p), labels -1 and 1, or 0 and 1."""

def huber_backward(dvalues: NDArray[Any], y_true: NDArray[Any], delta: float, /) -> NDArray[Any]:
    """clip(d, -delta, delta) / m / n."""

def huber_forward(y_pred: NDArray[Any], y_true: NDArray[Any], delta: float, /) -> NDArray[Any]:
    """mean_j of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); d = p - y."""

def leaky_relu_backward(
    dvalues: NDArray[Any], output: NDArray[Any], negative_slope: float, /
) -> NDArray[Any]:
    """dvalues where output > 0, else negative_slope * dvalues."""

def leaky_relu_forward(inputs: NDArray[Any], negative_slope: float, /) -> NDArray[Any]:
    """inputs where inputs > 0, else negative_slope * inputs."""

def limit_threads_here(count: int) -> int:
    """Bound the threads of the calling Python thread's calls, 0 for no bound; return the
    bound before."""

def linear_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """dvalues."""

def linear_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """inputs."""

def log_cosh_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """tanh(p - y) / m / n."""

def log_cosh_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j log cosh(p - y)."""

def mean_absolute_error_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """sign(p - y) / m / n."""

def mean_absolute_error_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j |p - y|."""

def mean_squared_error_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """2 (p - y) / m / n."""

def mean_squared_error_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j (p - y)^2."""

def mish_backward(dvalues: NDArray[Any], inputs: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * (t + inputs * (1 - t^2) / (1 + exp(-inputs)))."""

def mish_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """inputs * t, t = tanh(log(1 + exp(inputs)))."""

def multiply(a: NDArray[Any], b: NDArray[Any], /) -> NDArray[Any]:
    """a * b, element by element."""

def parametric_backward(
    dvalues: NDArray[Any],
    through: NDArray[Any],
    inputs: NDArray[Any],
    activated: NDArray[Any],
    weights: NDArray[Any],
    /,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """dweights (1, m) = sum of dvalues * (activated - inputs), dinputs = (1 - weights) *
    dvalues + weights * through; through is what the activation makes of dvalues."""

def parametric_forward(
    inputs: NDArray[Any], activated: NDArray[Any], weights: NDArray[Any], /
) -> NDArray[Any]:
    """(1 - weights) * inputs + weights * activated; weights (1, m)."""

def periodic_backward(
    inputs: NDArray[Any],
    dvalues: NDArray[Any],
    frequencies: NDArray[Any],
    phases: NDArray[Any],
    weights: NDArray[Any],
    biases: NDArray[Any],
    n_passed: int,
    /,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The gradients of periodic_forward: dfrequencies, dphases, dweights, dbiases,
    dinputs."""

def periodic_forward(
    inputs: NDArray[Any],
    frequencies: NDArray[Any],
    phases: NDArray[Any],
    weights: NDArray[Any],
    biases: NDArray[Any],
    n_passed: int,
    /,
) -> NDArray[Any]:
    """cos(2 pi frequencies x + phases) . weights + biases, then x, of each column x of
    inputs (n, p + n_passed) but the last n_passed, which stay as they are; weights (p,
    k, m)."""

def periodic_gradients(
    inputs: NDArray[Any],
    dvalues: NDArray[Any],
    frequencies: NDArray[Any],
    phases: NDArray[Any],
    weights: NDArray[Any],
    biases: NDArray[Any],
    n_passed: int,
    /,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """periodic_backward without dinputs."""

def poisson_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """(1 - y / p) / m / n, p at least 1e-7 in the quotient."""

def poisson_forward(y_pred: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """mean_j (p - y log p), p at least 1e-7 in the logarithm."""

def predict_few(predictor: Any, layers: Any, X: Any, out: Any, /) -> Any:
    """The output for a few rows, weights read in place; None where there are many, or the
    core cannot take something."""

def quantile_backward(
    dvalues: NDArray[Any], y_true: NDArray[Any], /, *quantiles: float
) -> NDArray[Any]:
    """(1[p >= y] - q) / m / n."""

def quantile_forward(
    y_pred: NDArray[Any], y_true: NDArray[Any], /, *quantiles: float
) -> NDArray[Any]:
    """mean_j max(q d, (q - 1) d), d = y - p."""

def quota_cores(root: str) -> float:
    """Cores that the control groups below root/sys leave this process; inf: no quota."""

def regularize(gradient: NDArray[Any], parameter: NDArray[Any], l1: float, l2: float, /) -> None:
    """gradient += l1 * sign(parameter) + 2 * l2 * parameter, in place; sign(0) = +1."""

def relu_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """dvalues where output > 0, else 0."""

def relu_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """max(inputs, 0); NaN passes."""

def selu_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """1.0507 * dvalues where output > 0, else dvalues * (output + 1.0507 * 1.67326)."""

def selu_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """1.0507 * (inputs where inputs > 0, else 1.67326 * (exp(inputs) - 1))."""

def set_num_threads(count: int) -> None:
    """Largest number of threads a call may use, from the next call on."""

def set_signal_handlers(handlers: Any) -> None:
    """Set handlers of signals, all of them; what a signal raises meanwhile comes at the
    end."""

def short_step(
    way: Any,
    layers: Any,
    trainable: Any,
    loss: Any,
    optimizer: Any,
    accuracy: Any,
    X: Any,
    y: Any,
    weights: Any,
    precision: float,
    /,
) -> Any:
    """One step on a batch: accuracy, data loss, regularisation loss, rate, regularisation
    loss after it, and whether it left finite parameters; None where nothing was done,
    since a part is otherwise than remembered, an array not as the core takes it, or the
    loss not finite."""

def sigmoid_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * output * (1 - output)."""

def sigmoid_crossentropy_backward(dvalues: NDArray[Any], y_true: NDArray[Any], /) -> NDArray[Any]:
    """(p - y) / m / n with dvalues = p, the sigmoid's output."""

def sigmoid_crossentropy_forward(
    inputs: NDArray[Any], y_true: NDArray[Any], /
) -> tuple[NDArray[Any], NDArray[Any]]:
    """sigmoid(inputs) and the binary cross-entropy of these logits per sample."""

def sigmoid_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """1 / (1 + exp(-inputs))."""

def signal_handlers() -> Any:
    """Handlers of signals that are Python code, by their numbers."""

def silu_backward(dvalues: NDArray[Any], inputs: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * s * (1 + inputs * (1 - s))."""

def silu_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """inputs * s, s = 1 / (1 + exp(-inputs))."""

def softmax_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """output * (dvalues - sum(dvalues * output)) of each row."""

def softmax_crossentropy_backward(
    dvalues: NDArray[Any], y_true: NDArray[Any], label_smoothing: float, /
) -> NDArray[Any]:
    """(p sum_k y_k - y) / n with dvalues = p, the softmax output."""

def softmax_crossentropy_forward(
    inputs: NDArray[Any], y_true: NDArray[Any], label_smoothing: float, /
) -> tuple[NDArray[Any], NDArray[Any]]:
    """softmax(inputs) and the categorical cross-entropy per sample."""

def softmax_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """exp(x - max) / sum exp(x - max) of each row."""

def softplus_backward(dvalues: NDArray[Any], inputs: NDArray[Any], /) -> NDArray[Any]:
    """dvalues / (1 + exp(-inputs))."""

def softplus_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """log(1 + exp(inputs))."""

def sum(values: NDArray[Any], /) -> float:
    """Sum of all values, in double."""

def tanh_backward(dvalues: NDArray[Any], output: NDArray[Any], /) -> NDArray[Any]:
    """dvalues * (1 - output^2)."""

def tanh_forward(inputs: NDArray[Any], /) -> NDArray[Any]:
    """tanh(inputs)."""

def update(rule: str, parts: tuple[Any, ...], /) -> None:
    """One step of a rule, in place. Each part: (parameter, gradient, tuple of its states,
    rate, decay, step, tuple of the rule's settings); w -= decay * w first. All arrays
    are checked before any changes."""

def update_layer(
    layer: Any,
    token: Any,
    rule: str,
    recipes: Any,
    rate: float,
    decay: float,
    settings: tuple[Any, ...],
    /,
) -> bool:
    """The same for the parameters that a layer has, by a recipe for its parameter_names: a
    tuple of (name, gradient, names of states, index, whether one decay factor acts on
    it). Counts their steps. False where nothing was done: the layer is frozen, another
    optimizer's, or its arrays are not all there."""
