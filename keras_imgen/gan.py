"""`GAN`: a generator and a discriminator that learn from each other."""

import os

import keras
from keras import ops

from keras_imgen import backends, losses
from keras_imgen.training import (
    PictureModel,
    check_network,
    has_batch_norm,
    pictures_of,
    prepare_optimizer,
)


@keras.saving.register_keras_serializable("keras_imgen")
class GAN(PictureModel):
    """Generative adversarial network: two networks, two optimizers.

    The discriminator learns to tell real pictures from generated ones, the generator to make
    pictures that it takes for real. Alongside, a slow average of the generator's weights is kept
    (EMA): it makes steadier pictures than the generator of any one moment, and `sample` uses it.

    Args:
        generator: network from latents `(batch, latent_dim)` to pictures in [0, 1].
        discriminator: network from pictures to one score each, `(batch, 1)`, without activation.
        ema_momentum: how slowly the average follows, in [0, 1); 0.99 averages the last hundred
            steps or so. 0 switches it off.
        seed: integer for the latents drawn in training; by default one is drawn.

    Raises:
        TypeError, ValueError: if a network is not built, has nothing to train, or the two do not
            fit together.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), Algorithm 1, one discriminator step for each
        generator step; the average: Yazici et al. 2019 (arXiv 1806.04498), equation 5.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import GAN, networks
        >>> gan = GAN(
        ...     networks.dcgan_generator((8, 8, 1), latent_dim=4, filters=4),
        ...     networks.dcgan_discriminator((8, 8, 1), filters=4),
        ...     seed=0,
        ... )
        >>> gan.compile()
        >>> history = gan.fit(np.random.rand(64, 8, 8, 1), epochs=1, verbose=0)
        >>> gan.sample(3, seed=0).shape
        (3, 8, 8, 1)
    """

    def __init__(self, generator, discriminator, *, ema_momentum: float = 0.99, **kwargs):
        super().__init__(**kwargs)
        check_network("GAN", "generator", generator)
        check_network("GAN", "discriminator", discriminator)
        _check_pair(generator, discriminator)
        if not 0.0 <= ema_momentum < 1.0:
            raise ValueError(
                "`ema_momentum` is the share of the old average kept in every step and must lie in "
                f"[0, 1). Received: ema_momentum={ema_momentum}. Usual: 0.99 to 0.9999."
            )
        self.generator = generator
        self.discriminator = discriminator
        self.ema_momentum = ema_momentum
        self.ema_generator = keras.models.clone_model(generator)
        self.ema_generator.set_weights(generator.get_weights())
        self.ema_generator.trainable = False
        self.latent_dim = generator.input_shape[-1]
        self._needs_batch = has_batch_norm(generator) or has_batch_norm(discriminator)
        self.built = True

    @property
    def picture_shape(self):
        """Shape `(height, width, channels)` of the pictures."""
        return self.discriminator.input_shape[1:]

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        loss: str = "non_saturating",
        **kwargs,
    ):
        """Choose the optimizers and the loss.

        Args:
            generator_optimizer: by default Adam with learning rate 2e-4 and beta_1 0.5 (Radford et
                al. 2016).
            discriminator_optimizer: the same by default.
            loss: `"non_saturating"`, `"least_squares"` or `"hinge"`.
            **kwargs: `run_eagerly`, `jit_compile` and `steps_per_execution`, as in Keras.

        Raises:
            ValueError: for an unknown loss.
        """
        if loss not in losses.ADVERSARIAL:
            raise ValueError(
                f"`loss` must be one of {', '.join(map(repr, losses.ADVERSARIAL))}. "
                f"Received: loss={loss!r}."
            )
        super().compile(optimizer=None, **kwargs)
        default = {"class_name": "Adam", "config": {"learning_rate": 2e-4, "beta_1": 0.5}}
        self.generator_optimizer = prepare_optimizer(generator_optimizer, default, self.generator)
        self.discriminator_optimizer = prepare_optimizer(
            discriminator_optimizer, default, self.discriminator
        )
        if self.generator_optimizer is self.discriminator_optimizer:
            raise ValueError(
                "Each network needs an optimizer of its own. Received: the same object twice."
            )
        # What learning-rate callbacks change must be what trains.
        self.optimizer = _OptimizerPair(self.generator_optimizer, self.discriminator_optimizer)
        self.adversarial_loss = loss
        self._compile_options = kwargs
        # Keras's own loss tracker would report a loss that does not exist.
        self._loss_tracker = None
        self.trackers = {
            name: keras.metrics.Mean(name=name)
            for name in ("generator_loss", "discriminator_loss", "discriminator_accuracy")
        }

    def train_step(self, data):
        """Take one step of the discriminator, then one of the generator (Algorithm 1)."""
        real = self._real(data)
        count = ops.shape(real)[0]
        formulas = losses.ADVERSARIAL[self.adversarial_loss]

        def discriminator_loss():
            fake = self.generator(self._latents(count, self.seed_generator), training=True)
            real_scores = self.discriminator(real, training=True)
            fake_scores = self.discriminator(fake, training=True)
            values = formulas.discriminator(real_scores, fake_scores)
            return ops.mean(values), (values, real_scores, fake_scores)

        def generator_loss():
            fake = self.generator(self._latents(count, self.seed_generator), training=True)
            values = formulas.generator(self.discriminator(fake, training=True))
            return ops.mean(values), values

        d_values, real_scores, fake_scores = backends.minimize(
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
            discriminator_loss,
        )
        g_values = backends.minimize(
            self.generator_optimizer, self.generator.trainable_variables, generator_loss
        )
        self._follow_generator()
        return self._report(g_values, d_values, real_scores, fake_scores)

    def test_step(self, data):
        """Return the losses on held-out pictures, for latents that are always the same."""
        real = self._real(data)
        formulas = losses.ADVERSARIAL[self.adversarial_loss]
        fake = self.generator(self._latents(ops.shape(real)[0], self.seed), training=False)
        real_scores = self.discriminator(real, training=False)
        fake_scores = self.discriminator(fake, training=False)
        d_values = formulas.discriminator(real_scores, fake_scores)
        return self._report(formulas.generator(fake_scores), d_values, real_scores, fake_scores)

    def sample(self, n: int, seed: int | None = None):
        """Draw new pictures.

        Args:
            n: how many, at least 1.
            seed: integer; the same seed gives the same latents. By default they differ from call to
                call. Either way training is not disturbed.

        Returns:
            float32 array in [0, 1], shape `(n, height, width, channels)`.
        """
        if n != int(n) or n < 1:
            raise ValueError(f"`n` is the number of pictures, at least 1. Received: n={n!r}.")
        seed = int.from_bytes(os.urandom(3)) if seed is None else seed
        return ops.convert_to_numpy(self.predict_latents(self._latents(int(n), seed)))

    def predict_latents(self, latents):
        """Return the picture of each latent vector `(batch, latent_dim)`, by the averaged weights."""
        return ops.clip(ops.cast(self.ema_generator(latents, training=False), "float32"), 0.0, 1.0)

    def call(self, latents, training=None):
        """Return the generator's pictures."""
        return self.generator(latents, training=training)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "ema_momentum": self.ema_momentum,
        }

    def get_compile_config(self):
        """Return the arguments of `compile`."""
        optimizers = {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }
        return {
            **{k: keras.saving.serialize_keras_object(v) for k, v in optimizers.items()},
            "loss": self.adversarial_loss,
            **self._compile_options,
        }

    def compile_from_config(self, config):
        """Compile as the saved model was."""
        self.compile(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def _real(self, data):
        real = pictures_of(data)
        if self._needs_batch:
            backends.check(
                ops.shape(real)[0] > 1,
                "A GAN with BatchNormalization cannot train on a batch of one picture: it would "
                "become all zeros. Choose a batch size that leaves no single picture over, or "
                "batch with drop_remainder=True.",
            )
        return ops.cast(real, "float32")

    def _latents(self, count, seed):
        return keras.random.normal((count, self.latent_dim), seed=seed)

    def _follow_generator(self):
        # The average would long remember the untrained weights: follow fast at first.
        step = ops.cast(self.generator_optimizer.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, (1.0 + step) / (10.0 + step))
        pairs = zip(self.ema_generator.weights, self.generator.weights, strict=True)
        for average, weight in pairs:
            average.assign(momentum * average + (1.0 - momentum) * weight)

    def _report(self, g_values, d_values, real_scores, fake_scores):
        right = ops.concatenate([real_scores > 0, fake_scores < 0], axis=0)
        values = (g_values, d_values, ops.cast(right, "float32"))
        for tracker, value in zip(self.trackers.values(), values, strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.metrics}


class _OptimizerPair:
    """What callbacks see as `model.optimizer`: one learning rate for both players.

    Setting it sets the generator's, and the discriminator's in proportion.
    """

    def __init__(self, generator_optimizer, discriminator_optimizer):
        self.parts = (generator_optimizer, discriminator_optimizer)

    @property
    def learning_rate(self):
        return self.parts[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        ratio = float(value) / float(ops.convert_to_numpy(self.learning_rate))
        for part in self.parts:
            part.learning_rate = float(ops.convert_to_numpy(part.learning_rate)) * ratio

    @property
    def iterations(self):
        return self.parts[0].iterations

    @property
    def variables(self):
        return [variable for part in self.parts for variable in part.variables]


def _check_pair(generator, discriminator):
    latents, made = generator.input_shape, generator.output_shape
    taken, scores = discriminator.input_shape, discriminator.output_shape
    if len(latents) != 2 or latents[-1] is None:
        raise ValueError(
            "`generator` must take latents of shape (batch, latent_dim). "
            f"Received: a network that takes {latents}."
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
