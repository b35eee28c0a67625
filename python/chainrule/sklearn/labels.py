"""Class labels and the targets that a net is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels

from ..arrays import Array


class Labels:
    """The classes of a classifier, as places in `classes`.

    Attributes
    ----------
    classes : ndarray (K,)
        Sorted; 0 to m - 1 for m labels a sample.
    kind : {"binary", "multiclass", "multilabel"}
        One class alone counts as binary.
    """

    def __init__(self, y: Any) -> None:
        binarizer = LabelBinarizer().fit(y)
        self.classes: Array = binarizer.classes_
        several = binarizer.y_type_ == "multilabel-indicator"
        one_output = len(self.classes) <= 2
        self.kind = "multilabel" if several else "binary" if one_output else "multiclass"
        self._keys = {label: place for place, label in enumerate(self.classes.tolist())}

    @classmethod
    def of_classes(cls, y: Any, classes: Any) -> Labels:
        """Return the labels of all calls of `partial_fit`: of y where it has several a sample."""
        return cls(y if type_of_target(y).startswith("multilabel") else classes)

    def check(self, y: Any, warm_start: bool) -> None:
        """Refuse classes that an earlier fit did not have, and with warm_start another set of them.

        Raises
        ------
        ValueError
            Naming both sets.
        """
        if len(np.shape(y)) == 2 and np.shape(y)[1] != len(self.classes):
            raise ValueError(f"y: expected {len(self.classes)} columns, got {np.shape(y)[1]}")
        found = unique_labels(y)
        if warm_start and self.kind != "multilabel" and set(found) != set(self.classes):
            raise ValueError(
                "y: expected the same classes as in the previous fit, as warm_start is set, "
                f"{self.classes}, got {found}"
            )
        if self.kind == "multilabel":
            return
        new = np.setdiff1d(found, self.classes)
        if len(new):
            raise ValueError(f"y: expected classes among {self.classes}, got {new} as well")

    def places(self, y: Any) -> Array:
        """Return each label's place in `classes` (n,), or the indicators (n, m); y was checked."""
        if self.kind == "multilabel":
            dense = y.toarray() if hasattr(y, "toarray") else y
            indicators: Array = np.asarray(dense) != 0
            return indicators
        places: Array = np.searchsorted(self.classes, y)
        return places

    def place(self, label: Any) -> int | None:
        """Return the place of one label; None for an unknown one, and for several a sample."""
        return None if self.kind == "multilabel" else self._keys.get(label)

    def of_places(self, places: Array) -> Array:
        """Return the labels at the places, or the indicators themselves."""
        if self.kind == "multilabel":
            return places.astype(np.int64)
        labels: Array = self.classes[places]
        return labels
