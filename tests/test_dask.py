"""The estimators on a Dask cluster of two processes: what docs/scale.md shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("dask", reason="dask is not installed: pip install 'chainrule[dask]'")
pytest.importorskip("distributed", reason="distributed is not installed")

PAGE = Path(__file__).parents[1] / "docs/scale.md"
pytestmark = [
    pytest.mark.skipif(not PAGE.is_file(), reason="not a whole checkout"),
    pytest.mark.filterwarnings("default"),  # other packages' warnings are not ours to fail by
]


def block_with(text: str) -> str:
    """The page's block of code that holds a text."""
    blocks: list[str] = re.findall(r"```py\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found = [block for block in blocks if text in block]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def names() -> Any:
    """What the page's code has made; the cluster is closed afterwards."""
    made: dict[str, Any] = {"__name__": "__main__"}  # whose functions are sent whole
    exec(block_with("LocalCluster("), made)
    yield made
    made["client"].close()
    made["cluster"].close()


def test_a_grid_search_on_a_cluster_finds_what_one_process_finds(names: dict[str, Any]) -> None:
    search, X, y = names["search"], names["X"], names["y"]
    from sklearn.base import clone

    alone = clone(search).set_params(n_jobs=1).fit(X, y)
    assert search.best_params_ == alone.best_params_
    scores = [each.cv_results_["mean_test_score"].tolist() for each in (search, alone)]
    assert scores[0] == scores[1]


def test_an_ensemble_on_a_cluster_has_the_bits_of_one_process(names: dict[str, Any]) -> None:
    exec(block_with("client.map("), names)
    alone = [names["member"](seed) for seed in range(len(names["members"]))]
    for one, other in zip(names["members"], alone, strict=True):
        for a, b in zip(one.coefs_, other.coefs_, strict=True):
            assert np.array_equal(a, b)


def test_workers_share_the_cores(names: dict[str, Any]) -> None:
    """Two workers use no more threads together than there are cores."""

    def threads_of_worker() -> int:  # within the test: a worker need not find this file
        import chainrule

        return chainrule.get_num_threads()

    told = names["client"].run(threads_of_worker)
    assert len(told) == 2 and all(each == 1 for each in told.values())
