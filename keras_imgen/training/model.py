"""`PictureModel`, the base of all models, and `LatentModel`, of those that draw pictures."""

import contextlib
import math
import secrets
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, checks
from keras_imgen.data.sources import check_memory
from keras_imgen.degradations import Degradation
from keras_imgen.files import write_whole
from keras_imgen.interrupts import deferred
from keras_imgen.saving import in_short
from keras_imgen.settings import as_meant
from keras_imgen.training.labels import check_labels
from keras_imgen.training.parts import check_trainable
from keras_imgen.training.pictures import (
    Guard,
    as_callbacks,
    counts_checked,
    described,
    held_out_set,
    training_set,
)
from keras_imgen.training.resume import Resume
from keras_imgen.training.rollback import Rollback
from keras_imgen.training.seal import Seal

# Of the files that models are saved in; raised whenever older versions could not read them.
FORMAT = 1


class PictureModel(keras.Model):
    """Base of `GAN`, `VAE` and `Restorer`.

    It checks what goes into `fit` and `evaluate`, serves data in an order that is a function of
    `(seed, epoch)`, stops when a log is no longer a number, and saves the state of every random
    generator beside the weights, which Keras does not.

    Args:
        seed: integer for everything that the model draws, 0 or more; by default one is drawn.
    """

    def __init__(self, *, seed: int | None = None, **kwargs):
        # The networks cast their inputs themselves; known pixels must not be rounded before.
        super().__init__(autocast=False, **kwargs)
        self.seed_generator = keras.random.SeedGenerator(
            None if seed is None else checks.seed(seed)
        )
        # Read off the state: the generator does not tell a seed that it drew itself.
        self.seed = int(ops.convert_to_numpy(self.seed_generator.state)[0])

    # How many classes a conditional model tells apart.
    num_classes = 0
    # Whether what is to be restored comes with the data, instead of being made of clean pictures.
    learns_pairs = False
    # Names of the networks that must learn, and may have been frozen since the model was made.
    _players = ()
    # Whether a training batch of one picture would teach nothing.
    _needs_batch = False

    @property
    def picture_shape(self) -> tuple:
        """Shape of one clean picture (or sequence) as the networks take it; None is free."""
        raise NotImplementedError

    @as_meant()
    def compile(self, *, run_eagerly=False, jit_compile="auto", steps_per_execution=1, **kwargs):
        """Compile as in Keras, whose optimizer, loss and metrics are in `kwargs`."""
        checks.flag("run_eagerly", run_eagerly)
        checks.flag("jit_compile", jit_compile, "auto")
        steps_per_execution = checks.whole_number("steps_per_execution", steps_per_execution, 1)
        self._execution = {
            "run_eagerly": run_eagerly,
            "jit_compile": jit_compile,
            "steps_per_execution": steps_per_execution,
        }
        super().compile(**self._execution, **kwargs)

    def get_compile_config(self):
        """Return the arguments of `compile` as they were given; None before.

        Keras would save what "auto" came to: XLA on a GPU, which makes a ConvLSTM a hundred times
        slower on the CPU that loads the file.
        """
        return {**self.compile_arguments(), **self._execution} if self.compiled else None

    def compile_arguments(self) -> dict:
        """Return the arguments of `compile` without those on how steps are executed."""
        return super().get_compile_config()

    def compile_from_config(self, config):
        """Compile as the saved model was."""
        self.compile(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    @as_meant()
    def fit(self, x=None, y=None, *, batch_size=None, callbacks=None, **kwargs):
        """Train on clean pictures; arguments and result as in `keras.Model.fit`.

        Args:
            x: what `keras_imgen.load` and its siblings return, an array of pictures in [0, 1], a
                `tf.data.Dataset` or a `keras.utils.PyDataset`. A batch is the pictures alone,
                `(pictures, ...)`, or a dict with the key `"image"`. A conditional model needs
                `(pictures, labels)`, or the keys `"image"` and `"label"`.
            y: labels of a conditional model, one whole number per picture, if `x` is an array; the
                others learn from the pictures alone.
            batch_size: pictures per batch if `x` is an array; 32 by default.
            callbacks: list of Keras callbacks.
            **kwargs: as in Keras: `epochs`, `verbose`, `validation_data`, `initial_epoch`,
                `steps_per_epoch`, ...

        Raises:
            TypeError, ValueError: if the first batch (of an array: any picture) is not in the
                format of this package, there is none, or they would never end.
            FloatingPointError: if a log becomes NaN or infinite, and no callback brings the model
                back (`TrainingHealth`).
            KeyboardInterrupt: if Ctrl-C was pressed, at the end of the batch (pressed twice: at
                once), with a word on how to go on.
        """
        kwargs = counts_checked(kwargs)
        for name in self._players:
            check_trainable(name, getattr(self, name))
        resume, callbacks = _resume_among(as_callbacks(callbacks), kwargs)
        epochs = kwargs.get("epochs", 1)
        run = resume.running(self, callbacks, epochs) if resume else _unsaved()
        with deferred() as check_interrupt, run as first_epoch:
            given = x
            x, kwargs = training_set(self, x, y, batch_size, kwargs)
            rollbacks = [c for c in callbacks if isinstance(c, Rollback)]
            callbacks = [Guard(x, check_interrupt, rollbacks), *callbacks]
            if resume:
                resume.check_data(described(x, given))
                kwargs["initial_epoch"] = first_epoch
                # The last one, so that a checkpoint holds what all the others did.
                callbacks += [keras.callbacks.History(), resume]
            with backends.readable_errors():
                # Keras would shuffle the batches of a dataset by Python's global generator.
                history = super().fit(x, callbacks=callbacks, shuffle=False, **kwargs)
            check_interrupt()
            return history

    @as_meant()
    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """Return the losses and metrics on held-out pictures; as `keras.Model.evaluate`.

        Random draws are fixed, so that two calls give the same figures.

        Args:
            x: pictures, as in `fit`.
            y: labels of a conditional model, as in `fit`.
            batch_size: pictures per batch if `x` is an array; 32 by default.
            **kwargs: as in Keras: `verbose`, `steps`, `callbacks`, `return_dict`.

        Raises:
            TypeError, ValueError, FloatingPointError: as in `fit`.
        """
        if not kwargs.get("_use_cached_eval_dataset"):  # else `fit` has prepared them
            kwargs = counts_checked(kwargs)
            x = held_out_set(self, x, y, batch_size, kwargs)
            kwargs["callbacks"] = [Guard(), *as_callbacks(kwargs.get("callbacks"))]
        with backends.readable_errors():
            return super().evaluate(x, **kwargs)

    def get_config(self):
        """Return the constructor's arguments that all models have, and the format of the file."""
        return {
            "format": FORMAT,
            "seed": self.seed,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuild the model: every argument that is a saved Keras object becomes that object."""
        config = dict(config)
        written = config.pop("format", 0)
        if written not in range(FORMAT + 1):
            raise ValueError(
                f"This {cls.__name__} was saved by a newer keras_imgen. Received: format "
                f"{written!r}; this version reads formats up to {FORMAT}. Update it: "
                "pip install -U keras-imgen."
            )
        return cls(**{key: keras.saving.deserialize_keras_object(v) for key, v in config.items()})

    def save(self, filepath, overwrite: bool = True):
        """Save the model in a file, which is either as it was or new and whole, whatever happens.

        Args:
            filepath: the file, on this machine; its name ends in `.keras`.
            overwrite: whether a file that is there may be replaced.

        Raises:
            ValueError: if the name does not end in `.keras`.
            OSError: if the file cannot be written; nothing has changed.
        """
        checks.path("filepath", filepath)
        if "://" in str(filepath) or Path(filepath).suffix != ".keras":
            raise ValueError(
                "A model is saved in a file of this machine that ends in .keras. Received: "
                f"filepath={str(filepath)!r}."
            )
        if not overwrite and Path(filepath).exists():
            raise FileExistsError(
                f"{str(filepath)!r} exists and is not overwritten. Pass another path, or "
                "overwrite=True."
            )
        with write_whole(filepath) as unfinished:
            keras.saving.save_model(self, unfinished)

    def load_weights(self, filepath, **kwargs):
        """Load weights, optimizers' moments and random states; as `keras.Model.load_weights`.

        Args:
            filepath: a `.weights.h5` or `.keras` file that a model of the same kind was saved in.
            **kwargs: as in Keras.

        Raises:
            ValueError: if the file is damaged or of another model, which is then left as it was.
        """
        checks.path("filepath", filepath)
        variables = [*self.variables, *self._moments()]
        before = [ops.convert_to_numpy(variable) for variable in variables]
        try:
            with warnings.catch_warnings():
                # It leaves out what does not fit; the seal then says so.
                warnings.filterwarnings("ignore", "Skipping")
                super().load_weights(filepath, **kwargs)
        except FileNotFoundError:
            raise
        except Exception as error:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
            raise ValueError(f"{str(filepath)!r} cannot be loaded: {in_short(error)}") from error

    def save_own_variables(self, store):
        """Store seeds and states of all random generators, of this model and of all its layers."""
        store["seeds"] = np.array([part.seed for part in self._seeded()])
        for index, variable in enumerate(self._random_states()):
            store[f"random_state_{index}"] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        """Bring back seeds and states of all random generators."""
        states, stored = self._random_states(), set(store.keys()) - {"seeds"}
        if len(stored) != len(states):
            raise ValueError(
                f"The file does not fit this model: it holds {len(stored)} random states, the "
                f"model has {len(states)}. Load it with keras_imgen.load_model, which builds the "
                "model from the file."
            )
        for index, variable in enumerate(states):
            variable.assign(store[f"random_state_{index}"])
        if "seeds" in store.keys():  # noqa: SIM118, not a dict
            for part, seed in zip(self._seeded(), store["seeds"], strict=True):
                part.seed = int(seed)

    @property
    def _zz_seal(self):
        # Keras saves and loads attributes in the order of their names: this one must be the last.
        return Seal(
            lambda: {
                "weights": self.weights,
                "random states": self._random_states(),
                "optimizer's moments": self._moments(),
            }
        )

    def _moments(self):
        optimizer = getattr(self, "optimizer", None)  # none before compile
        return [] if optimizer is None else optimizer.variables

    def _random_states(self):
        weights = {id(variable) for variable in self.non_trainable_weights}
        return [v for v in self.non_trainable_variables if id(v) not in weights]

    def _seeded(self):
        """Return what draws by a seed of its own outside of training."""
        return [self, *(part for part in self._flatten_layers() if isinstance(part, Degradation))]


class LatentModel(PictureModel):
    """Base of `GAN` and `VAE`: pictures are drawn by decoding normally distributed latents.

    A subclass sets `latent_dim` and implements `predict_latents`.
    """

    def sample(self, n: int, labels=None, seed: int | None = None):
        """Draw new pictures.

        Args:
            n: how many, at least 1.
            labels: of a conditional model, what to draw: one whole number for all, or `n` of them.
                By default each class in turn, 0, 1, 2, ..., so that rows of `num_classes` pictures
                show a class per column.
            seed: integer; the same seed gives the same latents. By default they differ from call to
                call. Either way training is not disturbed.

        Returns:
            float32 array in [0, 1], shape `(n, height, width, channels)`.

        Raises:
            ValueError: if `n` is no number of pictures, or one that would need more than 4 GiB of
                memory; if there are labels that the model does not know.
        """
        n = checks.whole_number("n", n, 1)
        values = max(math.prod(side or 1 for side in self.picture_shape), self.latent_dim)
        check_memory(4 * n * values, f"n={n:,}", "Draw fewer at a time")
        labels = self._labels_to_draw(n, labels)
        seed = secrets.randbits(24) if seed is None else checks.seed(seed)
        latents = keras.random.normal((n, self.latent_dim), dtype="float32", seed=seed)
        return in_batches(self.predict_latents, latents, *labels)

    def _labels_to_draw(self, n, labels):
        """Return a list with the array of labels, empty if the model knows none."""
        if not self.num_classes:
            if labels is not None:
                raise ValueError(
                    "This model was built without classes. Received: labels="
                    f"{checks.shown(labels)}. Leave them out, or build its networks with "
                    "`num_classes`."
                )
            return []
        if labels is None:
            return [np.arange(n) % self.num_classes]
        if isinstance(labels, int | np.integer):
            labels = np.repeat(labels, n)
        return [check_labels(labels, self.num_classes, n)]

    def predict_latents(self, latents):
        """Return the picture in [0, 1] of each latent vector `(batch, latent_dim)`.

        A conditional model takes the labels, one whole number each, as second argument.
        """
        raise NotImplementedError


def _resume_among(callbacks, options):
    """Return the `Resume` of a training, or None, and the other callbacks."""
    found = [callback for callback in callbacks if isinstance(callback, Resume)]
    if len(found) > 1 or (found and options.get("initial_epoch")):
        raise ValueError(
            "One Resume decides where a training goes on. Received: "
            f"{len(found)} of them, initial_epoch={options.get('initial_epoch', 0)}. Pass one, and "
            "leave out `initial_epoch`."
        )
    return next(iter(found), None), [c for c in callbacks if not isinstance(c, Resume)]


@contextlib.contextmanager
def _unsaved():
    """Say what a training without `Resume` leaves when it is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted. The model is as it was at that moment, and saved nowhere. To be able to "
            "go on exactly, pass callbacks=[keras_imgen.callbacks.Resume(folder)]."
        ) from None


def in_batches(function, *values, size: int = 64) -> np.ndarray:
    """Apply a function of tensors to a few entries at a time, so that memory lasts for many."""
    starts = range(0, len(values[0]), size)
    parts = [function(*(value[i : i + size] for value in values)) for i in starts]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])
