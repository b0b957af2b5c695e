"""`PictureModel`, the base of all models."""

import functools
from typing import ClassVar

import keras
from keras import ops

from keras_imgen import backends, checks
from keras_imgen.inference import export
from keras_imgen.interrupts import deferred
from keras_imgen.settings import as_meant
from keras_imgen.training.batches import Batch, step_batch
from keras_imgen.training.guard import Guard, as_callbacks, resume_among, unsaved
from keras_imgen.training.optimizers import check_trainable, of_any_backend, prepare_optimizer
from keras_imgen.training.sets import (
    Look,
    check_predicted,
    counts_checked,
    held_out_set,
    taken,
    training_set,
)
from keras_imgen.training.stored import Stored


class PictureModel(Stored):
    """Base of `GAN`, `VAE`, `Restorer` and model classes of your own.

    A subclass is a `keras.Model` with `call`, `image_shape` and, in `get_config`, its own
    arguments beside those of this class. Keras's own step trains it on what `prepared` makes of a
    batch, by the `loss` that `compile` is given or the `compute_loss` that it writes.

    It checks what goes into `fit` and `evaluate`, serves data in an order that is a function of
    `(seed, epoch)`, stops when a log is no longer a number, and saves the state of every random
    generator beside the weights, which Keras does not.

    Args:
        seed: integer for everything that the model draws, 0 or more; by default one is drawn.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from keras_imgen.models import PictureModel
        >>> @keras.saving.register_keras_serializable("mine")
        ... class Autoencoder(PictureModel):
        ...     def __init__(self, network, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.network = network
        ...         self.built = True
        ...     @property
        ...     def image_shape(self):
        ...         return self.network.input_shape[1:]
        ...     def prepared(self, batch, training):
        ...         return batch.clean, batch.clean
        ...     def call(self, pictures, training=None):
        ...         return self.network(pictures, training=training)
        ...     def get_config(self):
        ...         network = keras.saving.serialize_keras_object(self.network)
        ...         return {**super().get_config(), "network": network}
        >>> layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3, padding="same")]
        >>> network = keras.Sequential(layers)
        >>> model = Autoencoder(network, seed=0)
        >>> model.compile(loss="mse")
        >>> history = model.fit(np.random.rand(64, 8, 8, 1), epochs=1, verbose=0)
        >>> sorted(history.history)
        ['loss']
    """

    def __init_subclass__(cls, **kwargs):
        """Refuse a loss that would never be asked for."""
        super().__init_subclass__(**kwargs)
        step = cls.train_step
        ours = step.__module__.startswith("keras_imgen.") and step is not PictureModel.train_step
        if ours and "compute_loss" in vars(cls):
            raise TypeError(
                f"The step of this class computes its own loss. Received: {cls.__name__} with a "
                "`compute_loss`, which nobody would call. Of a VAE write `bound`, of others "
                "`train_step`."
            )

    def __init__(self, *, seed: int | None = None, **kwargs):
        # The networks cast their inputs themselves; known pixels must not be rounded before.
        super().__init__(autocast=False, **kwargs)
        self.seed_generator = backends.SeedGenerator(None if seed is None else checks.seed(seed))
        # Read off the state: the generator does not tell a seed that it drew itself.
        self.seed = int(ops.convert_to_numpy(self.seed_generator.state)[0])
        self.seed_given = seed is not None

    # How many classes a conditional model tells apart.
    num_classes = 0
    # Whether what is to be restored comes with the data, instead of being made of clean pictures.
    learns_pairs = False
    # Names of the networks that must learn, and may have been frozen since the model was made.
    _players = ()
    # Whether a training batch of one picture would teach nothing.
    _needs_batch = False
    # Of Adam, if no optimizer is passed.
    default_rate = 1e-3
    # On how many devices a strategy trains it, None without one.
    replicas = None
    _instead_of_predict = "It is what `prepared` gives to `call`."
    # Which way is better, for callbacks that look at a figure.
    _directions: ClassVar[dict[str, str]] = {"loss": "min"}

    @property
    def image_shape(self) -> tuple:
        """Shape of one clean picture (or sequence) as the networks take it; None is free."""
        raise NotImplementedError(
            f"A model class says what a picture is. Received: {type(self).__name__} without "
            "`image_shape`. Write a property that returns (height, width, channels)."
        )

    @as_meant()
    def compile(
        self,
        optimizer=None,
        *,
        run_eagerly=False,
        jit_compile="auto",
        steps_per_execution=1,
        **kwargs,
    ):
        """Compile as in Keras.

        Args:
            optimizer: by default Adam with the learning rate `default_rate`.
            run_eagerly: as in Keras, like the next two.
            jit_compile: whether to compile with XLA.
            steps_per_execution: batches per call of the compiled step.
            **kwargs: as in Keras: `loss`, `metrics`.

        Raises:
            TypeError, ValueError: for an optimizer that is none.
            NotImplementedError: for what does not work under a strategy of several devices, or on
                PyTorch.
        """
        checks.flag("run_eagerly", run_eagerly)
        checks.flag("jit_compile", jit_compile, "auto")
        steps_per_execution = checks.whole_number("steps_per_execution", steps_per_execution, 1)
        self._execution = {
            "run_eagerly": run_eagerly,
            "jit_compile": jit_compile,
            "steps_per_execution": steps_per_execution,
        }
        self.replicas = backends.replicas(self)
        where = backends.one_by_one(self)
        if where and (jit_compile is True or steps_per_execution > 1):
            raise NotImplementedError(
                f"{where} batches are taken one by one, without XLA or another compiler. Received: "
                f"jit_compile={jit_compile}, steps_per_execution={steps_per_execution}. Leave both "
                "out."
            )
        backends.draw_apart(self._flatten_layers())
        if not self._players:  # which have optimizers of their own
            default = {"class_name": "Adam", "config": {"learning_rate": self.default_rate}}
            optimizer = prepare_optimizer(optimizer, default, type(self).__name__, self)
        how = {**self._execution, "jit_compile": False if where else jit_compile}
        super().compile(optimizer=optimizer, **how, **kwargs)

    def _refuse_others(self, options):
        """Raise if there is more among the options of `compile` than how steps are executed."""
        known = ("run_eagerly", "jit_compile", "steps_per_execution")
        if others := [f"`{name}`" for name in options if name not in known]:
            raise TypeError(
                f"`compile` of a {type(self).__name__} got {', '.join(others)}, which it does not "
                f"know. Leave it out; of Keras's options it takes {', '.join(known)}."
            )

    def get_compile_config(self):
        """Return the arguments of `compile` as they were given; None before."""
        # Keras would save what "auto" came to: XLA, which suits only some machines that load it.
        if not self.compiled:
            return None
        return of_any_backend({**self.compile_arguments(), **self._execution})

    def compile_arguments(self) -> dict:
        """Return the arguments of `compile` without those on how steps are executed."""
        return super().get_compile_config()

    def compile_from_config(self, config):
        """Compile as the saved model was, as far as that is possible here."""
        if backends.one_by_one(self):
            config = {**config, "jit_compile": "auto", "steps_per_execution": 1}
        self.compile(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def train_step(self, *args):
        """Take Keras's own step on what `prepared` makes of a batch, the last of `args`."""
        return backends.prepared_step(
            self, super().train_step, lambda x: self._prepared(step_batch(self, x), True), *args
        )

    def test_step(self, *args):
        """Take Keras's own test step in the same way."""
        return backends.prepared_step(
            self, super().test_step, lambda x: self._prepared(step_batch(self, x), False), *args
        )

    def prepared(self, batch: Batch, training: bool) -> tuple:
        """Return what Keras's own step takes: what `call` is given and, behind it, the targets.

        Args:
            batch: `clean` pictures, as a float32 tensor, and `labels` as rows of zeros with a one.
            training: False for held-out pictures, of which nothing should be drawn anew.
        """
        return (batch.clean,)

    @as_meant()
    def fit(self, x=None, y=None, *, batch_size=None, callbacks=None, **kwargs):
        """Train on clean pictures; arguments and result as in `keras.Model.fit`.

        Args:
            x: what `keras_imgen.load` and its siblings return, an array of pictures in [0, 1], a
                `tf.data.Dataset`, `grain.MapDataset` or `keras.utils.PyDataset`. A batch is the
                pictures alone, `(pictures, ...)`, or a dict with the key `"image"`, whose texts
                are left out. A conditional model needs `(pictures, labels)`, or the keys `"image"`
                and `"label"`.
            y: labels of a conditional model, one whole number per picture, if `x` is an array; the
                others learn from the pictures alone.
            batch_size: pictures per batch if `x` is an array; 32 by default.
            callbacks: list of Keras callbacks.
            **kwargs: as in Keras: `epochs`, `verbose`, `validation_data`, `initial_epoch`,
                `steps_per_epoch`, ... The order of the pictures is that of the epoch; without
                `initial_epoch`, epochs of earlier calls of `fit` count, so that a loop of calls
                shows other orders, too.

        Raises:
            TypeError, ValueError: if the first batch (of an array: any picture) is not in the
                format of this package, there is none, or they would never end.
            FloatingPointError: if a log becomes NaN or infinite, and no callback brings the model
                back (`TrainingHealth`).
            KeyboardInterrupt: if Ctrl-C was pressed, at the end of the batch (pressed twice: at
                once), with a word on how to go on.
        """
        kwargs = counts_checked(kwargs)
        self._check_players()
        resume, callbacks = resume_among(as_callbacks(callbacks), kwargs)
        for callback in callbacks:
            self._show_direction(callback)
        epochs = kwargs.get("epochs", 1)
        run = resume.resumed_training(self, callbacks, epochs) if resume else unsaved()
        with deferred() as check_interrupt, run as first_epoch:
            x, description, kwargs = training_set(self, x, y, batch_size, kwargs)
            rollbacks = [c for c in callbacks if hasattr(c, "rescue_training")]
            # Whoever does not say which epoch it is goes on where the last `fit` ended.
            begun = 0 if resume or "initial_epoch" in kwargs else self.epochs_trained
            callbacks = [Guard(x, check_interrupt, rollbacks, begun), *callbacks]
            if resume:
                resume.check_data(description)
                kwargs["initial_epoch"] = first_epoch
                # The last one, so that a checkpoint holds what all the others did.
                callbacks += [keras.callbacks.History(), resume]
            with backends.readable_errors(self):
                # Keras would shuffle the batches of a dataset by Python's global generator.
                x = backends.fed(x)
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
            x = backends.fed(held_out_set(self, x, y, batch_size, kwargs))
            kwargs["callbacks"] = [Guard(), *as_callbacks(kwargs.get("callbacks"))]
        with backends.readable_errors(self):
            return super().evaluate(x, **kwargs)

    def train_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """Take one step on a batch, checked as in `fit`; as `keras.Model.train_on_batch`.

        Args:
            x: array of pictures.
            y: labels of a conditional model; of pairs, the clean pictures.
            sample_weight: none: all pictures count equally.
            **kwargs: as in Keras: `return_dict`.

        Raises:
            TypeError, ValueError: if the batch is not in the format of this package.
        """
        options = {"sample_weight": sample_weight, **kwargs}
        batch = self._checked_batch(x, y, options, training=True)
        with backends.readable_errors(self):
            return super().train_on_batch(*batch, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """Return the figures of a batch, checked as in `evaluate`; as in `keras.Model`.

        Args:
            x: array of pictures.
            y: labels of a conditional model; of pairs, the clean pictures.
            sample_weight: none: all pictures count equally.
            **kwargs: as in Keras: `return_dict`.

        Raises:
            TypeError, ValueError: if the batch is not in the format of this package.
        """
        options = {"sample_weight": sample_weight, **kwargs}
        batch = self._checked_batch(x, y, options, training=False)
        with backends.readable_errors(self):
            return super().test_on_batch(*batch, **kwargs)

    def predict(self, x, **kwargs):
        """Return what `call` makes of `x`, in batches; as `keras.Model.predict`.

        Args:
            x: array, list of arrays or dataset of what `call` takes.
            **kwargs: as in Keras: `batch_size`, `verbose`, `steps`, `callbacks`.

        Raises:
            ValueError: if the arrays are not of the shapes that `call` takes, with a word on what
                to call instead; if several devices cannot share a batch.
            NotImplementedError: if several processes share the model.
        """
        check_predicted(self, x, kwargs.get("batch_size"))
        with backends.readable_errors(self):
            return super().predict(x, **kwargs)

    def end_training(self):
        """Do what is left to do when `fit` has come to its end."""

    def export(self, filepath, format: str = "tf_saved_model", **kwargs):
        """Export `call`, as a plain function for programs that know nothing of this package.

        Args:
            filepath: folder or file to write.
            format: `"tf_saved_model"`, or another one that Keras knows.
            **kwargs: as in `keras.Model.export`.

        Raises:
            ImportError: if a package that the format needs is missing.
        """
        answer = functools.partial(self, training=False)
        export(self, answer, self._inputs(), filepath, format, **kwargs)

    def _inputs(self):
        """Return what `call` takes, as a list of `keras.InputSpec`."""
        return [
            keras.InputSpec("float32", (None, *x.shape[1:]), name=f"input_{i}")
            for i, x in enumerate(keras.tree.flatten(self._symbolic()[0]))
        ]

    def _symbolic(self):
        """Return what `prepared` makes of a batch of which only the shapes are known."""
        shapes = [self.image_shape, (self.num_classes,) if self.num_classes else None, None]
        if self.learns_pairs:
            shapes[2] = self.observed_shape
        batch = (shape and keras.KerasTensor((None, *shape), "float32") for shape in shapes)
        return self._prepared(Batch(*batch), training=False)

    def _symbolic_build(self, iterator=None, data_batch=None):
        # Where Keras builds loss and metrics before the first step (JAX), it would take a batch for
        # what `prepared` makes of it.
        super()._symbolic_build(data_batch=data_batch or self._symbolic())

    def _prepared(self, batch, training):
        given = self.prepared(batch, training)
        if not isinstance(given, tuple) or not given or any(part is None for part in given):
            raise TypeError(
                f"`prepared` of {type(self).__name__} must return a tuple: what `call` takes and, "
                f"behind it, the targets of the loss. Received: {checks.shown(given)}."
            )
        return given

    def _check_players(self):
        for name in self._players:
            check_trainable(name, getattr(self, name))

    def _checked_batch(self, x, y, options, training):
        if training:
            self._check_players()
        batch = taken(self, x, y, options)
        Look(self, training)(batch)
        if batch.observed is not None:
            return batch.observed, batch.clean
        return (batch.clean,) if batch.labels is None else (batch.clean, batch.labels)

    def _show_direction(self, callback):
        """Tell a callback that looks at a figure of this model which way is better."""
        name = getattr(callback, "monitor", None)
        if isinstance(name, str) and getattr(callback, "mode", None) == "auto":
            callback.mode = self._directions.get(name.removeprefix("val_"), "auto")
