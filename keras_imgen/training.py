"""`PictureModel`: what every model shares so that its data are checked, and it saves and resumes."""

import math

import keras

from keras_imgen.data import PictureDataset, check_pictures, load_arrays


class PictureModel(keras.Model):
    """Base of `GAN`, `VAE` and `Restorer`.

    It checks what goes into `fit` and `evaluate`, serves data in an order that is a function of
    `(seed, epoch)`, stops when a log is no longer a number, and saves the state of every random
    generator beside the weights, which Keras does not.

    Args:
        seed: integer for everything that the model draws; by default one is drawn.
    """

    def __init__(self, *, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.seed = self.seed_generator.get_config()["seed"]

    @property
    def picture_shape(self) -> tuple:
        """Shape of one clean picture (or sequence) as the networks take it; None is free."""
        raise NotImplementedError

    def fit(self, x=None, y=None, *, batch_size=None, callbacks=None, **kwargs):
        """Train on clean pictures; arguments and result as in `keras.Model.fit`.

        Args:
            x: what `keras_imgen.load` and its siblings return, an array of pictures in [0, 1], a
                `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator of batches. A batch is
                the pictures alone, `(pictures, ...)`, or a dict with the key `"image"`.
            y: not used: these models learn from the pictures themselves.
            batch_size: pictures per batch if `x` is an array; 32 by default.
            callbacks: list of Keras callbacks.
            **kwargs: as in Keras: `epochs`, `verbose`, `validation_data`, `initial_epoch`,
                `steps_per_epoch`, ...

        Raises:
            TypeError, ValueError: if the first batch (of an array: any picture) is not in the
                format of this package, there is none, or they would never end.
            FloatingPointError: if a log becomes NaN or infinite.
        """
        _refuse_targets(self, y)
        steps = kwargs.get("steps_per_epoch")
        shuffle = kwargs.pop("shuffle", True)
        x = _checked(self, x, batch_size, shuffle=shuffle, steps=steps)
        if kwargs.get("validation_data") is not None:
            steps = kwargs.get("validation_steps")
            held_out = kwargs["validation_data"]
            if isinstance(held_out, tuple | list):
                held_out = held_out[0]
            kwargs["validation_data"] = _checked(
                self, held_out, batch_size, shuffle=False, steps=steps, name="validation_data"
            )
        guards = [_Guard(x)]
        callbacks = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
        callbacks = [*guards, *(c for c in callbacks if c is not None)]
        # Keras would shuffle the batches of a dataset by Python's global generator.
        return super().fit(x, callbacks=callbacks, shuffle=False, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """Return the losses and metrics on held-out pictures; as `keras.Model.evaluate`.

        Random draws are fixed, so that two calls give the same figures.
        """
        _refuse_targets(self, y)
        if not kwargs.get("_use_cached_eval_dataset"):  # else `fit` has checked them
            x = _checked(self, x, batch_size, shuffle=False, steps=kwargs.get("steps"))
        return super().evaluate(x, **kwargs)

    def get_config(self):
        """Return the constructor's arguments that all models have."""
        return {"seed": self.seed, "name": self.name, "dtype": self.dtype_policy.name}

    @classmethod
    def from_config(cls, config):
        """Rebuild the model: every argument that is a saved Keras object becomes that object."""
        return cls(**{key: keras.saving.deserialize_keras_object(v) for key, v in config.items()})

    def save_own_variables(self, store):
        """Store the state of every random generator, of this model and of all its layers."""
        for index, variable in enumerate(self._random_states()):
            store[f"random_state_{index}"] = keras.ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        """Bring back the state of every random generator."""
        states = self._random_states()
        if len(store.keys()) != len(states):
            raise ValueError(
                f"The file does not fit this model: it holds {len(store.keys())} random states, the "
                f"model has {len(states)}. Load it with keras.saving.load_model, which builds the "
                "model from the file."
            )
        for index, variable in enumerate(states):
            variable.assign(store[f"random_state_{index}"])

    def _random_states(self):
        weights = {id(variable) for variable in self.non_trainable_weights}
        return [v for v in self.non_trainable_variables if id(v) not in weights]


def pictures_of(data):
    """Return the pictures of a batch: alone, the first of a tuple, or under "image" in a dict."""
    if isinstance(data, dict):
        if "image" not in data:
            raise ValueError(
                'A batch that is a dict must hold its pictures under "image". '
                f"Received: keys {sorted(data)}."
            )
        return data["image"]
    return data[0] if isinstance(data, tuple | list) and len(data) else data


def prepare_optimizer(optimizer, default, network):
    """Return an optimizer that fits the network's precision and is built, so that it saves."""
    optimizer = keras.optimizers.get(default if optimizer is None else optimizer)
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if network.dtype_policy.name == "mixed_float16" and not scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    # Without this, loading a file would silently lose the optimizer's moments.
    optimizer.build(network.trainable_variables)
    return optimizer


def check_network(model_name: str, name: str, network) -> None:
    """Raise unless `network` is a built Keras model that can be trained."""
    if not isinstance(network, keras.Model):
        raise TypeError(
            f"`{name}` of {model_name} must be a keras.Model. Received: {network!r}. "
            "The functions in keras_imgen.networks build some."
        )
    if not network.built or not network.inputs:
        raise ValueError(
            f"`{name}` of {model_name} must be built, so that its shapes are known. Received: the "
            f"unbuilt model {network.name!r}. Begin it with keras.Input(shape)."
        )
    if not network.trainable or not network.trainable_variables:
        raise ValueError(
            f"`{name}` of {model_name} has nothing to train. Received: the model {network.name!r} "
            f"with trainable={network.trainable}. Set `{name}.trainable = True`: each player's step "
            "changes only its own weights anyway."
        )


def has_batch_norm(network) -> bool:
    """Return whether a network normalises over the batch, so that one picture is too few."""
    layers = network._flatten_layers()
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)


def _refuse_targets(model, y):
    if y is not None:
        raise ValueError(
            f"{type(model).__name__} learns from clean pictures alone. Received: targets `y`. "
            "Pass the pictures as `x` only."
        )


def _checked(model, x, batch_size, *, shuffle, steps, name="x"):
    """Return `x` as something Keras can iterate over, its first batch checked."""
    shape = model.picture_shape
    if isinstance(x, PictureDataset):
        return _checked_batches(x, shape, name)
    if isinstance(x, keras.utils.PyDataset):
        return _checked_batches(x, shape, name)
    if hasattr(x, "cardinality"):  # a tf.data.Dataset
        return _checked_stream(x, shape, steps, name)
    if hasattr(x, "__next__"):
        raise TypeError(
            f"`{name}` must be something that can be read in every epoch anew. Received: a "
            f"{type(x).__name__}. Make it a keras.utils.PyDataset, or a dataset with "
            "tf.data.Dataset.from_generator."
        )
    check_pictures(x, shape, name)
    return load_arrays(x, batch_size=batch_size or 32, shuffle=shuffle, seed=model.seed)


def _checked_batches(x, shape, name):
    if not x.num_batches:
        raise ValueError(f"`{name}` holds no picture. Received: a dataset of 0 batches.")
    check_pictures(pictures_of(x[0]), shape, name)
    return x


def _checked_stream(x, shape, steps, name):
    if int(x.cardinality()) == -1 and steps is None:
        raise ValueError(
            f"`{name}` never ends. Received: an infinite tf.data.Dataset. Pass `steps_per_epoch` "
            "(for validation `validation_steps`, for evaluate `steps`), or leave out `.repeat()`."
        )
    for batch in x.take(1):
        check_pictures(pictures_of(batch), shape, name)
        return x
    raise ValueError(f"`{name}` holds no picture. Received: an empty tf.data.Dataset.")


class _Guard(keras.callbacks.Callback):
    """Tells the dataset which epoch it is, and stops when a log is no longer a number."""

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if isinstance(self.dataset, PictureDataset):
            self.dataset.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if not math.isfinite(float(value)):
                raise FloatingPointError(
                    f"`{name}` became {float(value)} in epoch {self.epoch + 1}, batch {batch + 1}: "
                    "training has diverged. Go back to the last saved model and lower the learning "
                    "rate; look for NaN in the data with np.isfinite."
                )
