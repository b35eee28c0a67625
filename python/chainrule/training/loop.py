"""The loop over a training: stretches of a runner, and what is due between them.

A runner does steps by itself, for at most 20 ms, so that Ctrl-C and the bar work; it also
stops where a line or a callback is due. Which runner: the compiled plan if it can, else
layer by layer.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from ..callbacks import Callback
from ..history import COLUMNS, History
from ..shapes import check_widths
from .beginning import Beginning, begin_steps, parts_undone_by_errors
from .best_epoch import BestEpoch
from .company import Company
from .divergence import nonfinite_parameter, nonfinite_update
from .ends import check_ends
from .interrupts import Interrupts
from .layerwise import LayerwiseRunner
from .meter import Meter
from .monitors import Monitors, monitors_for
from .network import NoPlan
from .plan_runner import PlanRunner
from .progress import Bar, someone_is_looking, step_line, training_line, validation_line
from .request import Runner, StepRecord, TrainingRequest
from .watch import Watch

__all__ = ["Loop", "runner_for"]

STRETCH = 0.02  # seconds a runner may go without Python


def runner_for(model: Any, request: TrainingRequest, monitors: Monitors | None = None) -> Runner:
    """Return the compiled plan's runner where it can and may be one, else the layer-wise one."""
    # a plan has targets of one form
    planned = request.engine != "classes" and not request.mixes_targets
    again = PlanRunner.again(model, request, monitors) if planned else None
    if again is not None:
        return again
    begin_steps(model, total_of(request.epochs, request.updates))
    try:
        return PlanRunner(model, request, monitors) if planned else LayerwiseRunner(model, request)
    except NoPlan:
        return LayerwiseRunner(model, request)


def total_of(epochs: int, each: int | None) -> int | None:
    """Return what so many epochs amount to; None where nobody knows how long one is."""
    return None if each is None else epochs * each


def has_hook(callback: Any) -> bool:
    """Tell whether a callback does anything after epochs."""
    hook = getattr(callback, "on_epoch_end", None)
    return hook is not None and getattr(hook, "__func__", None) is not Callback.on_epoch_end


