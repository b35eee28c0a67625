"""A training tracked by MLflow: settings, an epoch's values as they come, the model's file.

MLflow keeps what it is told in a database (in the folder `--output`) and shows it with ``mlflow ui
--backend-store-uri sqlite:///mlflow.db``. A callback of a few lines is all it takes;
`chainrule.interop.TensorBoard` does the like for TensorBoard.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import chainrule as cr

EPOCHS = 10


class Tracker(cr.Callback):
    """Send each epoch's values to the MLflow run in progress."""

    def __init__(self, mlflow: Any) -> None:
        self.mlflow = mlflow

    def on_train_begin(self) -> None:
        """Send the settings."""
        optimizer = self.model.optimizer
        settings = {name: getattr(optimizer, name) for name in ("learning_rate", "weight_decay")}
        self.mlflow.log_params({"optimizer": type(optimizer).__name__, **settings})

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Send the values of this epoch."""
        self.mlflow.log_metrics(logs, step=epoch)


def main(folder: Path) -> None:
    """Train a net on digits, tracked."""
    try:
        import mlflow
    except ImportError:
        print("MLflow is not installed: pip install mlflow")
        return
    place = folder.resolve()
    mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow.db'}")
    if mlflow.get_experiment_by_name("digits") is None:
        mlflow.create_experiment("digits", (place / "mlruns").as_uri())
    mlflow.set_experiment("digits")
    X, y = cr.datasets.load_digits()
    model = cr.mlp(X.shape[1], 32, 10, output="softmax", dropout=0.1, seed=0)
    with mlflow.start_run() as run:
        model.train(X, y, epochs=EPOCHS, batch_size=64, shuffle=True, rng=0,
                    validation_split=0.2, callbacks=[Tracker(mlflow)])  # fmt: skip
        model.save(folder / "digits.safetensors")
        mlflow.log_artifact(str(folder / "digits.safetensors"))
        mlflow.set_tag("fingerprint", model.fingerprint())
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "validation_accuracy")
    print("epoch  validation accuracy, as MLflow has it")
    found = {each.step: each.value for each in history}
    for epoch in sorted(found):
        print(f"{epoch:5d}  {found[epoch]:.3f}")
    same = list(found.values()) == model.history["validation_accuracy"].tolist()
    print(f"MLflow and the history {'agree' if same else 'differ: WRONG'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder of MLflow's files")
    main(parser.parse_args().output)
