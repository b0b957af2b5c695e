"""The two players of a GAN: whether their networks fit together, and how both are optimized."""

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, checks, losses
from keras_imgen.training.architectures import check_last_activation, network_inputs
from keras_imgen.training.latent import LatentModel
from keras_imgen.training.optimizers import prepare_optimizer, rate_of


class OptimizerPair:
    """What callbacks see as `model.optimizer`: one learning rate for both players.

    Setting it sets the generator's, and the discriminator's in proportion.

    Attributes:
        parts: both, without loss scaling. (They are not called `optimizers`: callbacks of Keras
            would set each one's rate by itself, and their proportion would be lost.)
        ratio: of the discriminator's learning rate to the generator's, when that was last above 0;
            a warm-up that begins at 0 must not forget it.
    """

    built = True

    def __init__(self, generator_optimizer, discriminator_optimizer):
        self._scaled = (generator_optimizer, discriminator_optimizer)
        self.parts = [getattr(part, "inner_optimizer", part) for part in self._scaled]
        self.ratio = 1.0
        self._note_ratio()

    @property
    def learning_rate(self):
        """The generator's."""
        return self.parts[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self._note_ratio()
        self.parts[0].learning_rate = float(value)
        self.parts[1].learning_rate = float(value) * self.ratio

    @property
    def iterations(self):
        """The generator's steps."""
        return self._scaled[0].iterations

    @property
    def variables(self):
        """Moments and counts of both."""
        return [variable for part in self._scaled for variable in part.variables]

    # What Keras's SwapEMAWeights looks at.

    @property
    def use_ema(self):
        """Whether one of them keeps averages of weights."""
        return any(part.use_ema for part in self.parts)

    @property
    def _model_variables_moving_average(self):
        if not self.use_ema:
            raise AttributeError("no averages")
        return self._of_averaging("_model_variables_moving_average")

    @property
    def _trainable_variables(self):
        return self._of_averaging("_trainable_variables")

    @property
    def _distribution_strategy(self):
        return self.parts[0]._distribution_strategy

    def _of_averaging(self, name):
        return [variable for part in self.parts if part.use_ema for variable in getattr(part, name)]

    def _note_ratio(self):
        generator, discriminator = map(rate_of, self.parts)
        if generator > 0.0:
            self.ratio = discriminator / generator


class TwoPlayers(LatentModel):
    """Base of `GAN`: a generator and a discriminator, each with an optimizer of its own."""

    _players = ("generator", "discriminator")

    def prepare_optimizers(self, generator_optimizer, discriminator_optimizer) -> None:
        """Make both optimizers ready; by default Adam with rate 4e-3."""
        given = (generator_optimizer, discriminator_optimizer)
        if given[0] is given[1] and isinstance(given[0], keras.optimizers.Optimizer):
            raise ValueError(
                "Each network needs an optimizer of its own. Received: the same object twice. Make "
                "two, as in `generator_optimizer=Adam(2e-4), discriminator_optimizer=Adam(2e-4)`."
            )
        default = {"class_name": "Adam", "config": {"learning_rate": 4e-3, "beta_1": 0.5}}
        self.generator_optimizer, self.discriminator_optimizer = (
            prepare_optimizer(optimizer, default, name, getattr(self, name))
            for optimizer, name in zip(given, self._players, strict=True)
        )
        # What learning-rate callbacks change must be what trains.
        self.optimizer = OptimizerPair(self.generator_optimizer, self.discriminator_optimizer)

    def compile_arguments(self):
        """Return the optimizers."""
        names = [f"{name}_optimizer" for name in self._players]
        return {n: keras.saving.serialize_keras_object(getattr(self, n)) for n in names}

    def compile_from_config(self, config):
        """Compile as the saved model was; before format 3, objects were numbers beside names."""
        if "penalty_weight" in config:
            usual = {"label_smoothing": 0.0, "penalty_weight": 10.0, "penalty_every": 1}
            smoothing, weight, every = (config.get(name, usual[name]) for name in usual)
            config = {name: value for name, value in config.items() if name not in usual}
            if smoothing:
                config["loss"] = losses.NonSaturating(smoothing)
            if config["penalty"] is not None:
                kind = type(losses.PENALTIES[config["penalty"]])
                config["penalty"] = kind(weight, every=every)
        super().compile_from_config(config)

    def save_own_variables(self, store):
        """Store what all models do, and the proportion of both learning rates."""
        super().save_own_variables(store)
        if self.compiled:
            store["ratio_of_rates"] = np.array(self.optimizer.ratio)

    def load_own_variables(self, store):
        """Bring back what all models do, and the proportion of both learning rates."""
        super().load_own_variables(store)
        if self.compiled and "ratio_of_rates" in set(store.keys()):
            self.optimizer.ratio = float(store["ratio_of_rates"][()])

    def end_training(self):
        """Put in the averages that the optimizers keep, if they do (`use_ema`)."""
        for name in self._players:
            optimizer = getattr(self, f"{name}_optimizer")
            optimizer.finalize_variable_values(getattr(self, name).trainable_variables)


def total(penalties):
    """Return the sum of what layers with regularizers ask of their weights."""
    return ops.convert_to_tensor(sum(penalties, 0.0), "float32")


def weighed(optimizer, loss):
    """Return this device's share of a loss, scaled as the optimizer's precision wants it."""
    return optimizer.scale_loss(backends.share(loss))


def one_each(values, loss, player: str):
    """Return the values of an adversarial loss as float32, or raise if they are not one each."""
    shape = getattr(values, "shape", None)
    if shape is None or len(shape) not in (1, 2) or tuple(shape[1:]) not in ((), (1,)):
        raise ValueError(
            "A loss of a GAN returns one value for each picture, in the shape of the scores. "
            f"Received: {checks.shown(values) if shape is None else f'shape={tuple(shape)}'} from "
            f"`{player}` of {type(loss).__name__}. Do not average, and return a tensor."
        )
    return ops.cast(values, "float32")


def checked_augmentation(augmentation):
    """Return what changes pictures at random, or raise if it is no layer."""
    if augmentation is None or isinstance(augmentation, keras.Layer):
        return augmentation
    raise TypeError(
        "`augmentation` must be a Keras layer from pictures to pictures, such as "
        "keras.layers.RandomTranslation(0.1, 0.1), or several in a keras.Sequential. "
        f"Received: {checks.shown(augmentation)}."
    )


def check_slope(augmentation, image_shape) -> None:
    """Raise if a generator could not learn through an augmentation: one gradient tells.

    What the augmentation draws for that is not missing in the training.
    """
    if augmentation is None:
        return
    states = [(variable, np.array(variable)) for variable in augmentation.variables]
    rng = np.random.default_rng(0)
    pictures = rng.uniform(0.25, 0.75, (16, *image_shape)).astype("float32")

    def seen(x):
        changed = augmentation(x, training=True)
        # Weighed, for the mean of a picture may be the same whatever is in it.
        return changed * ops.cast(rng.uniform(0.5, 1.5, changed.shape), changed.dtype), None

    slopes, _ = backends.input_gradients(seen, ops.convert_to_tensor(pictures))
    for variable, value in states:
        variable.assign(value)
    learned = 0 if slopes is None else np.count_nonzero(np.any(np.array(slopes), axis=(1, 2, 3)))
    if learned < 8:
        raise ValueError(
            "`augmentation` must be differentiable: the generator learns through it. Received: "
            f"{type(augmentation).__name__}, which passes no slope on for {16 - learned} of 16 "
            "pictures. Choose one that moves or scales values, such as "
            "keras.layers.RandomTranslation, instead of one that rounds or sorts them."
        )


def check_pair(generator, discriminator) -> None:
    """Raise unless the discriminator takes what the generator makes, and returns scores."""
    (latents, made_of), (taken, told_by) = map(network_inputs, (generator, discriminator))
    made, scores = generator.output_shape, discriminator.output_shape
    if len(latents) != 2 or latents[-1] is None:
        raise ValueError(
            "`generator` must take latents of shape (batch, latent_dim). "
            f"Received: a network that takes {latents}."
        )
    if made_of != told_by:
        raise ValueError(
            "Generator and discriminator must know the same classes. Received: a generator of "
            f"{made_of or 0} classes and a discriminator of {told_by or 0}. Build both with the "
            "same `num_classes`."
        )
    if made[1:] != taken[1:]:
        raise ValueError(
            "The discriminator must take the pictures that the generator makes. "
            f"Received: a generator of {made[1:]} and a discriminator of {taken[1:]}. "
            "Build both with the same `image_shape`."
        )
    if scores != (None, 1):
        raise ValueError(
            "`discriminator` must return one score per picture, shape (batch, 1). "
            f"Received: a network that returns {scores}. End it with keras.layers.Dense(1)."
        )
    check_last_activation(
        "generator", generator, ("tanh",), "Pictures lie in [0, 1]: end with a sigmoid."
    )
    check_last_activation(
        "discriminator",
        discriminator,
        ("sigmoid", "softmax"),
        "The losses take scores: end with keras.layers.Dense(1) and no activation.",
    )
