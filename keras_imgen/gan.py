"""`GAN`: a generator and a discriminator that learn from each other."""

import keras
from keras import ops

from keras_imgen import backends, checks, losses
from keras_imgen.training import (
    LatentModel,
    check_last_activation,
    check_network,
    has_batch_norm,
    more_than_one,
    pictures_of,
    prepare_optimizer,
)


@keras.saving.register_keras_serializable("keras_imgen")
class GAN(LatentModel):
    """Generative adversarial network: two networks, two optimizers.

    The discriminator learns to tell real pictures from generated ones, the generator to make
    pictures that it takes for real. Alongside, a slow average of the generator's weights is kept
    (EMA): it makes steadier pictures than the generator of any one moment, and `sample` uses it.

    Args:
        generator: network from latents `(batch, latent_dim)` to pictures in [0, 1].
        discriminator: network from pictures to one score each, `(batch, 1)`, without activation.
        ema_momentum: how slowly the average follows, 0 to 0.999999; 0.99 averages the last hundred
            steps or so. 0 switches it off.
        seed: integer for the latents drawn in training; by default one is drawn.

    Raises:
        TypeError, ValueError: if a network is not built, has nothing to train, or the two do not
            fit together.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), Algorithm 1; the average: Yazici et al. 2019
        (arXiv 1806.04498), equation 5.

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
        advice = "It is the share of the old average kept in every step. Usual: 0.99 to 0.9999."
        ema_momentum = checks.number("ema_momentum", ema_momentum, 0.0, 0.999999, advice)
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
        *,
        critic_steps: int = 1,
        penalty: str | None = None,
        penalty_weight: float = 10.0,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
        steps_per_execution: int = 1,
    ):
        """Choose the optimizers and the loss.

        Args:
            generator_optimizer: by default Adam with learning rate 2e-4 and beta_1 0.5 (Radford et
                al. 2016).
            discriminator_optimizer: the same by default.
            loss: `"non_saturating"`, `"least_squares"`, `"hinge"` or `"wasserstein"`.
            critic_steps: steps of the discriminator, each on a batch of its own, for one of the
                generator; the paper's k. Usual: 1, with the Wasserstein loss 5.
            penalty: `"r1"`, `"r2"` or `"gradient_penalty"`, what keeps the discriminator's scores
                from being too steep for the generator to follow; by default none.
            penalty_weight: its factor, the papers' gamma and lambda.
            run_eagerly: as in Keras, like the next two.
            jit_compile: whether to compile with XLA.
            steps_per_execution: batches per call of the compiled step.

        Raises:
            TypeError, ValueError: for an unknown loss or penalty, numbers out of range, an
                optimizer that is none, or one for both.
            NotImplementedError: on another backend than TensorFlow.
        """
        backends.check_minimize()
        _check_choice("loss", loss, losses.ADVERSARIAL)
        if penalty is not None:
            _check_choice("penalty", penalty, losses.PENALTIES)
        critic_steps = checks.whole_number("critic_steps", critic_steps, 1)
        penalty_weight = checks.number("penalty_weight", penalty_weight, 0.0)
        optimizers = (generator_optimizer, discriminator_optimizer)
        if optimizers[0] is optimizers[1] and isinstance(optimizers[0], keras.optimizers.Optimizer):
            raise ValueError(
                "Each network needs an optimizer of its own. Received: the same object twice. Make "
                "two, as in `generator_optimizer=Adam(2e-4), discriminator_optimizer=Adam(2e-4)`."
            )
        super().compile(
            optimizer=None,
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
        )
        default = {"class_name": "Adam", "config": {"learning_rate": 2e-4, "beta_1": 0.5}}
        self.generator_optimizer, self.discriminator_optimizer = (
            prepare_optimizer(optimizer, default, name, getattr(self, name))
            for optimizer, name in zip(optimizers, ("generator", "discriminator"), strict=True)
        )
        # What learning-rate callbacks change must be what trains.
        self.optimizer = _OptimizerPair(self.generator_optimizer, self.discriminator_optimizer)
        self.adversarial_loss, self.critic_steps = loss, critic_steps
        self.penalty, self.penalty_weight = penalty, penalty_weight
        # Keras's own loss tracker would report a loss that does not exist.
        self._loss_tracker = None
        names = ["generator_loss", "discriminator_loss", "discriminator_accuracy"]
        names += [] if penalty is None else ["penalty"]
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}

    def train_step(self, data):
        """Take a step of the discriminator and, if it is its turn, one of the generator.

        Algorithm 1, its k being `critic_steps`.
        """
        real = ops.cast(pictures_of(data), "float32")
        if self._needs_batch:
            real = more_than_one(real)
        count = ops.shape(real)[0]
        formulas = losses.ADVERSARIAL[self.adversarial_loss]

        def discriminator_loss():
            fake = self.generator(self._latents(count, self.seed_generator), training=True)
            real_scores = self.discriminator(real, training=True)
            fake_scores = self.discriminator(fake, training=True)
            values = formulas.discriminator(real_scores, fake_scores)
            penalty = self._penalty(real, fake, self.seed_generator, training=True)
            penalty += sum(self.discriminator.losses)  # of weights, if layers have regularizers
            return ops.mean(values) + penalty, (values, real_scores, fake_scores)

        def generator_loss():
            fake = self.generator(self._latents(count, self.seed_generator), training=True)
            values = formulas.generator(self.discriminator(fake, training=True))
            return ops.mean(values) + sum(self.generator.losses), values

        def generator_step():
            g_values = backends.minimize(
                self.generator_optimizer, self.generator.trainable_variables, generator_loss
            )
            self._follow_generator()
            self.trackers["generator_loss"].update_state(g_values)

        steps_before = self.discriminator_optimizer.iterations + 0  # its value, not the variable
        d_values, real_scores, fake_scores = backends.minimize(
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
            discriminator_loss,
        )
        self._track_discriminator(d_values, real_scores, fake_scores)
        self._in_turn(steps_before, generator_step)
        return {tracker.name: tracker.result() for tracker in self.metrics}

    def test_step(self, data):
        """Return the losses on held-out pictures, for latents that are always the same."""
        real = ops.cast(pictures_of(data), "float32")
        formulas = losses.ADVERSARIAL[self.adversarial_loss]
        fake = self.generator(self._latents(ops.shape(real)[0], self.seed), training=False)
        real_scores = self.discriminator(real, training=False)
        fake_scores = self.discriminator(fake, training=False)
        d_values = formulas.discriminator(real_scores, fake_scores)
        self._penalty(real, fake, self.seed, training=False)
        self._track_discriminator(d_values, real_scores, fake_scores)
        self.trackers["generator_loss"].update_state(formulas.generator(fake_scores))
        return {tracker.name: tracker.result() for tracker in self.metrics}

    def predict_latents(self, latents):
        """Return the averaged generator's picture of each latent vector `(batch, latent_dim)`."""
        return ops.clip(ops.cast(self.ema_generator(latents, training=False), "float32"), 0.0, 1.0)

    def call(self, latents, training=None):
        """Return the picture of each latent vector, as `predict_latents` does."""
        return self.predict_latents(latents)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "ema_momentum": self.ema_momentum,
        }

    def compile_arguments(self):
        """Return optimizers and loss."""
        optimizers = {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }
        return {
            **{k: keras.saving.serialize_keras_object(v) for k, v in optimizers.items()},
            "loss": self.adversarial_loss,
            "critic_steps": self.critic_steps,
            "penalty": self.penalty,
            "penalty_weight": self.penalty_weight,
        }

    def _in_turn(self, steps_before, generator_step):
        """Call `generator_step`, if the discriminator has just taken the last of its steps."""
        if self.critic_steps == 1:
            generator_step()
            return
        # The optimizer's count is saved with it. In half precision a step may have been left out.
        steps = self.discriminator_optimizer.iterations + 0
        turn = ops.logical_and(steps > steps_before, steps % self.critic_steps == 0)
        ops.cond(turn, generator_step, lambda: None)

    def _latents(self, count, seed):
        return keras.random.normal((count, self.latent_dim), seed=seed)

    def _follow_generator(self):
        # The average would long remember the untrained weights: follow fast at first.
        step = ops.cast(self.generator_optimizer.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, (1.0 + step) / (10.0 + step))
        pairs = zip(self.ema_generator.weights, self.generator.weights, strict=True)
        for average, weight in pairs:
            average.assign(momentum * average + (1.0 - momentum) * weight)

    def _penalty(self, real, fake, seed, training):
        """Return the weighted penalty of the batch, 0 if there is none, and keep its mean."""
        if self.penalty is None:
            return 0.0
        penalty = losses.PENALTIES[self.penalty]
        mix = keras.random.uniform((ops.shape(real)[0], 1, 1, 1), seed=seed)
        places = penalty.places(real, ops.cast(fake, "float32"), mix)
        gradients = backends.input_gradients(
            lambda pictures: self.discriminator(pictures, training=training), places
        )
        values = penalty.value(ops.cast(gradients, "float32"))
        self.trackers["penalty"].update_state(values)
        return self.penalty_weight * ops.mean(values)

    def _track_discriminator(self, values, real_scores, fake_scores):
        right = ops.concatenate([real_scores > 0, fake_scores < 0], axis=0)
        self.trackers["discriminator_loss"].update_state(values)
        self.trackers["discriminator_accuracy"].update_state(ops.cast(right, "float32"))


