"""`Autoencoder`, the base of `VAE`: two networks, a prior, and the averages of their weights."""

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, losses
from keras_imgen.checks import whole_number
from keras_imgen.data import check_pictures
from keras_imgen.inference import in_batches, on_arc, on_line
from keras_imgen.training.architectures import (
    check_last_activation,
    check_network,
    network_inputs,
    with_labels,
)
from keras_imgen.training.averages import average_of, checked_momentum, follow
from keras_imgen.training.latent import LatentModel


class Autoencoder(LatentModel):
    """Base of `VAE`: pictures become latents and come back, by the averages of both networks.

    Args:
        encoder: as for `VAE`, like the next three.
        decoder: network back.
        prior: what makes latents of standard normal numbers, or None.
        ema_momentum: how slowly the averages follow.
        seed: as for `PictureModel`.
    """

    def __init__(self, encoder, decoder, prior=None, *, ema_momentum: float, **kwargs):
        super().__init__(**kwargs)
        check_network(type(self).__name__, "encoder", encoder)
        check_network(type(self).__name__, "decoder", decoder)
        self.latent_dim, self.num_classes = _checked_pair(encoder, decoder)
        _check_prior(prior, self.latent_dim)
        self.encoder, self.decoder, self.prior = encoder, decoder, prior
        self.decodes_logits = _decodes_logits(decoder)
        self.ema_momentum = checked_momentum(ema_momentum)
        self.averages = [average_of(part) for part in self._parts() if self.ema_momentum]

    @property
    def image_shape(self):
        """Shape `(height, width, channels)` of the pictures."""
        return self.encoder.inputs[0].shape[1:]

    def prepared(self, batch, training):
        """Return pictures, and behind them rows of labels if there are classes."""
        return (with_labels(batch.clean, batch.labels),)

    def follow(self):
        """Move the averages, after a step."""
        for average, part in zip(self.averages, self._parts(), strict=False):
            follow(average, part, self.ema_momentum, self.optimizer.iterations)

    def _parts(self):
        return [part for part in (self.encoder, self.decoder, self.prior) if part is not None]

    def _networks(self, training=False):
        """Return encoder, decoder and prior, those that learn or their averages."""
        parts = self._parts() if training or not self.averages else self.averages
        return (*parts, None)[:3]

    def _pictures(self, decoded):
        """Return pictures in [0, 1] for what the decoder returns."""
        decoded = decoded[0] if isinstance(decoded, list | tuple) else decoded
        decoded = ops.cast(decoded, "float32")
        if not self.decodes_logits:
            return ops.clip(decoded, 0.0, 1.0)
        likelihood = getattr(self, "loss", None)
        mean = likelihood.mean if isinstance(likelihood, losses.Likelihood) else ops.sigmoid
        return mean(decoded)

    def predict(self, x, **kwargs):
        """Return `(reconstructions, mean, log_variance)` of pictures, as arrays; as in Keras."""
        decoded, mean, log_variance = super().predict(x, **kwargs)
        return ops.convert_to_numpy(self._pictures(decoded)), mean, log_variance

    @backends.unrecorded()
    def predict_latents(self, latents, labels=None):
        """Return the picture of each latent vector `(batch, latent_dim)`, drawn as for `sample`.

        With the default prior that is `decode`. A prior that is learned first makes latents of the
        standard normal numbers that are passed.

        Raises:
            ValueError: if latents or labels are not those of this model.
        """
        latents = self._checked_latents(latents)
        return self._drawn(latents, self._checked_labels(labels, len(latents)))

    def _drawn(self, latents, labels=None):
        prior = self._networks()[-1]
        return self._decoded(latents if prior is None else prior(latents), self._rows(labels))

    def _decoded(self, latents, rows=None):
        decoder = self._networks()[1]
        latents = ops.convert_to_tensor(latents)  # Keras takes no mixture of arrays and tensors
        return self._pictures(decoder(with_labels(latents, rows), training=False))

    def encode(self, pictures, labels=None):
        """Return middle and log-variance of each picture's cloud: two arrays `(n, latent_dim)`.

        Args:
            pictures: float array in [0, 1], shape `(n, height, width, channels)`.
            labels: of a conditional VAE, one whole number for all, or one for each.

        Raises:
            TypeError, ValueError: if pictures or labels are not those of this model.
        """
        check_pictures(pictures, self.image_shape)
        encoder = self._networks()[0]

        def encoded(part, *labels):
            rows = self._rows(*labels) if labels else None
            part = ops.cast(part, "float32")
            return ops.concatenate(encoder(with_labels(part, rows), training=False), axis=-1)

        labels = self._checked_labels(labels, len(pictures))
        both = in_batches(encoded, pictures, *([] if labels is None else [labels]))
        return both[:, : self.latent_dim], both[:, self.latent_dim :]

    def decode(self, latents, labels=None) -> np.ndarray:
        """Return the picture of each latent vector `(n, latent_dim)`, such as `encode` returns.

        Args:
            latents: float array.
            labels: of a conditional VAE, one whole number for all, or one for each.

        Returns:
            float32 array in [0, 1], `(n, height, width, channels)`.

        Raises:
            ValueError: if latents or labels are not those of this model.
        """
        latents = self._checked_latents(latents)
        labels = self._checked_labels(labels, len(latents))
        return in_batches(self._decoded, latents, *([] if labels is None else [self._rows(labels)]))

    def reconstruct(self, pictures, labels=None):
        """Return each picture as it comes back from the middle of its cloud.

        Args:
            pictures: float array in [0, 1], shape `(n, height, width, channels)`.
            labels: of a conditional VAE, one whole number for all, or one for each.

        Returns:
            float32 array in [0, 1], same shape.

        Raises:
            TypeError, ValueError: if pictures or labels are not those of this model.
        """
        return self.decode(self.encode(pictures, labels)[0], labels)

    def log_prior(self, latents, training: bool = False):
        """Return the logarithm of the density of latents before a picture is seen.

        Args:
            latents: float tensor or array, shape `(n, latent_dim)`.
            training: whether by the prior that learns, in place of its average.

        Returns:
            One value for each vector, shape `(n,)`, in nats.
        """
        prior = self._networks(training)[-1]
        return losses.log_normal(latents) if prior is None else prior.log_prob(latents)

    def interpolate(
        self,
        first,
        second,
        steps: int = 8,
        *,
        labels=None,
        second_labels=None,
        along: str = "arc",
    ):
        """Return the pictures on the way from one picture to another.

        From one label to another the rows of labels that the decoder takes are mixed in equal
        steps, whichever way the latents go: half way a half of each, which no training shows.

        Args:
            first: float array in [0, 1], shape `(n, height, width, channels)`.
            second: same shape.
            steps: pictures of each way, both ends among them, at least 2.
            labels: of a conditional VAE, one whole number for all, or one for each pair.
            second_labels: those of the second pictures; by default `labels`.
            along: `"arc"`, about the origin, or `"line"`.

        Returns:
            float32 array in [0, 1], shape `(n, steps, height, width, channels)`.

        Raises:
            TypeError, ValueError: if pictures or labels are not those of this model.
        """
        steps = whole_number("steps", steps, 2, "Both ends count.")
        if along not in ("arc", "line"):
            raise ValueError(f'`along` must be "arc" or "line". Received: along={along!r}.')
        labels = labels, labels if second_labels is None else second_labels
        ends = [self.encode(*end)[0] for end in zip((first, second), labels, strict=True)]
        if len(first) != len(second):
            raise ValueError(
                "Every way leads from one picture to another. Received: "
                f"{len(first)} and {len(second)} pictures."
            )

        def ways(between, *ends):
            return np.concatenate([between(*pair, steps) for pair in zip(*ends, strict=True)])

        told = []
        if self.num_classes:
            rows = [self._rows(self._checked_labels(each, len(first))) for each in labels]
            told = [ops.convert_to_tensor(ways(on_line, *map(ops.convert_to_numpy, rows)))]
        latents = ways(on_arc if along == "arc" else on_line, *ends)
        pictures = in_batches(self._decoded, latents, *told)
        return pictures.reshape(len(first), steps, *self.image_shape)

    def get_config(self):
        """Return the constructor's arguments."""
        parts = ("encoder", "decoder", "prior")
        return {
            **super().get_config(),
            **{part: keras.saving.serialize_keras_object(getattr(self, part)) for part in parts},
            "ema_momentum": self.ema_momentum,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuild the model; before format 4 there were no averages."""
        if config.get("format", 0) in range(4):
            config = {"ema_momentum": 0.0, **config}
        return super().from_config(config)


def _checked_pair(encoder, decoder):
    """Return the number of latents and of classes, or raise if two networks do not fit."""
    outputs, (taken, classes) = encoder.output_shape, network_inputs(encoder)
    (latents, told), made = network_inputs(decoder), [tuple(x.shape) for x in decoder.outputs]
    if not isinstance(outputs, list | tuple) or len(outputs) != 2 or outputs[0] != outputs[1]:
        raise ValueError(
            "`encoder` must return two outputs of shape (batch, latent_dim): mean and "
            f"log-variance. Received: a network that returns {outputs}."
        )
    if tuple(outputs[0]) != latents:
        raise ValueError(
            "The decoder must take the latents that the encoder makes. "
            f"Received: an encoder of {outputs[0]} and a decoder of {latents}. "
            "Build both with the same `latent_dim`."
        )
    if classes != told:
        raise ValueError(
            "Encoder and decoder must know the same classes. Received: an encoder of "
            f"{classes} classes and a decoder of {told}. Build both with the same `num_classes`."
        )
    if made[0][1:] != taken[1:]:
        raise ValueError(
            "The decoder must make pictures like those that the encoder takes. "
            f"Received: an encoder of {taken[1:]} and a decoder of {made[0][1:]}. "
            "Build both with the same `image_shape`."
        )
    logits = _decodes_logits(decoder)
    if made[1:] and (made[1:] != made[:1] or not logits):
        raise ValueError(
            "A decoder returns logits, or logits and a log-variance for each value of a picture, "
            'its first output being named "logits". Received: a network whose outputs '
            f"{decoder.output_names} have the shapes {made}."
        )
    if logits:
        advice = 'Logits have none: leave it out, or call the output other than "logits".'
        check_last_activation("decoder", decoder, ("tanh", "sigmoid"), advice)
    else:
        advice = "Pictures lie in [0, 1]: end with a sigmoid."
        check_last_activation("decoder", decoder, ("tanh",), advice)
    return latents[-1], classes


def _check_prior(prior, latent_dim):
    if prior is None:
        return
    if not isinstance(prior, keras.Layer) or not callable(getattr(prior, "log_prob", None)):
        raise TypeError(
            "`prior` must be a layer that makes latents of standard normal numbers and has a "
            "`log_prob(latents)`, such as networks.FlowPrior(latent_dim). "
            f"Received: {prior!r}."
        )
    if getattr(prior, "latent_dim", latent_dim) != latent_dim:
        raise ValueError(
            "The prior must be one of the latents that the encoder makes. Received: a prior of "
            f"{prior.latent_dim} latents and an encoder of {latent_dim}."
        )


def _decodes_logits(decoder):
    names = getattr(decoder, "output_names", None) or [decoder.layers[-1].name]
    return names[0] == "logits"
