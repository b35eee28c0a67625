"""A model's ways to other languages and libraries: `Model.to_c`, `Model.to_onnx`."""

from __future__ import annotations

from typing import Any

from .explained import ExplainedModel


class ExportedModel(ExplainedModel):
    """What writes a model's predictions in forms that need no chainrule."""

    def to_c(self, path: Any, *, name: str = "net") -> None:
        """Write the way forward as one C99 file that needs the C library alone.

        Its function ``<name>_predict(rows, inputs, output)`` gives the bits of `predict`, NaN's
        sign and payload aside, on every machine with IEEE arithmetic; those of a CPU target with
        fused multiply-add, which all but ``baseline`` on x86-64 are. Numbers are of the model's
        dtype, weights are hexadecimal constants. ``<name>_n_inputs()``, ``<name>_n_outputs()``
        tell the sizes; the file's head has the declarations and the compiler's flags. An embedding
        gives NaN for what is no code of its table, where `predict` raises.

        Parameters
        ----------
        path : str or path-like
        name : str
            What the three functions' names begin with.

        Raises
        ------
        TypeError
            A layer of the user's own.
        ValueError
            Layers of several dtypes, none with parameters, parameters that are not finite, a name
            that C does not take.
        OSError
            The file cannot be written; what was there is there still.
        """
        from ..interop.c_source import to_c

        to_c(self, path, name=name)

    def to_onnx(self, path: Any) -> None:
        """Write the way forward as an ONNX file; needs the extra ``chainrule[onnx]``.

        The graph takes ``inputs`` (n, d) and gives ``output`` (n, m), in the model's dtype, by
        operators of opset 20: ``Gemm`` for dense layers, and one or a few for each activation.
        Dropout is left out. `chainrule.interop.to_onnx` writes estimators too.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        ImportError
            onnx is not installed.
        TypeError
            A layer of the user's own.
        ValueError
            Layers of several dtypes, or none with parameters.
        OSError
            The file cannot be written; what was there is there still.
        """
        from ..interop.onnx_export import to_onnx

        to_onnx(self, path)
