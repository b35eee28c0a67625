"""Files of estimators: preprocessing, nets and settings as plain data, nothing ever executed.

They are model files as `chainrule.saving` writes them: safetensors with one JSON document, a
checksum, replaced as a whole. records.py says what is kept of each class, in one table a class;
fields.py, arrays.py and objects.py have the kinds of values in these tables; parameters.py keeps
constructor parameters; estimators.py puts a file together and takes it apart. saved.py beside has
the methods.
"""

from .estimators import load_estimator, save_estimator

__all__ = ["load_estimator", "save_estimator"]
