"""`Diffusion`: a denoiser for noise of every strength, which draws pictures out of noise."""

import functools
import math

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, checks
from keras_imgen.degradations import Degradation
from keras_imgen.inference import followed, followed_to_fit, guided, in_batches, with_known
from keras_imgen.matching import as_noisy, check_level_shape, to_undo
from keras_imgen.training import (
    LatentModel,
    average_of,
    check_last_activation,
    check_network,
    checked_momentum,
    follow,
    step_batch,
    total,
    weighed,
)

TURN = math.pi / 2  # the time at which a picture is nothing but noise


@keras.saving.register_keras_serializable("keras_imgen")
class Diffusion(LatentModel):
    """Diffusion model: learns to denoise, and draws pictures out of nothing but noise.

    A picture, its pixels from -1 to 1, turns into noise as a hand of a clock turns: at time `t` it
    is `cos(t) * picture + sin(t) * noise`, from the picture at 0 to noise alone at a quarter of a
    turn. In training the time is drawn anew for each picture, and the network, which is told the
    time, learns the velocity, `cos(t) * noise - sin(t) * picture`: to know it is to know the
    picture. From noise alone it can only guess the mean of all pictures. But whoever takes a small
    step that way, and asks again, is led to one of them: `sample`. Alongside, a slow average of the
    weights is kept (EMA), which `sample` uses.

    If the network takes labels as well (`networks.diffusion_unet(..., num_classes=10)`), the model
    is conditional: it trains on pictures with labels, and `sample(n, labels=...)` draws what is
    asked for.

    Args:
        network: network from `[pictures, time]`, or `[pictures, time, labels]`, to velocities, as
            many values as a picture has, such as `networks.diffusion_unet`. The time, shape
            `(batch, 1)`, is counted from 0, the picture, to 1, noise; labels are rows of zeros with
            a one, all zeros if the label is not told.
        ema_momentum: how slowly the average follows, 0 to 0.999999. 0 switches it off.
        label_dropout: of a conditional model, the share of pictures whose label is not told in
            training, so that it draws without labels, too, and `guidance` works.
        seed: integer for what is drawn in training; by default one is drawn.

    Raises:
        TypeError, ValueError: if the network is not built, has nothing to train, or takes and
            returns something else.

    Source: Ho et al. 2020 (arXiv 2006.11239), algorithm 1; the turn and the velocity: Salimans and
        Ho 2022 (arXiv 2202.00512), appendix D; labels that are left out: Ho and Salimans 2022
        (arXiv 2207.12598), algorithm 1.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import Diffusion, networks
        >>> model = Diffusion(networks.diffusion_unet((8, 8, 1), filters=(4, 8)), seed=0)
        >>> model.compile()
        >>> history = model.fit(np.random.rand(64, 8, 8, 1), epochs=1, verbose=0)
        >>> model.sample(3, seed=0, steps=4).shape
        (3, 8, 8, 1)
    """

    default_rate = 2e-3
    _instead_of_predict = "For new pictures call sample(n), which draws the latents."

    def __init__(
        self, network, *, ema_momentum: float = 0.999, label_dropout: float = 0.1, **kwargs
    ):
        super().__init__(**kwargs)
        check_network("Diffusion", "network", network)
        self.num_classes = _classes_of(network)
        bounded = ("sigmoid", "tanh", "relu", "softmax")
        check_last_activation("network", network, bounded, "Velocities are any numbers: use none.")
        self.ema_momentum = checked_momentum(ema_momentum)
        advice = "It is the share of labels that are not told. Usual: 0.1."
        self.label_dropout = checks.number("label_dropout", label_dropout, 0.0, 0.9, advice)
        self.network = network
        self.latent_dim = math.prod(self.image_shape)
        self.ema_network = average_of(network)
        self.loss_tracker = keras.metrics.Mean("loss", "float32")
        self.built = True

    @property
    def image_shape(self):
        """Shape `(height, width, channels)` of the pictures."""
        return self.network.inputs[0].shape[1:]

    def compile(self, optimizer=None, **kwargs):
        """Choose the optimizer.

        Args:
            optimizer: by default Adam with learning rate 2e-3.
            **kwargs: as in Keras: `run_eagerly`, `jit_compile`, `steps_per_execution`.

        Raises:
            TypeError, ValueError: for an optimizer that is none, and for a loss: it is fixed.
        """
        self._refuse_others(kwargs)
        super().compile(optimizer, **kwargs)
        self._loss_tracker = None  # Keras's own, of a loss that it would compute

    @backends.in_place
    def train_step(self, data):
        """Take a step: learn the velocities of pictures at times drawn anew."""
        clean, labels, _ = step_batch(self, data)
        weights = self.network.trainable_variables

        def loss():
            values = self._errors(clean, self._told(labels), training=True)
            return weighed(self.optimizer, ops.mean(values) + total(self.network.losses)), values

        gradients, values = backends.gradients(loss, weights)
        backends.apply(self.optimizer, gradients, weights)
        follow(self.ema_network, self.network, self.ema_momentum, self.optimizer.iterations)
        self.loss_tracker.update_state(values)
        return {tracker.name: tracker.result() for tracker in self.metrics}

    @backends.in_place
    def test_step(self, data):
        """Return the loss on held-out pictures, with noise that is always the same."""
        clean, labels, _ = step_batch(self, data)
        self.loss_tracker.update_state(self._errors(clean, labels, training=False))
        return {tracker.name: tracker.result() for tracker in self.metrics}

    def call(self, inputs, training=None):
        """Return pictures of latents, or of `[latents, labels]`, as `predict_latents` does."""
        return self._drawn(*inputs) if self.num_classes else self._drawn(inputs)

    def denoise(self, x, level, labels=None):
        """Return denoised pictures as they come out of the network, not clipped.

        Args:
            x: float tensor or array, shape `(batch, height, width, channels)`, of any range.
            level: standard deviation of the noise, as a share of 1: a number, or one for each
                picture, more than 0.
            labels: of a conditional model, one whole number for all, or one for each; None if they
                are not known.

        Returns:
            float32 tensor, same shape.

        Raises:
            TypeError, ValueError: if something is not as it should be.
        """
        x, level = as_noisy(x, self.image_shape), ops.cast(level, "float32")
        check_level_shape(level, x.shape[0])
        level = backends.check(ops.all(level > 0.0), "`level` must be more than 0.", level)
        rows = self._told_rows(labels, x.shape[0])
        # From -1 to 1 the noise is twice as strong; turned, both together have the length 1.
        time = ops.arctan(2.0 * ops.reshape(level, (-1, 1, 1, 1)))
        turned = ops.cos(time) * (2.0 * x - 1.0)
        velocity = _velocity(self.ema_network, turned, time, *rows)
        return 0.5 + 0.5 * (ops.cos(time) * turned - ops.sin(time) * velocity)

    def sample(
        self,
        n: int,
        labels=None,
        seed: int | None = None,
        *,
        steps: int = 18,
        guidance: float = 1.0,
    ):
        """Draw new pictures: denoise noise in so many steps.

        Args:
            n: how many, at least 1.
            labels: of a conditional model, what to draw: one whole number for all, or `n` of them.
                By default each class in turn.
            seed: integer; the same seed gives the same pictures.
            steps: how many; each asks the network twice, the last one once.
            guidance: of a conditional model, by how much the label counts: 1 as it was learned,
                more for pictures that are more typical of it and less varied, 0 to leave it out.

        Returns:
            float32 array in [0, 1], shape `(n, height, width, channels)`.

        Raises:
            TypeError, ValueError: if something is not as it should be.

        Source: Karras et al. 2022 (arXiv 2206.00364), algorithm 1; guidance: Ho and Salimans 2022
            (arXiv 2207.12598), equation 6.
        """
        n, labels, seed = self._checked_draw(n, labels, seed)
        latents = keras.random.normal((n, self.latent_dim), dtype="float32", seed=seed)
        how = {"steps": steps, "guidance": guidance}
        return in_batches(functools.partial(self.predict_latents, **how), latents, *labels)

    @backends.unrecorded()
    def predict_latents(self, latents, labels=None, *, steps: int = 18, guidance: float = 1.0):
        """Return the picture of each latent vector `(batch, latent_dim)`, the noise to begin with.

        The way from noise to picture draws nothing: noise that is alike becomes pictures that are
        alike.

        Args:
            latents: normally distributed numbers, one for each value of a picture.
            labels: of a conditional model, one whole number for each.
            steps: as in `sample`.
            guidance: as in `sample`.

        Raises:
            TypeError, ValueError: if something is not as it should be.
        """
        latents = self._checked_latents(latents)
        labels = self._checked_labels(labels, len(latents))
        steps = checks.whole_number("steps", steps, 1, "Usual: 18.")
        guidance = checks.number("guidance", guidance, 0.0, 100.0, "Usual: 1 to 3.")
        if guidance != 1.0 and not (self.num_classes and self.label_dropout):
            raise ValueError(
                "`guidance` is for conditional models that have learned without labels, too. "
                f"Received: guidance={guidance:g} for one of {self.num_classes} classes, with "
                f"label_dropout={self.label_dropout:g}. Leave it out."
            )
        return self._drawn(latents, labels, steps, guidance, self._average)

    def undo(
        self,
        observed,
        degradation: Degradation | None = None,
        *,
        known=None,
        labels=None,
        seed: int | None = None,
        steps: int = 50,
    ):
        """Undo a known degradation: draw pictures that, degraded, are the observed ones.

        Where these leave it open what the picture was, another seed draws another one. To see
        several answers at once, pass `np.repeat(observed, 8, axis=0)`. `denoise` is nearer to the
        truth of pictures with noise alone, but softer: the mean of all that may be behind it.

        Args:
            observed: as in `Restorer.undo`.
            degradation: as in `Restorer.undo`.
            known: as in `Restorer.undo`.
            labels: of a conditional model, one whole number for all, or one for each; None if they
                are not known.
            seed: integer; the same seed gives the same answers.
            steps: how many.

        Returns:
            float32 array in [0, 1], `(n, height, width, channels)`.

        Raises:
            TypeError, ValueError: as in `Restorer.undo`.

        Source: Zhu et al. 2023 (arXiv 2305.08995), algorithm 1; the width of what is still open:
            Song et al. 2023 (Pseudoinverse-guided diffusion models, ICLR).

        Example:
            >>> import numpy as np
            >>> from keras_imgen import Diffusion, networks
            >>> model = Diffusion(networks.diffusion_unet((8, 8, 1), filters=(4, 8)), seed=0)
            >>> upper = np.ones((2, 8, 8, 1), "float32")
            >>> upper[:, 4:] = 0.0
            >>> model.undo(0.5 * upper, known=upper, steps=3)[:, :4].mean()
            np.float32(0.5)
        """
        observed, operator = to_undo(self.image_shape, observed, degradation, known)
        steps = checks.whole_number("steps", steps, 1, "Usual: 20 to 100.")
        rows = self._told_rows(labels, len(observed))
        seeds = backends.SeedGenerator(checks.seed_or_new(seed))

        def draw():
            return keras.random.normal(observed.shape, dtype="float32", seed=seeds)

        answer = followed_to_fit(
            lambda x, time: _velocity(self._average, x, time, *rows),
            *(operator, observed, draw(), np.linspace(TURN, 0.0, steps + 1).tolist(), draw),
        )
        answer = ops.convert_to_numpy(ops.clip(answer, 0.0, 1.0))
        return with_known(answer, observed, operator)

    def _drawn(self, latents, labels=None, steps=18, guidance=1.0, network=None):
        velocity = functools.partial(_velocity, network or self.ema_network)
        noise = ops.reshape(ops.cast(latents, "float32"), (-1, *self.image_shape))
        rows = [] if labels is None else [self._rows(labels)]
        times = np.linspace(TURN, 0.0, steps + 1).tolist()
        x = followed(lambda x, time: guided(velocity, x, time, rows, guidance), noise, times)
        return ops.clip(0.5 + 0.5 * x, 0.0, 1.0)

    def _average(self, inputs):
        """Return what the average says, compiled by Keras, a few pictures at a time."""
        network = self.ema_network
        return in_batches(lambda *part: network.predict_on_batch(list(part)), *inputs)

    def _errors(self, clean, labels, *, training):
        """Return the mean squared error of each picture's velocity, at a time that is drawn."""
        count = ops.shape(clean)[0]
        # Evenly spread over the turn, and shuffled, times vary less than drawn ones.
        share = (ops.arange(count, dtype="float32") + 0.5) / ops.cast(count, "float32")
        seed = self.seed
        if training:
            seed = self.seed_generator
            shift = keras.random.uniform((), -0.5, 0.5, dtype="float32", seed=seed)
            share = keras.random.shuffle(share + shift / ops.cast(count, "float32"), seed=seed)
        time = TURN * ops.reshape(share, (-1, 1, 1, 1))
        noise = keras.random.normal(ops.shape(clean), dtype="float32", seed=seed)
        picture = 2.0 * clean - 1.0
        x = ops.cos(time) * picture + ops.sin(time) * noise
        velocity = ops.cos(time) * noise - ops.sin(time) * picture
        rows = [] if labels is None else [labels]
        found = _velocity(functools.partial(self.network, training=training), x, time, *rows)
        return ops.mean(ops.square(found - velocity), axis=(1, 2, 3))

    def _told(self, labels):
        """Return rows of labels, some of them left out."""
        if labels is None or not self.label_dropout:
            return labels
        shape = (ops.shape(labels)[0], 1)
        share = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        return labels * ops.cast(share >= self.label_dropout, labels.dtype)

    def _told_rows(self, labels, count):
        """Return a list with the rows of labels, of zeros if none are told; empty without any."""
        if self.num_classes and labels is None:
            return [ops.zeros((count, self.num_classes), "float32")]
        return [self._rows(each) for each in self._labels_to_draw(count, labels)]

    def _inputs(self):
        return self._drawn_from()

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "ema_momentum": self.ema_momentum,
            "label_dropout": self.label_dropout,
        }

    def compile_arguments(self):
        """Return the optimizer."""
        return {"optimizer": keras.saving.serialize_keras_object(self.optimizer)}


def _velocity(network, x, time, *rows):
    """Return what a network says to pictures at a time, one for all or one for each."""
    time = ops.reshape(ops.cast(time, "float32") / TURN, (-1, 1))
    time = ops.broadcast_to(time, (ops.shape(x)[0], 1))
    return ops.cast(network([x, time, *rows]), "float32")


def _classes_of(network) -> int:
    """Return how many classes a network tells apart, or raise if it is none for noisy pictures."""
    taken, made = [tuple(x.shape) for x in network.inputs], network.output_shape
    fits = (
        len(taken) in (2, 3)
        and len(taken[0]) == 4
        and None not in taken[0][1:]
        and made == taken[0]
        and taken[1] == (None, 1)
        and (len(taken) < 3 or (len(taken[2]) == 2 and (taken[2][1] or 0) > 1))
    )
    if not fits:
        raise ValueError(
            "`network` must take pictures of fixed sides, a time (batch, 1) and, of a conditional "
            "model, rows of labels (batch, num_classes), in this order, and return pictures. "
            f"Received: {network.name!r}, from {taken} to {made}. networks.diffusion_unet builds "
            "one."
        )
    return taken[2][1] if len(taken) == 3 else 0
