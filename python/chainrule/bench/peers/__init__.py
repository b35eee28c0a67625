"""Who can be measured. Adding a peer: one module with a `Peer`, one line in `CONTESTANTS`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from .peer import Peer, Unsupported

__all__ = ["CONTESTANTS", "PATHS", "PEERS", "Contestant", "Peer", "Unsupported"]


@dataclass(frozen=True)
class Contestant:
    """Where a peer is found and what to say if it is not installed.

    ``choice`` is the word of ``--peers`` (or ``--path`` for ourselves) that selects it.
    """

    name: str
    choice: str
    module: str
    class_name: str
    package: str
    remedy: str
    ours: bool = False

    def load(self) -> type[Peer]:
        """Import the peer's module, and with it the peer.

        Raises
        ------
        ImportError
            If the package is not installed.
        """
        module = importlib.import_module(f"{__name__}.{self.module}")
        peer: type[Peer] = getattr(module, self.class_name)
        return peer


_BENCH = "pip install 'chainrule[bench]' brings it"
_TORCH = "it takes part where PyTorch is installed (pip install torch)"
_SELF = "build and install chainrule"

CONTESTANTS = (
    Contestant("chainrule plan", "plan", "chainrule_plan", "ChainrulePlan", "chainrule", _SELF,
               ours=True),
    Contestant("chainrule layers", "layers", "chainrule_layers", "ChainruleLayers", "chainrule",
               _SELF, ours=True),
    Contestant("numpy", "numpy", "numpy_loop", "NumpyLoop", "numpy", "pip install numpy"),
    Contestant("numpy-classes", "numpy-classes", "layer_loop", "NumpyClasses", "numpy",
               "pip install numpy"),
    Contestant("torch", "torch", "torch_eager", "TorchEager", "torch", _TORCH),
    Contestant("jax step", "jax", "jax_jit", "JaxStep", "jax", _BENCH),
    Contestant("jax loop", "jax", "jax_jit", "JaxLoop", "jax", _BENCH),
    Contestant("sklearn", "sklearn", "sklearn_mlp", "SklearnMlp", "sklearn", _BENCH),
)  # fmt: skip

PATHS = tuple(c.choice for c in CONTESTANTS if c.ours)
PEERS = tuple(dict.fromkeys(c.choice for c in CONTESTANTS if not c.ours))
