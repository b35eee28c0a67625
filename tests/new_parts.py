"""A throw-away activation, loss and rule: what is written into which file to add them.

`add_parts(folder)` does it in a copy of the sources, `add_references(folder)` in one of the tests.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

CUBE = """
struct Cube : Elementwise {
    static constexpr const char *name = "cube", *formula = "scale * inputs^3",
                                *derivative = "dvalues * 3 * scale * inputs^2";
    static constexpr Names parameters = names("scale");
    static constexpr bool needs_inputs = true;
    static constexpr Index cost = 6;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double* p) {
        return broadcast(T(p[0])) * x * (x * x);
    }
    template <class T>
    static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& d, const Vec<T>& x, const double* p) {
        return d * (broadcast(T(3 * p[0])) * (x * x));
    }
};
"""

FOURTH_POWER = """
struct FourthPower : LossBase {
    static constexpr const char *name = "fourth_power", *value_text = "mean_j (p - y)^4",
                                *gradient_text = "4 (p - y)^3 / m / n";
    template <class T>
    static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        const Vec<T> square = (p - y) * (p - y);
        return square * square;
    }
    template <class T>
    static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        return broadcast(T(4)) * (p - y) * ((p - y) * (p - y));
    }
};
"""

HALVED = """
struct Halved {
    static constexpr const char *name = "halved", *formula = "t = keep * t + g; w -= rate / 2 * t";
    static constexpr Names states = names("trails"), parameters = names("keep");
    static constexpr bool counts_steps = false;
    static void prepare(const double* parameters, double rate, double, double* constants) noexcept {
        constants[0] = parameters[0];
        constants[1] = rate / 2;
    }
    template <class T>
    static CHAINRULE_INLINE void step(const Vec<T>* k, State<T>& s, const Vec<T>& g) {
        s.array[0] = fma(k[0], s.array[0], g);
        s.w = fma(Vec<T>{} - k[1], s.array[0], s.w);
    }
};
"""

ACTIVATION_CUBE = '''

class Activation_Cube(CompiledOfInputs):
    """``output = scale * inputs^3``; ``dinputs = dvalues * 3 * scale * inputs^2``."""

    core_name = "cube"
    settings: ClassVar[Settings] = {"scale": is_nonnegative}
    scale: float = 0.1

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = as_number(scale, "scale")

    def parameters(self) -> tuple[float, ...]:
        """Return ``(scale,)``."""
        return (self.scale,)
'''

LOSS_FOURTH_POWER = '''

class Loss_FourthPower(CompiledLoss):
    """``mean_j (p - y)^4``; gradient ``4 (p - y)^3 / m / n``."""

    core_name = "fourth_power"
'''

OPTIMIZER_HALVED = '''

class Optimizer_Halved(Optimizer):
    """``t = keep * t + g; w -= rate / 2 * t``."""

    core_name = "halved"
    settings: ClassVar[Settings] = {**Optimizer.settings, "keep": is_number}
    keep: float = 0.5

    def __init__(
        self,
        learning_rate: float = 1.0,
        decay: float = 0.0,
        keep: float = 0.5,
        *,
        weight_decay: float = 0.0,
        schedule: Any = None,
        weight_decay_schedule: Any = None,
    ) -> None:
        super().__init__(learning_rate, decay, weight_decay, schedule, weight_decay_schedule)
        self.keep = as_number(keep, "keep")
'''

REFERENCES = """

def cube_forward(inputs: Array, scale: float) -> Array:
    return scale * inputs**3


def cube_backward(dvalues: Array, inputs: Array, scale: float) -> Array:
    return dvalues * 3 * scale * inputs**2


def fourth_power_forward(y_pred: Array, y_true: Array) -> Array:
    return ((y_pred - y_true) ** 4).mean(axis=1)


def fourth_power_backward(dvalues: Array, y_true: Array) -> Array:
    return 4 * (dvalues - y_true) ** 3 / dvalues.shape[1] / len(dvalues)


def halved(
    parameter: Array, gradient: Array, trails: Array, rate: float, step: int, keep: float
) -> None:
    trails[...] = keep * trails + gradient
    parameter -= rate / 2 * trails


FORWARD["cube"] = cube_forward
NEEDS_INPUTS.add("cube")
LOSSES["fourth_power"] = (fourth_power_forward, fourth_power_backward)
RULES["halved"] = (halved, ("trails",), ("keep",))
"""


class Part(NamedTuple):
    """A class that goes in front of a list, and its name at the list's end."""

    file: str
    text: str
    type_list: str
    name: str


CORE = (
    Part("cpp/kernels/activations.inl", CUBE, "Activations", "Cube"),
    Part("cpp/kernels/losses.inl", FOURTH_POWER, "Losses", "FourthPower"),
    Part("cpp/kernels/rules.inl", HALVED, "Rules", "Halved"),
)
CLASSES = {
    "python/chainrule/activations.py": ACTIVATION_CUBE,
    "python/chainrule/losses/real_targets.py": LOSS_FOURTH_POWER,
    "python/chainrule/optimizers/rules.py": OPTIMIZER_HALVED,
}


def with_part(source: str, part: Part) -> str:
    """The source with the class, and with its name in the list."""
    listing = re.compile(rf"using {part.type_list} = List<([^;]*)>;")
    assert len(listing.findall(source)) == 1, part
    longer = rf"{part.text.lstrip()}\nusing {part.type_list} = List<\1, {part.name}>;"
    return listing.sub(lambda found: found.expand(longer), source)


def add_parts(folder: Path) -> None:
    """Add the three to a copy of the sources."""
    for part in CORE:
        path = folder / part.file
        path.write_text(with_part(path.read_text(encoding="utf-8"), part), encoding="utf-8")
    for file, text in CLASSES.items():
        with (folder / file).open("a", encoding="utf-8") as source:
            source.write(text)


def add_references(folder: Path) -> None:
    """Add their formulas to a copy of the tests."""
    with (folder / "reference.py").open("a", encoding="utf-8") as source:
        source.write(REFERENCES)
