"""One model on many ranks of MPI: each has its part of a batch, and all make the same step.

    mpiexec -n 4 python train.py

with, in train.py, on every rank::

    from chainrule.mpi import DataParallel

    parallel = DataParallel(model)
    parallel.train(X, y, epochs=10, batch_size=512, shuffle=True, rng=1)

Ranks are processes, on one machine or on many. Needs the extra ``mpi``: mpi4py, and an MPI library.
"""

from .parallel import DataParallel

__all__ = ["DataParallel"]
