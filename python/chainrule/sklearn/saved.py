"""`save` and `load` of the estimators."""

from __future__ import annotations

from typing import Any


class Saved:
    """An estimator that files can hold."""

    def save(self, path: Any) -> None:
        """Write the fitted estimator to a file: preprocessing, nets, labels, parameters.

        A kill at any moment leaves the old file or the new one. Predictions of the loaded estimator
        have the same bits. Not kept are `callbacks`, predictions of held-out rows (``oof_...``),
        settings of metadata routing and `set_output`, and attributes that users added.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        NotFittedError
            There is nothing to save yet.
        TypeError
            A parameter that is no plain setting and no part of a net, such as a scorer that is a
            function; a label or a category that is no text, number or truth value; a class of the
            user's own that is derived from an estimator.
        OSError
            The file cannot be written; what was there is there still.
        """
        from .saving.estimators import save_estimator

        save_estimator(self, path)

    @classmethod
    def load(cls, path: Any, custom: Any = ()) -> Any:
        """Return the estimator that `save` wrote.

        Parameters
        ----------
        path : str or path-like
        custom : sequence of classes
            Classes of the user's own that the nets may name, as in `chainrule.Model.load`.

        Raises
        ------
        ModelFileError
            The file is damaged, holds no estimator of this class, was written by a later version,
            or names a class that `custom` does not have.
        OSError
            The file cannot be read.
        """
        from .saving.estimators import load_estimator

        return load_estimator(path, custom, cls)
