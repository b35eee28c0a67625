"""Who can be measured, and at what.

Adding a peer: one module with a `Peer`, one entry in `CONTESTANTS`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from ..workloads import FIRST_CALL, JOBS, ONLINE, PRACTICE, PREDICT, TRAIN
from .peer import Peer, Unsupported

__all__ = ["CONTESTANTS", "PATHS", "PEERS", "Contestant", "Peer", "Unsupported"]


@dataclass(frozen=True)
class Contestant:
    """Where a peer is found and what to say if it is not installed.

    ``choice`` is the word of ``--peers`` (or ``--path`` for ourselves) that selects it; ``jobs``
    are those that it does.
    """

    name: str
    choice: str
    module: str
    class_name: str
    package: str
    remedy: str
    jobs: tuple[str, ...] = JOBS
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
# Those that import nothing but NumPy, which is not counted, have no first call.
_STEPWISE = (TRAIN, ONLINE)
_LOOP = (TRAIN, PRACTICE)

CONTESTANTS = (
    Contestant("chainrule plan", "plan", "chainrule_plan", "ChainrulePlan", "chainrule", _SELF,
               ours=True),
    Contestant("chainrule layers", "layers", "chainrule_layers", "ChainruleLayers", "chainrule",
               _SELF, _STEPWISE, ours=True),
    Contestant("numpy", "numpy", "numpy_loop", "NumpyLoop", "numpy", "pip install numpy",
               (*_LOOP, PREDICT, ONLINE)),
    Contestant("numpy-classes", "numpy-classes", "layer_loop", "NumpyClasses", "numpy",
               "pip install numpy", _STEPWISE),
    Contestant("numba", "numba", "numba_classes", "NumbaClasses", "numba", _BENCH),
    Contestant("torch", "torch", "torch_eager", "TorchEager", "torch", _TORCH),
    Contestant("jax step", "jax", "jax_jit", "JaxStep", "jax", _BENCH,
               (*_STEPWISE, PREDICT, FIRST_CALL)),
    Contestant("jax loop", "jax", "jax_jit", "JaxLoop", "jax", _BENCH, (*_LOOP, FIRST_CALL)),
    Contestant("jax scan", "jax", "jax_jit", "JaxScan", "jax", _BENCH, _LOOP),
    Contestant("jax loop rbg", "jax", "jax_jit", "JaxLoopRbg", "jax", _BENCH, (PRACTICE,)),
    Contestant("jax scan rbg", "jax", "jax_jit", "JaxScanRbg", "jax", _BENCH, (PRACTICE,)),
    Contestant("sklearn", "sklearn", "sklearn_mlp", "SklearnMlp", "sklearn", _BENCH),
)  # fmt: skip

PATHS = tuple(c.choice for c in CONTESTANTS if c.ours)
PEERS = tuple(dict.fromkeys(c.choice for c in CONTESTANTS if not c.ours))
