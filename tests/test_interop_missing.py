"""Where another library is missing, the call that needs it says what to install; others work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.libraries import library

CALLS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "to_onnx": ("onnx", lambda path: net().to_onnx(path), r"pip install 'chainrule\[onnx\]'"),
    "from_onnx": ("onnx", cr.interop.from_onnx, r"pip install 'chainrule\[onnx\]'"),
    "to_torch": ("torch", lambda path: cr.interop.to_torch(net()), "pip install torch"),
    "from_torch": ("torch", cr.interop.from_torch, "pip install torch"),
    "to_keras": ("keras", lambda path: cr.interop.to_keras(net()), "pip install 'keras>=3'"),
    "from_keras": ("keras", cr.interop.from_keras, "pip install 'keras>=3'"),
    "from_sklearn": ("sklearn", cr.interop.from_sklearn, r"pip install 'chainrule\[sklearn\]'"),
    "TensorBoard": (
        "tensorboardX", cr.interop.TensorBoard, r"pip install 'chainrule\[tensorboard\]'"
    ),
}  # fmt: skip


def net() -> Any:
    return cr.mlp(2, 3, 1, seed=0)


@pytest.mark.parametrize("caller", CALLS)
def test_the_call_names_what_to_install(
    caller: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, call, install = CALLS[caller]
    for module in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"{caller}: expected {name}, which is not .*{install}"):
        call(tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_a_library_that_lacks_something_itself_is_not_called_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken_library.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    reason = r"expected broken_library, which cannot be imported \(.*'surely_not_installed'\)"
    with pytest.raises(ImportError, match=reason) as found:
        library("broken_library", "to_it", "it")
    assert isinstance(found.value.__cause__, ModuleNotFoundError)


def test_the_package_imports_no_library_before_it_is_used() -> None:
    code = (
        "import sys, chainrule\n"
        "assert 'chainrule.interop' not in sys.modules and 'interop' in dir(chainrule)\n"
        "chainrule.interop.to_torch\n"
        "others = {'onnx', 'onnxruntime', 'torch', 'keras', 'sklearn', 'tensorboardX', 'pyarrow'}\n"
        "assert not others & set(sys.modules), others & set(sys.modules)\n"
    )
    paths = {"PYTHONPATH": str(Path(cr.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=paths)
