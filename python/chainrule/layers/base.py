"""What every layer of the package has: may it learn, and which layers stand beside it."""

from __future__ import annotations

from typing import Any, ClassVar

from ..catalogue import Part
from .neighbours import Neighbour


class Layer(Part):
    """Base of the layers and activations.

    Attributes
    ----------
    trainable : bool
        False freezes the parameters: training, optimizers, clipping and penalties pass over them.
    prev, next : object or None
        The layers beside it, where a model has told; a copy or a pickle of the layer alone leaves
        them out, with the arrays of samples that a pass has left (`transient`). Gradients of
        parameters go along: an update of the copy needs them.
    optimizer_token : int or None
        Whose the optimizer's arrays on the layer are; see optimizers/state.py.
    """

    kind: ClassVar[str] = "layer"
    transient: ClassVar[tuple[str, ...]] = ("prev", "next", "inputs", "output", "dinputs")
    trainable: bool = True
    prev: Any = Neighbour(-1)
    next: Any = Neighbour(+1)
    optimizer_token: int | None = None

    def _repr_html_(self) -> str:
        from ..seeing.cards import layer_card

        return layer_card(self).html()
