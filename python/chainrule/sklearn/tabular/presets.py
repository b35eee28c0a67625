"""What each preset's nets are made of and how they learn, where a parameter is "auto".

Sources: Holzmüller, Grinsztajn, Steinwart (2024), "Better by default", for RealMLP and its small
variant; Gorishniy, Kotelnikov, Babenko (2025), "TabM", for members that share their weights.
"""

from __future__ import annotations

from typing import NamedTuple


class ForTask(NamedTuple):
    """A setting for classes, and for values."""

    classes: float
    values: float


class Preset(NamedTuple):
    """The usual settings of a preset.

    Attributes
    ----------
    learning_rate : ForTask
        The largest rate of a cycle.
    dropout, weight_decay : float
    periodic : bool
        Whether columns of numbers get learned periodic features.
    embeds : bool
        Whether columns of more than `max_onehot` levels get a learned table, instead of an input
        a level.
    parametric : bool
        Whether each neuron learns its share of the activation.
    from_data : bool
        Whether the training rows scale the first weights and place the first biases.
    shared : int
        Nets that share all weights but a first factor a column and the last layer.
    """

    learning_rate: ForTask
    dropout: float = 0.0
    weight_decay: float = 0.0
    periodic: bool = False
    embeds: bool = False
    parametric: bool = False
    from_data: bool = False
    shared: int = 1


PRESETS = {
    "default": Preset(
        learning_rate=ForTask(classes=0.04, values=0.2),
        dropout=0.15,
        weight_decay=0.02,
        periodic=True,
        embeds=True,
        parametric=True,
        from_data=True,
    ),
    "small": Preset(learning_rate=ForTask(classes=0.04, values=0.07)),
    "tabm-mini": Preset(learning_rate=ForTask(classes=0.04, values=0.07), shared=8),
}
