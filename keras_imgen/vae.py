"""`VAE`: an encoder that turns pictures into a few numbers, a decoder that turns them back."""

import keras
from keras import ops

from keras_imgen import backends, losses
from keras_imgen.checks import number
from keras_imgen.data import check_pictures
from keras_imgen.inference import in_batches
from keras_imgen.search import Search
from keras_imgen.training import (
    LatentModel,
    check_last_activation,
    check_network,
)


@keras.saving.register_keras_serializable("keras_imgen")
class VAE(Search, LatentModel):
    """Variational autoencoder: reconstruction plus KL divergence.

    The encoder describes each picture by a small Gaussian cloud in the space of latents, the
    decoder draws a picture from a point of it. The KL divergence keeps all clouds together near the
    origin, so that a point drawn there at random decodes to a new picture.

    The loss of one picture is `reconstruction_loss + kl_weight * kl_loss`, both in nats and logged:
    at `kl_weight=1` it bounds the negative log-likelihood from above (the negative ELBO), if the
    reconstruction is judged by a likelihood; of grey pictures `"bernoulli"` is none.

    Args:
        encoder: network from pictures to two outputs `(batch, latent_dim)`, mean and log-variance.
        decoder: network from latents `(batch, latent_dim)` to logits, if its output is named
            "logits" as that of `networks.vae_decoder`, else to pictures in [0, 1].
        kl_weight: weight of the KL divergence, 0 or more; beta in beta-VAE.
        seed: integer for the draws in training; by default one is drawn.

    Raises:
        TypeError, ValueError: if a network is not built, has nothing to train, or the two do not
            fit together.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), equation 10; the weight: Higgins et al. 2017
        (beta-VAE, ICLR), equation 4.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import VAE, networks
        >>> vae = VAE(
        ...     networks.vae_encoder((8, 8, 1), latent_dim=2, filters=4),
        ...     networks.vae_decoder((8, 8, 1), latent_dim=2, filters=4),
        ...     seed=0,
        ... )
        >>> vae.compile()
        >>> history = vae.fit(np.random.rand(64, 8, 8, 1), epochs=1, verbose=0)
        >>> sorted(history.history)
        ['kl_loss', 'loss', 'reconstruction_loss']
    """

    default_rate = 3e-3
    _directions = dict.fromkeys(("loss", "reconstruction_loss", "kl_loss"), "min")
    _instead_of_predict = "For new pictures call sample(n), of given latents predict_latents."

    def __init__(self, encoder, decoder, *, kl_weight: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        check_network("VAE", "encoder", encoder)
        check_network("VAE", "decoder", decoder)
        _check_pair(encoder, decoder)
        self.encoder = encoder
        self.decoder = decoder
        self.decodes_logits = _decodes_logits(decoder)
        self.kl_weight = number("kl_weight", kl_weight, 0.0, advice="Usual: 1.")
        self.latent_dim = decoder.input_shape[-1]
        self.reconstruction_tracker = keras.metrics.Mean("reconstruction_loss", "float32")
        self.kl_tracker = keras.metrics.Mean("kl_loss", "float32")
        self.built = True

    @property
    def image_shape(self):
        """Shape `(height, width, channels)` of the pictures."""
        return self.encoder.input_shape[1:]

    def compile(self, optimizer=None, loss="bernoulli", **kwargs):
        """Choose the optimizer and how reconstructions are judged.

        Args:
            optimizer: by default Adam with learning rate 3e-3.
            loss: an object such as `losses.Gaussian(sigma=0.05)`, the name of one, `"bernoulli"`
                (near black-and-white pictures) or `"gaussian"` (photographs), or a function
                `(pictures, reconstructions) -> one value per picture`, registered with
                `keras.saving.register_keras_serializable` if the model is to be saved.
            **kwargs: as in Keras: `run_eagerly`, `jit_compile`, `steps_per_execution`.

        Raises:
            TypeError, ValueError: for an unknown loss, or an optimizer that is none.
        """
        self._refuse_others(kwargs)
        known = isinstance(loss, str) and loss in losses.LIKELIHOODS
        given = isinstance(loss, losses.Likelihood) or callable(loss)
        if not known and (not given or isinstance(loss, type)):
            raise ValueError(
                f"`loss` must be one of {', '.join(map(repr, losses.LIKELIHOODS))}, an object of "
                "`losses.Likelihood`, or a function of pictures and reconstructions. Received: "
                f"loss={loss!r}."
            )
        super().compile(optimizer, **kwargs)
        self.loss = losses.LIKELIHOODS[loss] if known else loss

    def call(self, pictures, training=None):
        """Return `(decoded, mean, log_variance)`, each decoded from a point of its cloud.

        `decoded` is what the decoder returns: logits, or pictures. In training every draw is new.
        Otherwise it repeats from batch to batch, so that validation curves compare; `reconstruct`
        takes the middles of the clouds and draws nothing.
        """
        mean, log_variance = self.encoder(pictures, training=training)
        seed = self.seed_generator if training else self.seed
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)
        # The reparameterisation trick: a draw through which gradients flow.
        latents = mean + ops.exp(0.5 * log_variance) * noise
        return self.decoder(latents, training=training), mean, log_variance

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the mean over the batch of reconstruction plus weighted KL."""
        decoded, mean, log_variance = y_pred
        reconstruction = self._cost(x, decoded)
        if len(reconstruction.shape) != 1:
            raise ValueError(
                "The loss of a VAE must return one value per picture, shape (batch,). Received: "
                f"shape={tuple(reconstruction.shape)}. Sum it over pixels, as in "
                "keras_imgen.losses.bernoulli_nll; Keras's own losses average."
            )
        kl = losses.kl_divergence(mean, log_variance)
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)
        penalty = sum(self.losses)  # of weights, if layers have regularizers
        return backends.share(ops.mean(reconstruction + self.kl_weight * kl) + penalty)

    def predict(self, x, **kwargs):
        """Return `(reconstructions, mean, log_variance)` of pictures, as arrays; as in Keras."""
        decoded, mean, log_variance = super().predict(x, **kwargs)
        return ops.convert_to_numpy(self._pictures(decoded)), mean, log_variance

    def predict_latents(self, latents):
        """Return the picture of each latent vector `(batch, latent_dim)`.

        Raises:
            ValueError: if the latents are not those of this model.
        """
        return self._drawn(self._checked_latents(latents))

    def _drawn(self, latents):
        return self._pictures(self.decoder(latents, training=False))

    def _pictures(self, decoded):
        """Return pictures in [0, 1] for what the decoder returns."""
        decoded = ops.cast(decoded, "float32")
        return ops.sigmoid(decoded) if self.decodes_logits else ops.clip(decoded, 0.0, 1.0)

    def _cost(self, pictures, decoded):
        """Return what each reconstruction costs."""
        likelihood = isinstance(self.loss, losses.Likelihood)
        if likelihood and self.decodes_logits:
            return self.loss.nll(pictures, decoded)
        means = ops.sigmoid(decoded) if self.decodes_logits else decoded
        return (self.loss.nll_of_mean if likelihood else self.loss)(pictures, means)

    def reconstruct(self, pictures):
        """Return each picture as it comes back from its mean latents.

        Args:
            pictures: float array in [0, 1], shape `(n, height, width, channels)`.

        Returns:
            float32 array in [0, 1], same shape.

        Raises:
            TypeError, ValueError: if the pictures are not in this package's format.
        """
        check_pictures(pictures, self.image_shape)

        def through(part):
            mean, _ = self.encoder(ops.cast(part, "float32"), training=False)
            return self.predict_latents(mean)

        return in_batches(through, pictures)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "kl_weight": self.kl_weight,
        }

    def compile_arguments(self):
        """Return optimizer and loss."""
        given = {"optimizer": self.optimizer, "loss": self.loss}
        return {k: keras.saving.serialize_keras_object(v) for k, v in given.items()}


def _check_pair(encoder, decoder):
    outputs = encoder.output_shape
    latents, made = decoder.input_shape, decoder.output_shape
    if not isinstance(outputs, list | tuple) or len(outputs) != 2 or outputs[0] != outputs[1]:
        raise ValueError(
            "`encoder` must return two outputs of shape (batch, latent_dim): mean and "
            f"log-variance. Received: a network that returns {outputs}."
        )
    if tuple(outputs[0]) != tuple(latents):
        raise ValueError(
            "The decoder must take the latents that the encoder makes. "
            f"Received: an encoder of {outputs[0]} and a decoder of {latents}. "
            "Build both with the same `latent_dim`."
        )
    if made[1:] != encoder.input_shape[1:]:
        raise ValueError(
            "The decoder must make pictures like those that the encoder takes. "
            f"Received: an encoder of {encoder.input_shape[1:]} and a decoder of {made[1:]}. "
            "Build both with the same `image_shape`."
        )
    if _decodes_logits(decoder):
        advice = 'Logits have none: leave it out, or call the output other than "logits".'
        check_last_activation("decoder", decoder, ("tanh", "sigmoid"), advice)
    else:
        advice = "Pictures lie in [0, 1]: end with a sigmoid."
        check_last_activation("decoder", decoder, ("tanh",), advice)


def _decodes_logits(decoder):
    names = getattr(decoder, "output_names", None) or [decoder.layers[-1].name]
    return names == ["logits"]
