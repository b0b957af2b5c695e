"""`GAN`: a generator and a discriminator that learn from each other."""

import keras
from keras import ops

from keras_imgen import backends, checks, losses
from keras_imgen.data import check_pictures
from keras_imgen.search import Search
from keras_imgen.training import (
    TwoPlayers,
    average_of,
    by_batch,
    check_network,
    check_pair,
    check_slope,
    checked_augmentation,
    checked_momentum,
    follow,
    has_batch_norm,
    network_inputs,
    one_each,
    step_batch,
    total,
    weighed,
    with_labels,
)


@keras.saving.register_keras_serializable("keras_imgen")
class GAN(Search, TwoPlayers):
    """Generative adversarial network: two networks, two optimizers.

    The discriminator learns to tell real pictures from generated ones, the generator to make
    pictures that it takes for real. Alongside, a slow average of the generator's weights is kept
    (EMA): it makes steadier pictures than the generator of any one moment, and `sample` uses it.

    If both networks take labels as well (`networks.dcgan_generator(..., num_classes=10)`), the GAN
    is conditional: it trains on pictures with labels, and `sample(n, labels=...)` draws what is
    asked for.

    Args:
        generator: network from latents `(batch, latent_dim)` to pictures in [0, 1]; of a
            conditional GAN from latents and rows of labels `(batch, num_classes)`.
        discriminator: network from pictures to one score each, `(batch, 1)`, without activation; of
            a conditional GAN from pictures and rows of labels.
        ema_momentum: how slowly the average follows, 0 to 0.999999; 0.99 averages the last hundred
            steps or so. 0 switches it off.
        augmentation: layer from pictures to pictures that changes them at random, such as
            `keras.layers.RandomTranslation`. In training the discriminator sees real and generated
            pictures through it, so that it cannot learn a small data set by heart; the generator
            learns through it, so it must be differentiable. By default none.
        seed: integer for the latents drawn in training; by default one is drawn.

    Raises:
        TypeError, ValueError: if a network is not built, has nothing to train, or the two do not
            fit together.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), Algorithm 1; the average: Yazıcı et al. 2019
        (arXiv 1806.04498), equation 5; labels: Miyato and Koyama 2018 (arXiv 1802.05637);
        augmentation: Zhao et al. 2020 (arXiv 2006.10738), equations 2 and 3.

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

    _directions = dict.fromkeys(("generator_loss", "discriminator_loss", "penalty"), "min")
    _instead_of_predict = "For new pictures call sample(n), which draws the latents."

    def __init__(
        self, generator, discriminator, *, ema_momentum: float = 0.99, augmentation=None, **kwargs
    ):
        super().__init__(**kwargs)
        check_network("GAN", "generator", generator)
        check_network("GAN", "discriminator", discriminator)
        check_pair(generator, discriminator)
        self.generator = generator
        self.discriminator = discriminator
        self.ema_momentum = checked_momentum(ema_momentum)
        self.augmentation = checked_augmentation(augmentation)
        self.ema_generator = average_of(generator)
        (_, self.latent_dim), self.num_classes = network_inputs(generator)
        self._needs_batch = has_batch_norm(generator) or has_batch_norm(discriminator)
        # Made once: Keras never forgets a tracker. Which of them are used `compile` decides.
        names = ("generator_loss", "discriminator_loss", "discriminator_accuracy", "penalty")
        self.trackers = {name: keras.metrics.Mean(name, "float32") for name in names}
        self.penalty = None
        self.built = True

    @property
    def image_shape(self):
        """Shape `(height, width, channels)` of the pictures."""
        return self.discriminator.inputs[0].shape[1:]

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        loss="non_saturating",
        *,
        penalty=None,
        critic_steps: int = 1,
        **kwargs,
    ):
        """Choose the optimizers and the loss.

        Args:
            generator_optimizer: by default Adam with learning rate 4e-3 and beta_1 0.5, for small
                networks and short trainings. Radford et al. 2016, whose networks are large, have
                2e-4.
            discriminator_optimizer: the same by default.
            loss: an object such as `losses.NonSaturating(label_smoothing=0.1)`, or the name of one:
                `"non_saturating"`, `"least_squares"`, `"hinge"`, `"wasserstein"` (with a penalty)
                or `"relativistic"` (with the penalty `"r1_r2"`: R3GAN).
            penalty: an object such as `losses.R1(weight=1.0, every=16)`, or the name of one, of
                weight 10: `"r1"`, `"r2"`, `"r1_r2"` (both) or `"gradient_penalty"`. It keeps the
                discriminator's scores from being too steep for the generator to follow; by default
                none. For discriminators without batch normalisation.
            critic_steps: steps of the discriminator, each on a batch of its own, for one of the
                generator; the paper's k. Usual: 1, with the Wasserstein loss 5.
            **kwargs: as in Keras: `run_eagerly`, `jit_compile`, `steps_per_execution`.

        Raises:
            TypeError, ValueError: for an unknown loss or penalty, numbers out of range, an
                optimizer that is none, or one for both.
            NotImplementedError: for `critic_steps`, XLA or `steps_per_execution` under
                `MirroredStrategy`; under other strategies of several devices.
        """
        self._refuse_others(kwargs)
        check_slope(self.augmentation, self.image_shape)
        loss = _chosen("loss", loss, losses.ADVERSARIAL, losses.AdversarialLoss)
        if penalty is not None:
            penalty = _chosen("penalty", penalty, losses.PENALTIES, losses.Penalty)
            if has_batch_norm(self.discriminator):
                raise ValueError(
                    "A penalty looks at the slope of each picture's score, and with "
                    "BatchNormalization a score depends on all pictures of the batch. Received: "
                    f"penalty={type(penalty).__name__} for such a discriminator. Build it with "
                    "`batch_norm=False`, or leave out the penalty."
                )
        critic_steps = checks.whole_number("critic_steps", critic_steps, 1)
        if critic_steps > 1 and backends.replicas(self):
            raise NotImplementedError(
                "Under MirroredStrategy both players take a step on every batch. Received: "
                f"critic_steps={critic_steps}. Leave it out, or train without a strategy."
            )
        super().compile(**kwargs)
        self.prepare_optimizers(generator_optimizer, discriminator_optimizer)
        self.adversarial_loss, self.penalty, self.critic_steps = loss, penalty, critic_steps
        # Keras's own loss tracker would report a loss that does not exist.
        self._loss_tracker = None

    @backends.in_place
    def train_step(self, data):
        """Take a step of the discriminator and, if it is its turn, one of the generator.

        Algorithm 1, its k being `critic_steps`; both steps look at the same generated pictures,
        which saves drawing others for the second one.
        """
        real, labels, _ = step_batch(self, data)
        formulas = self.adversarial_loss
        players = (self.discriminator, self.generator)
        critics, makers = (player.trainable_variables for player in players)
        turn = self._generators_turn()

        def drawn():
            fake = self._generated(ops.shape(real)[0], labels, self.seed_generator, training=True)
            return [fake, total(self.generator.losses)], None

        def discriminator_loss():
            real_seen, fake_seen = self._augmented(real), self._augmented(fake)
            real_scores = self._scores(real_seen, labels, training=True)
            fake_scores = self._scores(fake_seen, labels, training=True)
            values = formulas.discriminator(real_scores, fake_scores)
            values = one_each(values, formulas, "discriminator")
            loss = ops.mean(values) + self._penalty(real_seen, fake_seen, labels)
            loss += total(self.discriminator.losses)
            loss = weighed(self.discriminator_optimizer, loss)
            return loss, (values, real_scores, fake_scores)

        def generator_loss(fake):
            scores, real_scores = self._scores(self._augmented(fake), labels, training=True), None
            if formulas.neutral is None:
                real_scores = self._scores(self._augmented(real), labels, training=True)
            values = one_each(formulas.generator(real_scores, scores), formulas, "generator")
            return weighed(self.generator_optimizer, ops.mean(values)), values

        def wished():
            wishes, values = backends.input_gradients(generator_loss, fake)
            return pull_back([wishes, weighed(self.generator_optimizer, ops.ones(()))]), values

        def nothing():
            return [ops.zeros(w.shape, w.dtype) for w in makers], ops.zeros_like(fake[:, :1, 0, 0])

        # The generator draws pictures.
        (fake, _), _, pull_back = backends.recorded(drawn, makers)
        # The discriminator takes a step on them and the real ones.
        gradients, d_values = backends.gradients(discriminator_loss, critics)
        backends.apply(self.discriminator_optimizer, gradients, critics)
        # What do its new scores wish of these pictures? That is pulled back to the generator.
        gradients, g_values = backends.cond(turn, wished, nothing)
        backends.apply(self.generator_optimizer, gradients, makers, turn)
        steps = self.generator_optimizer.iterations
        follow(self.ema_generator, self.generator, self.ema_momentum, steps, turn)
        self._track(*d_values, g_values, turn)
        return {tracker.name: tracker.result() for tracker in self.metrics}

    @backends.in_place
    def test_step(self, data):
        """Return the losses on held-out pictures, for latents that are always the same."""
        real, labels, _ = step_batch(self, data)
        formulas = self.adversarial_loss
        fake = self._generated(ops.shape(real)[0], labels, self.seed, training=False)
        scores = [self._held_out_scores(x, labels) for x in (real, fake)]
        if self.penalty is not None:
            values = self._penalty_values(real, fake, labels, self.seed, training=False)
            self.trackers["penalty"].update_state(values)
        self._track(formulas.discriminator(*scores), *scores, formulas.generator(*scores))
        return {tracker.name: tracker.result() for tracker in self.metrics}

    @backends.unrecorded()
    def score(self, pictures, labels=None):
        """Return the discriminator's score of each picture, `(batch, 1)`: high for "real".

        A conditional GAN scores each picture as one of its label, a whole number. If the
        discriminator has batch normalisation, a score depends on the other pictures: pass real
        ones, or made ones, but no mixture, and at least two.

        Args:
            pictures: float array or tensor in [0, 1], shape `(batch, height, width, channels)`.
            labels: of a conditional GAN, one whole number for each.

        Raises:
            TypeError, ValueError: if pictures or labels are not those of this model.
        """
        return self._held_out_scores(*self._to_score(pictures, labels))

    def score_slopes(self, pictures, labels=None):
        """Return the gradient of each picture's score by its pixels: what the generator hears.

        Args:
            pictures: as in `score`.
            labels: as in `score`.

        Raises:
            TypeError, ValueError: as in `score`.
        """
        pictures, labels = self._to_score(pictures, labels)
        return backends.input_gradients(
            lambda seen: (self._held_out_scores(seen, labels), None), pictures
        )[0]

    def _to_score(self, pictures, labels):
        check_pictures(pictures, self.image_shape)
        if has_batch_norm(self.discriminator) and len(pictures) < 2:
            raise ValueError(
                "A discriminator with BatchNormalization scores pictures by each other. Received: "
                "one picture. Pass at least two, all real or all made."
            )
        labels = self._rows(self._checked_labels(labels, len(pictures)))
        return ops.convert_to_tensor(pictures), labels

    @backends.unrecorded()
    def predict_latents(self, latents, labels=None):
        """Return the averaged generator's picture of each latent vector `(batch, latent_dim)`.

        A conditional GAN draws what `labels`, one whole number for each, ask for.

        Raises:
            ValueError: if latents or labels are not those of this model.
        """
        latents = self._checked_latents(latents)
        return self._drawn(latents, self._checked_labels(labels, len(latents)))

    def call(self, inputs, training=None):
        """Return pictures of latents, or of `[latents, labels]`, as `predict_latents` does."""
        return self._drawn(*inputs) if self.num_classes else self._drawn(inputs)

    def _inputs(self):
        return self._drawn_from()

    def get_config(self):
        """Return the constructor's arguments."""
        parts = ("generator", "discriminator", "augmentation")
        return {
            **super().get_config(),
            **{part: keras.saving.serialize_keras_object(getattr(self, part)) for part in parts},
            "ema_momentum": self.ema_momentum,
        }

    def compile_arguments(self):
        """Return optimizers and loss."""
        return {
            **super().compile_arguments(),
            "loss": keras.saving.serialize_keras_object(self.adversarial_loss),
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "critic_steps": self.critic_steps,
        }

    @property
    def metrics(self):
        """The trackers that are in use."""
        unused = self.trackers["penalty"] if self.penalty is None else None
        return [metric for metric in super().metrics if metric is not unused]

    def _drawn(self, latents, labels=None):
        """Return the averaged generator's pictures."""
        latents = ops.convert_to_tensor(latents)  # Keras takes no mixture of arrays and tensors
        pictures = self.ema_generator(with_labels(latents, self._rows(labels)), training=False)
        return ops.clip(ops.cast(pictures, "float32"), 0.0, 1.0)

    def _held_out_scores(self, pictures, labels):
        # Batch normalisation has shown the discriminator batches of one kind only: to averages over
        # both kinds its scores say nothing. Nothing that it notes on the way is kept.
        kept = [(variable, variable.value) for variable in self.discriminator.variables]
        with by_batch(self.discriminator), keras.StatelessScope(kept):
            return self._scores(pictures, labels, training=False)

    def _generated(self, count, labels, seed, *, training):
        latents = keras.random.normal((count, self.latent_dim), dtype="float32", seed=seed)
        return self.generator(with_labels(latents, labels), training=training)

    def _scores(self, pictures, labels, *, training):
        return self.discriminator(with_labels(pictures, labels), training=training)

    def _augmented(self, pictures):
        if self.augmentation is None:
            return pictures
        return self.augmentation(ops.cast(pictures, "float32"), training=True)

    def _generators_turn(self):
        """Return whether this batch's step of the discriminator is one in `critic_steps`."""
        if self.critic_steps == 1:
            return True
        # The optimizers' counts are saved with them.
        steps, turns = self.discriminator_optimizer.iterations, self.generator_optimizer.iterations
        return steps + 1 >= self.critic_steps * (turns + 1)

    def _penalty(self, real, fake, labels):
        """Return the weighted penalty of a training batch, 0 if none is due, and keep its mean."""
        if self.penalty is None:
            return 0.0

        def values():
            return self._penalty_values(real, fake, labels, self.seed_generator, training=True)

        if self.penalty.every == 1:
            values, due = values(), 1.0
        else:
            due = self.discriminator_optimizer.iterations % self.penalty.every == 0
            values = backends.cond(due, values, lambda: ops.zeros_like(real[:, 0, 0, 0]))
            due = ops.cast(due, "float32")
        self.trackers["penalty"].update_state(values, sample_weight=due * ops.ones_like(values))
        return self.penalty.weight * self.penalty.every * ops.mean(values)

    def _penalty_values(self, real, fake, labels, seed, *, training):
        """Return the penalty of each picture, without its weight."""
        mix = keras.random.uniform((ops.shape(real)[0], 1, 1, 1), dtype="float32", seed=seed)
        places = self.penalty.places(real, ops.cast(fake, "float32"), mix)

        def scored(pictures):
            return self._scores(pictures, labels, training=training), None

        slopes = [backends.input_gradients(scored, pictures)[0] for pictures in places]
        return sum(self.penalty.value(ops.cast(slope, "float32")) for slope in slopes)

    def _track(self, d_values, real_scores, fake_scores, g_values, turn=True):
        neutral = self.adversarial_loss.neutral
        if neutral is None:
            right = real_scores > fake_scores  # pair by pair
        else:
            right = ops.concatenate([real_scores > neutral, fake_scores < neutral], axis=0)
        self.trackers["discriminator_loss"].update_state(d_values)
        weight = ops.cast(turn, "float32") * ops.ones_like(g_values)
        self.trackers["generator_loss"].update_state(g_values, sample_weight=weight)
        self.trackers["discriminator_accuracy"].update_state(ops.cast(right, "float32"))


def _chosen(name, given, known, kind):
    """Return an object of a kind that was given as such, or by the name of a known one."""
    if isinstance(given, kind):
        return given
    if not isinstance(given, str) or given not in known:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, known))}, or an object of "
            f"losses.{kind.__name__}. Received: {name}={checks.shown(given)}."
        )
    return known[given]
