"""`Resume`: goes on with a training that was cut off, as if nothing had happened."""

import contextlib
import csv
import io
import json
import tempfile
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np

from keras_imgen import backends, checks
from keras_imgen.callbacks.rollback import Rollback
from keras_imgen.files import locked, write_whole
from keras_imgen.saving import damage
from keras_imgen.training.comparison import canonical, differences, setup_of
from keras_imgen.training.guard import check_finite

# What callbacks remember from one epoch to the next.
_MEMORY = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch", "best_weights"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: ("best",),
    Rollback: ("memory", "good_state"),
}


class Resume(keras.callbacks.Callback):
    """Save the training after every epoch, and go on from there when it is started again.

    Whatever cut a training off, be it a crash, a killed process, a power cut or Ctrl-C: run the
    same program again, and it goes on from the last whole epoch. The result is, bit for bit, that
    of a training that was never disturbed: weights, optimizers' moments, averages, random states
    and history, on a machine of the same kind with the same number of threads. A training that
    had ended returns at once, or goes on if `epochs` was raised.

    The folder gets `history.csv` and `checkpoints/`, the last two epochs as `.keras` files that
    `keras_imgen.load_model` reads. A file appears under its name only when it is whole and on the
    disk; one that was damaged later is noticed by its checksum, and the one before is used. While
    a training runs, no other process can write to the folder. If a log or a weight becomes NaN, the
    training stops before that is saved. Whatever ends it early, the model goes back to the last
    whole epoch.

    Pictures must come in an order that depends only on the epoch, as those of `keras_imgen.load`
    and its siblings, and arrays, do. Of other callbacks, what `EarlyStopping`, `ReduceLROnPlateau`,
    `ModelCheckpoint` and `TrainingHealth` remember is kept.

    Args:
        folder: where to keep the training; made if it is missing. One folder for each training.

    Raises:
        TypeError: if `folder` is no path, or the model none of this package.
        BlockingIOError: at the start of training, if another process writes to the folder.
        ValueError: at the start of training, if the folder holds a training of another model or
            on other data, or no whole checkpoint is left.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from keras_imgen import Restorer, degradations, networks
        >>> from keras_imgen.callbacks import Resume
        >>> folder = tempfile.mkdtemp()
        >>> for _ in range(2):  # the second time there is nothing left to do
        ...     denoiser = Restorer(
        ...         networks.dncnn(depth=3, filters=2), degradations.AdditiveNoise(0.1)
        ...     )
        ...     denoiser.compile()
        ...     history = denoiser.fit(
        ...         np.ones((8, 8, 8, 1)), epochs=2, callbacks=[Resume(folder)], verbose=0
        ...     )
        ...     len(history.history["loss"])
        2
        2
    """

    def __init__(self, folder: str | Path):
        super().__init__()
        checks.path("folder", folder)
        if not str(folder):
            raise ValueError("`folder` must have a name. Received: folder=''.")
        self.folder = Path(folder).expanduser()
        self.logs = []  # of every whole epoch
        self._setup = self._data = self._seed = None
        self._companions, self._memory = [], []

    @property
    def epoch(self) -> int:
        """How many epochs are whole."""
        return len(self.logs)

    @contextlib.contextmanager
    def resumed_training(self, model, companions: list, epochs: int):
        """Lock the folder, bring the model to its last whole epoch, and guard what then runs.

        Args:
            model: the compiled model.
            companions: the other callbacks of the training.
            epochs: how many epochs it is to have in all.

        Yields:
            How many epochs need no more training.
        """
        self._companions = [c for c in companions if isinstance(c, tuple(_MEMORY))]
        # Of several processes the first one writes; the others read what it has written.
        lock = locked(self.folder) if backends.is_first() else contextlib.nullcontext()
        with lock:
            if message := model.left_out():
                raise ValueError(message)
            self._setup = setup_of(model)
            self._seed = model.seed if model.seed_given else None
            self._restore(model)
            if self.epoch > epochs:
                raise ValueError(
                    f"{str(self.folder)!r} holds {self.epoch} epochs. Received: epochs={epochs}. "
                    f"Pass epochs={self.epoch} or more, or another folder."
                )
            try:
                yield epochs if self._was_stopped() else self.epoch
            except BaseException as error:
                state = self._brought_back(model)
                if isinstance(error, KeyboardInterrupt):
                    raise KeyboardInterrupt(
                        f"Interrupted. {state} Start the same training again to go on from there."
                    ) from None
                if isinstance(error, FloatingPointError):
                    raise FloatingPointError(f"{error} {state}") from None
                error.add_note(state)
                raise

    def _brought_back(self, model):
        """Bring the model back after an error, and say where it is; another error hides none."""
        try:
            self._restore(model)
        except Exception as error:
            return f"The model could not be brought back to its last whole epoch: {error}"
        if not self.epoch:
            return "No epoch was whole yet: the model is as it began."
        return (
            f"The model is back at the end of epoch {self.epoch}, which is safe in "
            f"{str(self.folder)!r}."
        )

    def check_data(self, description: dict) -> None:
        """Raise if the training was begun on other data."""
        if self._data is not None and self._data != description:
            raise self._holds("a training on other data", self._data, description)
        self._data = description

    def on_train_begin(self, logs=None):
        """Give the history and the other callbacks what they knew."""
        if self._setup is None:
            raise TypeError(
                "Resume goes on with a GAN, a VAE or a Restorer. Received: a "
                f"{type(self.model).__name__}. For other models there is "
                "keras.callbacks.BackupAndRestore."
            )
        history = self.model.history
        history.epoch = list(range(self.epoch))
        history.history = {}
        for epoch_logs in self.logs:
            for name, value in epoch_logs.items():
                history.history.setdefault(name, []).append(value)
        for callback, memory in self._remembered():
            for name, value in memory.items():
                setattr(callback, name, value)
        if self.epoch and self.params.get("verbose"):
            whole = f"epoch {self.epoch} of {self.params['epochs']}"
            print(f"Going on after {whole}, as {str(self.folder)!r} holds it.")  # noqa: T201
        if not self.epoch:
            self._write()  # so that even the first epoch begins with the same weights

    def on_epoch_end(self, epoch, logs=None):
        """Write a checkpoint, unless a weight is no longer a number."""
        self.logs.append({name: np.asarray(value).tolist() for name, value in (logs or {}).items()})
        check_finite(self.model, epoch)
        self._write()

    def _restore(self, model):
        """Bring the model to the last whole epoch that the folder holds."""
        self.logs, self._data, self._memory = [], None, []
        for file in (self.folder / "checkpoints").glob(".unfinished-*"):
            if backends.is_first():
                file.unlink()  # of a process that was killed
        checkpoints = self._checkpoints()
        for file in checkpoints:
            try:
                checkpoint = _read(file)
            except ValueError as error:
                warnings.warn(
                    f"{str(file)!r} is left out: {error}. The checkpoint before it is tried.",
                    stacklevel=2,
                )
                continue
            return self._restore_from(file, model, *checkpoint)
        if checkpoints:
            raise ValueError(
                f"No checkpoint in {str(self.folder)!r} is whole. Nothing was changed. To begin "
                "anew, pass another folder."
            )
        if (self.folder / "history.csv").exists():
            raise FileExistsError(
                f"{str(self.folder)!r} holds a history.csv, but no checkpoint. Pass another "
                "folder, or remove the file to begin anew. Nothing was changed."
            )
        return None

    def _restore_from(self, file, model, state, config, arrays):
        setups = state["setup"], canonical(config)
        # Built as at the start; or, in a notebook, the model itself, its learning rate reduced.
        seeds = {state.get("seed"), self._seed} - {None}  # None: nobody chose one
        if not state["logs"] and (self._setup not in setups or len(seeds) > 1):
            return  # begun, no epoch trained: nothing to lose
        if self._setup not in setups:
            raise self._holds(
                "the training of another model",
                setups[0],
                self._setup,
                f" Or load {file.name} of its checkpoints with keras_imgen.load_model, compile "
                "that model anew, and train it with another folder.",
            )
        if len(seeds) > 1:
            there, here = {"seed": state["seed"]}, {"seed": self._seed}
            raise self._holds("a training of another seed", there, here)
        model.load_weights(file)
        self.logs, self._setup = state["logs"], setups[0]
        self._data = state["data"] if self.logs else None
        self._memory = state["callbacks"]
        for index, memory in enumerate(self._memory):
            for name, count in memory["arrays"].items():
                memory["values"][name] = [arrays[f"{index}_{name}_{i}"] for i in range(count)]

    def _write(self):
        """Write a checkpoint; when it is whole, drop all but the one before."""
        arrays, memories = {}, []
        for index, callback in enumerate(self._companions):
            memory = {"class": type(callback).__name__, "values": {}, "arrays": {}}
            for name in _names(callback):
                value = getattr(callback, name)
                if isinstance(value, dict):  # of what JSON can hold
                    memory["values"][name] = value
                elif isinstance(value, list):  # of weights
                    memory["arrays"][name] = len(value)
                    arrays |= {f"{index}_{name}_{i}": array for i, array in enumerate(value)}
                else:
                    memory["values"][name] = np.asarray(value).tolist()  # a number or None
            memories.append(memory)
        state = {
            "logs": self.logs,
            "setup": self._setup,
            "seed": self._seed,
            "data": self._data,
            "callbacks": memories,
        }
        path = self.folder / "checkpoints" / f"{_stem(self.epoch)}.keras"
        if not backends.is_first():  # saving is done together, on JAX; writing is not
            with tempfile.TemporaryDirectory() as elsewhere:
                keras.saving.save_model(self.model, Path(elsewhere, path.name))
            return
        with write_whole(path) as unfinished:
            keras.saving.save_model(self.model, unfinished)  # `save` would write it whole by itself
            with zipfile.ZipFile(unfinished, "a") as archive:
                archive.writestr("training.json", json.dumps(state))
                with archive.open("callbacks.npz", "w") as file:
                    np.savez(file, **arrays)
        self._write_history()
        kept = {_stem(self.epoch), _stem(self.epoch - 1)}
        for file in self._checkpoints():
            # What has a higher number is not ours, and left alone.
            if file.stem not in kept and _order(file) < _order(path):
                file.unlink()

    def _write_history(self):
        names = list({name: None for logs in self.logs for name in logs})
        path = self.folder / "history.csv"
        with write_whole(path) as unfinished, unfinished.open("w", newline="") as file:
            table = csv.DictWriter(file, ["epoch", *names])
            table.writeheader()
            table.writerows({"epoch": i, **logs} for i, logs in enumerate(self.logs, 1))

    def _checkpoints(self):
        """Return the checkpoints, newest first."""
        files = (self.folder / "checkpoints").glob("epoch_*.keras")
        return sorted(files, key=_order, reverse=True)

    def _remembered(self):
        """Return the callbacks of which the checkpoint holds something, with what it holds."""
        pairs = zip(self._companions, self._memory, strict=False)
        return [(c, m["values"]) for c, m in pairs if type(c).__name__ == m["class"]]

    def _was_stopped(self):
        """Return whether an EarlyStopping, as patient as it is now, had ended the training."""
        return any(
            memory.get("stopped_epoch") and memory["wait"] >= callback.patience
            for callback, memory in self._remembered()
        )

    def _holds(self, what, there, here, advice=""):
        found = "; ".join(differences(there, here)[:3])
        return ValueError(
            f"{str(self.folder)!r} holds {what}: {found}. Nothing there was changed. Go on with "
            f"what it was, or pass another folder.{advice}"
        )


def _read(file):
    """Return a checkpoint's training state, its model's configuration and the callbacks' arrays.

    Raises:
        ValueError: if it is none that a training can go on from.
    """
    if reason := damage(file):
        raise ValueError(reason)
    with zipfile.ZipFile(file) as archive:
        if "training.json" not in archive.namelist():
            raise ValueError("it is a model, but no checkpoint")
        state, config = (json.loads(archive.read(f"{n}.json")) for n in ("training", "config"))
        with np.load(io.BytesIO(archive.read("callbacks.npz")), allow_pickle=False) as arrays:
            arrays = dict(arrays)
    epochs = len(state["logs"])
    if file.stem != _stem(epochs):
        raise ValueError(f"its name is not that of epoch {epochs}, which it holds")
    return state, config, arrays


def _order(file):
    return len(file.name), file.name


def _stem(epochs):
    return f"epoch_{epochs:04d}"


def _names(callback):
    return next(names for kind, names in _MEMORY.items() if isinstance(callback, kind))