class _OptimizerPair:
    """What callbacks see as `model.optimizer`: one learning rate for both players.

    Setting it sets the generator's, and the discriminator's in proportion.
    """

    built = True

    def __init__(self, generator_optimizer, discriminator_optimizer):
        self.parts = (generator_optimizer, discriminator_optimizer)
        self._ratio = 1.0

    @property
    def learning_rate(self):
        return self.parts[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        generator, discriminator = (float(part.learning_rate) for part in self.parts)
        if generator > 0.0:  # a warm-up that begins at 0 must not forget the proportion
            self._ratio = discriminator / generator
        self.parts[0].learning_rate = float(value)
        self.parts[1].learning_rate = float(value) * self._ratio

    @property
    def iterations(self):
        return self.parts[0].iterations

    @property
    def variables(self):
        return [variable for part in self.parts for variable in part.variables]


def _check_choice(name, value, choices):
    if value not in tuple(choices):
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={checks.shown(value)}."
        )


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
    check_last_activation(
        "generator", generator, ("tanh",), "Pictures lie in [0, 1]: end with a sigmoid."
    )
    check_last_activation(
        "discriminator",
        discriminator,
        ("sigmoid", "softmax"),
        "The losses take scores: end with keras.layers.Dense(1) and no activation.",
    )