class Loop:
    """One call of `Model.train`.

    Parameters
    ----------
    model : Model
    request : TrainingRequest
    print_every : int or None
        Lines for every so many steps.
    progress : bool or None
        The bar: forced, silenced, or where someone is looking and no lines are printed.
    callbacks : list
    company : Company, optional
        Trainings beside this one: their bar takes the place of its own.
    """

    def __init__(
        self,
        model: Any,
        request: TrainingRequest,
        print_every: int | None,
        progress: bool | None,
        callbacks: list[Any],
        company: Company | None = None,
    ) -> None:
        self.model = model
        self.request = request
        self.print_every = print_every
        self.callbacks = callbacks
        self.company = company
        self.history = History()
        self.count = 0  # steps done
        self._looked = 0  # steps done when the parameters were last looked at
        self._announced = 0  # epochs
        if progress is None:
            progress = print_every is None and request.epochs > 0 and someone_is_looking()
        self.progress = progress
        self._hooked = [each for each in callbacks if has_hook(each)]
        self._best = None
        if request.best_epoch is not None:
            self._best = BestEpoch(model, request, self.history)
        self._looks = self._best is not None  # between epochs, in Python
        self._watch = Watch(model, request)

    def run(self) -> History:
        """Train; see `Model.train` for what is raised.

        Whatever happens, the model ends with the parameters of the last whole step, or of the
        best epoch, and `model.history` with the finished epochs.
        """
        beginning = Beginning(self.model, self.request)
        with self.request, Interrupts() as interrupts:
            beginning.change(self.history)
            for callback in self.callbacks:
                callback.model = self.model
            self._call("on_train_begin", interrupts)
            if self.request.epochs > 0 and not self.model.stop_training:
                if self.callbacks:
                    self._look_at_model()
                with beginning.undone_by_errors():
                    runner = self._make_runner()
                try:
                    self._run_epochs(runner, interrupts)
                finally:
                    runner.close()
            self._call("on_train_end", interrupts)
        return self.history

    def _look_at_model(self) -> None:
        """Refuse what callbacks have made of the model if it cannot be trained on the samples."""
        model, request = self.model, self.request
        model._prepare(parts=("loss", "optimizer"))
        check_widths(model.layers, request.X, "X")
        check_ends(model, request.y)

    def _make_runner(self) -> Runner:
        """Return the runner; it watches the epochs itself where no Python is needed for that."""
        monitors = None
        if self.print_every is None:
            monitors = monitors_for(self.model, self.request, self._hooked, self._best)
        runner = runner_for(self.model, self.request, monitors)
        if runner.monitors is not None:
            self._hooked, self._looks = [], False
        return runner

    def _call(self, hook: str, interrupts: Interrupts) -> None:
        for callback in self.callbacks:
            if hasattr(callback, hook):
                with interrupts.at_once():
                    getattr(callback, hook)()

    def _run_epochs(self, runner: Runner, interrupts: Interrupts) -> None:
        total = due = self.request.epochs * self.request.steps
        bar = Bar(total_of(self.request.epochs, self.request.known_steps), self.progress)
        try:
            while not runner.done:
                if not runner.validating:
                    self._announce(bar, runner.epoch)
                    due = self._next_due(total, runner)
                epoch, before = runner.epoch, self.count
                self.count += self._run_to(due, runner)
                ended = runner.epoch > epoch
                if self.company is not None:
                    self.company.count_steps(self.count - before)
                runner.report_epochs(self.history)
                if runner.nonfinite is None or self.request.on_nonfinite == "stop":
                    self._watch.look(self.history, runner)
                if runner.nonfinite is not None:
                    break
                if ended and self.request.known_steps is None:
                    bar.set_total(self.count + (self.request.epochs - epoch) * self.request.steps)
                bar.update(self.count, runner)
                if (self.count == due or ended) and not runner.validating:
                    self._report(runner, bar, interrupts)
                interrupts.answer()
                if self.company is not None:
                    self.company.answer(whole_epoch=runner.step == 0 and not runner.validating)
        finally:
            runner.write_back()
            runner.report_epochs(self.history)
            runner.take_best()
            if self._best is not None:
                self._best.put_back()
            bar.close(self.count, runner)
            if self.company is not None:
                self.company.count_end(total - self.count)
        if runner.nonfinite is not None and self.request.on_nonfinite == "raise":
            raise self._divergence(*runner.nonfinite)
        self._look_at_parameters(runner)

    def _look_at_parameters(self, runner: Runner) -> None:
        """Tell of parameters that the last update has left infinite, when they are back.

        What a callback has put there since is its own affair.
        """
        if self.count == self._looked or runner.nonfinite is not None:
            return
        self._looked = self.count
        if self.request.on_nonfinite == "ignore":
            return
        found = nonfinite_parameter(self.model)
        if found is None:
            found = self._nonfinite_penalty()
        if found is None:
            return
        if self.request.on_nonfinite == "raise":
            epoch, step = self._last_place(runner)
            raise nonfinite_update(f"epoch {epoch}, step {step}", found)
        runner.stop()

    def _nonfinite_penalty(self) -> str | None:
        """Return in words what an epoch that is just over has found: penalties that overflow."""
        if self.count % self.request.steps or not len(self.history):
            return None
        value = dict(zip(COLUMNS, self.history.last_row(), strict=True))["regularization_loss"]
        return None if math.isfinite(value) else f"penalties of {value}"

    def _run_to(self, due: int, runner: Runner) -> int:
        """Run a stretch that ends at step `due` at most, the first one after a single step."""
        if self.count > 0:
            return runner.run(due - self.count, STRETCH)
        count = runner.run(1, STRETCH)
        if count > 0:
            self._watch.begin(runner)
        return count

    def _last_place(self, runner: Runner) -> tuple[int, int]:
        """Return epoch (from 1) and step (from 0) of the last step that was done."""
        if runner.step > 0:
            return runner.epoch, runner.step - 1
        return runner.epoch - 1, self.request.steps - 1

    def _divergence(self, epoch: int, step: int) -> FloatingPointError:
        kept = "the step before"
        if self.history.best_epoch is not None:
            kept = f"epoch {self.history.best_epoch}, the best"
        return FloatingPointError(
            f"epoch {epoch}, step {step}: expected a finite loss, got nan or infinity; "
            f"the parameters are those of {kept}"
        )

    def _announce(self, bar: Bar, epoch: int) -> None:
        """Print ``epoch: 1`` where an epoch begins and lines are wanted."""
        if self.print_every is not None and epoch > self._announced:
            bar.print(f"epoch: {epoch}")
            self._announced = epoch

    def _next_due(self, total: int, runner: Runner) -> int:
        """Return the number of steps after which Python is due next, at an epoch's end at most."""
        steps, index = self.request.steps, runner.step
        begun = self.count - index
        if self.print_every is not None:
            line = -(-index // self.print_every) * self.print_every
            return begun + min(line, steps - 1) + 1
        if self._hooked or self._looks or (self.company is not None and self.company.ending):
            return begun + steps
        return min(total, sys.maxsize)

    def _report(self, runner: Runner, bar: Bar, interrupts: Interrupts) -> None:
        """Print what is due after this step; at the end of an epoch run the callbacks."""
        if self.print_every is not None:
            bar.print(step_line(self._last_place(runner)[1], self._record(runner)))
        if runner.step > 0:
            return
        if self.print_every is None and not self._hooked and not self._looks:
            return
        logs = self._logs()
        if self._best is not None and self._looks:
            self._best.look(len(self.history), logs, runner)
        if self.print_every is not None:
            bar.print(training_line(logs))
            if self.request.validation is not None:
                accuracy = logs.get("validation_accuracy", math.nan)
                bar.print(validation_line(logs["validation_loss"], accuracy))
        if self._hooked:
            self._run_hooks(runner, logs, interrupts)

    def _record(self, runner: Runner) -> StepRecord:
        """Return what the last step reported, the regularisation as it is now if it is not known.

        So it is where the batch of a line was no step.
        """
        record = runner.step_record()
        if not math.isnan(record.regularization_loss) or math.isnan(record.data_loss):
            return record
        runner.write_back()
        return record._replace(regularization_loss=Meter(self.model).penalty())

    def _run_hooks(self, runner: Runner, logs: dict[str, float], interrupts: Interrupts) -> None:
        runner.write_back()
        self._look_at_parameters(runner)
        with interrupts.at_once():
            for callback in self._hooked:
                callback.on_epoch_end(len(self.history), dict(logs))
        if self.model.stop_training:
            runner.stop()
        if runner.read_unchanged():
            return
        left = self.request.epochs - len(self.history)
        if left > 0 and not runner.done:
            self._look_at_model()
            with parts_undone_by_errors(self.model):
                # a callback may have put another optimizer there
                begin_steps(self.model, total_of(left, self.request.updates))
                runner.read_back()

    def _logs(self) -> dict[str, float]:
        """Return the last epoch's values; what was not computed is absent."""
        absent = set()
        if self.model.accuracy is None:
            absent |= {"accuracy", "validation_accuracy"}
        if self.request.validation is None:
            absent |= {"validation_loss", "validation_accuracy"}
        values = zip(COLUMNS, self.history.last_row(), strict=True)
        return {name: value for name, value in values if name not in absent}
