"""`VAE`: an encoder that turns pictures into a few numbers, a decoder that turns them back."""

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, losses
from keras_imgen.checks import number, seed_or_new, whole_number
from keras_imgen.inference import mean_of_samples
from keras_imgen.search import Search
from keras_imgen.training import Autoencoder, step_batch, total, weighed, with_labels


@keras.saving.register_keras_serializable("keras_imgen")
class VAE(Search, Autoencoder):
    """Variational autoencoder: reconstruction plus KL divergence.

    The encoder describes each picture by a small Gaussian cloud in the space of latents, the
    decoder draws a picture from a point of it. The KL divergence keeps all clouds together where
    the prior is, so that a point drawn there at random decodes to a new picture. Alongside, a slow
    average of all weights is kept (EMA): with it the model draws, describes and is measured.

    The loss of one picture is `reconstruction_loss + kl_weight * kl_loss`, both in nats and logged:
    at `kl_weight=1` it bounds the negative log-likelihood from above (the negative ELBO), if the
    reconstruction is judged by a likelihood; of grey pictures `"bernoulli"` is none.

    If encoder and decoder take labels as well (`networks.vae_encoder(..., num_classes=10)`), the
    model is conditional: it trains on pictures with labels, `sample(n, labels=...)` draws what is
    asked for, and the latents describe the rest, such as slant and thickness.

    Args:
        encoder: network from pictures to two outputs `(batch, latent_dim)`, mean and log-variance;
            of a conditional VAE from pictures and rows of labels `(batch, num_classes)`.
        decoder: network from latents `(batch, latent_dim)` to logits, if its first output is named
            "logits" as that of `networks.vae_decoder`, else to pictures in [0, 1]; of a conditional
            VAE from latents and rows of labels. A second output, behind logits, is a log-variance.
        prior: where latents lie before a picture is seen, such as `networks.FlowPrior`, which is
            learned; by default the standard normal distribution.
        kl_weight: weight of the KL divergence, 0 or more; beta in beta-VAE. The attribute can be
            changed during the training, also by a callback, and is saved.
        kl_warm_up: over how many steps the weight rises from 0, so that the latents are in use
            before they must pay. Held-out figures know no warm-up.
        free_bits: nats that each latent may cost for nothing in training, on average over a batch,
            against latents that say nothing; for the default prior and one sample.
        num_importance_samples: points drawn from each cloud; with more than one the loss is the
            tighter bound of an importance weighted autoencoder (IWAE), less than the sum of its
            logged parts.
        ema_momentum: how slowly the average follows, 0 to 0.999999. 0 switches it off.
        seed: integer for the draws in training; by default one is drawn.

    Raises:
        TypeError, ValueError: if a network is not built, has nothing to train, or they do not fit
            together.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), equation 10; the weight: Higgins et al. 2017
        (beta-VAE, ICLR), equation 4; warm-up: Bowman et al. 2016 (arXiv 1511.06349), section 3.1;
        free bits: Kingma et al. 2016 (arXiv 1606.04934), equation 15; several samples: Burda et al.
        2016 (arXiv 1509.00519), equation 8; labels: Sohn et al. 2015 (NeurIPS), equation 4, with a
        prior that does not know them.

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

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        *,
        kl_weight: float = 1.0,
        kl_warm_up: int = 0,
        free_bits: float = 0.0,
        num_importance_samples: int = 1,
        ema_momentum: float = 0.999,
        **kwargs,
    ):
        super().__init__(encoder, decoder, prior, ema_momentum=ema_momentum, **kwargs)
        self.kl_variable = keras.Variable(1.0, dtype="float32", trainable=False, name="kl_weight")
        self.kl_weight = kl_weight
        self._weight_loaded = True
        self.kl_warm_up = whole_number("kl_warm_up", kl_warm_up, 0, "It counts steps; 0: none.")
        self.free_bits = number("free_bits", free_bits, 0.0, advice="In nats. Usual: 0 to 0.5.")
        self.num_importance_samples = whole_number(
            "num_importance_samples", num_importance_samples, 1, "Usual: 1; of an IWAE 5 to 50."
        )
        if self.free_bits and (prior is not None or num_importance_samples > 1):
            raise ValueError(
                "`free_bits` needs the KL divergence of each latent, which is known for the "
                f"default prior and one sample. Received: prior={prior!r}, "
                f"num_importance_samples={num_importance_samples}. Use kl_warm_up in its place."
            )
        self.reconstruction_tracker = keras.metrics.Mean("reconstruction_loss", "float32")
        self.kl_tracker = keras.metrics.Mean("kl_loss", "float32")
        self.built = True

    @property
    def kl_weight(self) -> float:
        """Weight of the KL divergence, without warm-up."""
        return float(str(ops.convert_to_numpy(self.kl_variable)))  # as short as it was given

    @kl_weight.setter
    def kl_weight(self, value):
        self.kl_variable.assign(number("kl_weight", value, 0.0, advice="Usual: 1."))

    def compile(self, optimizer=None, loss="bernoulli", **kwargs):
        """Choose the optimizer and how reconstructions are judged.

        Args:
            optimizer: by default Adam with learning rate 3e-3.
            loss: an object such as `losses.Gaussian(sigma=0.05)`, the name of one, `"bernoulli"`
                (pictures in black and white), `"continuous_bernoulli"` (shades of grey) or
                `"gaussian"` (photographs), or a function
                `(pictures, reconstructions) -> one value per picture`, registered with
                `keras.saving.register_keras_serializable` if the model is to be saved.
            **kwargs: as in Keras: `run_eagerly`, `jit_compile`, `steps_per_execution`.

        Raises:
            TypeError, ValueError: for an unknown loss, one that does not fit the decoder, or an
                optimizer that is none.
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
        loss = losses.LIKELIHOODS[loss] if known else loss
        if len(self.decoder.outputs) > 1 and not isinstance(loss, losses.Gaussian):
            raise ValueError(
                "This decoder returns a log-variance, which a Gaussian likelihood understands. "
                f'Received: loss={loss!r}. Pass "gaussian", or build the decoder without.'
            )
        if isinstance(loss, losses.Likelihood) and not self.decodes_logits:
            loss.nll_of_mean(ops.zeros((1, 1)), ops.zeros((1, 1)))  # those of logits alone say so
        super().compile(optimizer, **kwargs)
        self.loss = loss

    @backends.in_place
    def train_step(self, data):
        """Take a step: lower the bound on the pictures' negative log-likelihood."""
        clean, labels, _ = step_batch(self, data)
        weights = self.trainable_variables

        def loss():
            values = self.bound(clean, labels, training=True)
            return weighed(self.optimizer, ops.mean(values[0]) + self._penalty()), values

        gradients, values = backends.gradients(loss, weights)
        backends.apply(self.optimizer, gradients, weights)
        self.follow()
        return self._track(*values)

    @backends.in_place
    def test_step(self, data):
        """Return the bound on held-out pictures, for draws that are always the same."""
        clean, labels, _ = step_batch(self, data)
        return self._track(*self.bound(clean, labels, training=False))

    def call(self, inputs, training=None):
        """Return `(decoded, mean, log_variance)`, each decoded from a point of its cloud.

        `decoded` is what the decoder returns: logits, or pictures. In training every draw is new.
        Otherwise it repeats from batch to batch, so that validation curves compare; `reconstruct`
        takes the middles of the clouds and draws nothing.
        """
        pictures, labels = inputs if self.num_classes else (inputs, None)
        return self._through(pictures, labels, training)[:3]

    def _through(self, pictures, labels, training, samples=1):
        encoder, decoder, _ = self._networks(training)
        mean, log_variance = encoder(with_labels(pictures, labels), training=training)
        if samples > 1:
            mean, log_variance, labels = _repeated(samples, mean, log_variance, labels)
        seed = self.seed_generator if training else self.seed
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)
        # The reparameterisation trick: a draw through which gradients flow.
        latents = mean + ops.exp(0.5 * log_variance) * noise
        decoded = decoder(with_labels(latents, labels), training=training)
        return decoded, mean, log_variance, latents, noise

    def bound(self, pictures, labels, training):
        """Return loss, reconstruction and KL divergence of each picture, in nats.

        Args:
            pictures: float tensor in [0, 1], shape `(batch, height, width, channels)`.
            labels: of a conditional VAE, rows of zeros with a one; else None.
            training: whether weight, warm-up and free bits count as in training, and draws are new.
        """
        samples, count = self.num_importance_samples, ops.shape(pictures)[0]
        decoded, mean, log_variance, latents, noise = self._through(
            pictures, labels, training, samples
        )
        if samples > 1:
            (pictures,) = _repeated(samples, pictures)
        reconstruction = self._cost(pictures, decoded)
        if self.prior is None and samples == 1:
            kl = losses.kl_divergence(mean, log_variance)
        else:
            kl = _log_posterior(noise, log_variance) - self.log_prior(latents, training)
        counted = kl
        if training and self.free_bits:
            each = ops.mean(losses.kl_of_latents(mean, log_variance), axis=0)
            counted = ops.sum(ops.maximum(each, self.free_bits)) + 0.0 * kl
        loss = reconstruction + self._weight(training) * counted
        if samples > 1:
            loss, reconstruction, kl = (
                ops.reshape(x, (count, samples)) for x in (loss, reconstruction, kl)
            )
            loss = np.log(samples) - ops.logsumexp(-loss, axis=1)
            reconstruction, kl = ops.mean(reconstruction, axis=1), ops.mean(kl, axis=1)
        return loss, reconstruction, kl

    def _weight(self, training):
        """Return how much a nat of the KL divergence counts now."""
        weight = ops.convert_to_tensor(self.kl_variable)
        if not training or not self.kl_warm_up:
            return weight
        done = ops.cast(self.optimizer.iterations, "float32") / self.kl_warm_up
        return weight * ops.minimum(done, 1.0)

    def _track(self, loss, reconstruction, kl):
        self._loss_tracker.update_state(loss + self._penalty())
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)
        return {tracker.name: tracker.result() for tracker in self.metrics}

    def _penalty(self):
        """Return what layers with regularizers ask of their weights."""
        return total([penalty for part in self._parts() for penalty in part.losses])

    def _cost(self, pictures, decoded):
        """Return what each reconstruction costs."""
        if isinstance(self.loss, losses.Likelihood):
            nll = self.loss.nll if self.decodes_logits else self.loss.nll_of_mean
            return nll(pictures, decoded)
        cost = self.loss(pictures, self._pictures(decoded))
        if len(cost.shape) != 1:
            raise ValueError(
                "The loss of a VAE must return one value per picture, shape (batch,). Received: "
                f"shape={tuple(cost.shape)}. Sum it over pixels, as in "
                "keras_imgen.losses.bernoulli_nll; Keras's own losses average."
            )
        return cost

    def log_likelihood(
        self,
        pictures,
        num_samples: int = 1000,
        *,
        labels=None,
        batch_size: int = 1000,
        seed: int | None = None,
    ) -> np.ndarray:
        """Estimate the log-likelihood of each picture by importance sampling.

        A mean of `p(x, z) / q(z | x)` over points of the cloud: with few points a bound from below,
        with more of them nearer to the truth. Its negative is what papers call NLL.

        Args:
            pictures: float array in [0, 1], shape `(n, height, width, channels)`; of a Bernoulli
                likelihood in black and white, such as `data.binarized` draws.
            num_samples: points of each cloud. Usual: 1,000 to 5,000.
            labels: of a conditional VAE, one whole number for all, or one for each.
            batch_size: points that are decoded at a time, whatever the numbers of pictures and
                points are; it bounds the memory.
            seed: integer; with the same `batch_size` the same seed gives the same figures.

        Returns:
            float64 array `(n,)`, in nats.

        Raises:
            TypeError, ValueError: if pictures or labels are not those of this model, if it is not
                compiled, or its loss is no likelihood.

        Source: Burda et al. 2016 (arXiv 1509.00519), section 5; `num_samples` is their k.

        Example:
            >>> import numpy as np
            >>> from keras_imgen import VAE, data, networks
            >>> encoder = networks.vae_encoder((8, 8, 1), latent_dim=2, filters=4)
            >>> vae = VAE(encoder, networks.vae_decoder((8, 8, 1), latent_dim=2, filters=4), seed=0)
            >>> vae.compile()
            >>> black = np.zeros((1, 8, 8, 1), "float32")
            >>> untrained = vae.log_likelihood(black, num_samples=50, seed=0)[0]
            >>> bool(abs(untrained + 64 * np.log(2)) < 1)  # every pixel is a fair coin
            True
        """
        if not isinstance(getattr(self, "loss", None), losses.Likelihood):
            raise ValueError(
                "A log-likelihood needs a VAE that is compiled with a likelihood, such as "
                f'loss="bernoulli". Received: loss={getattr(self, "loss", None)!r}.'
            )
        values = ops.convert_to_numpy(pictures) if hasattr(pictures, "shape") else 0.0
        if isinstance(self.loss, losses.Bernoulli) and np.any((values > 0.0) & (values < 1.0)):
            raise ValueError(
                "A Bernoulli likelihood is one of black and white pictures. Received: greys. Draw "
                "them in black and white: load(name, binarize=...), or data.binarized."
            )
        num_samples = whole_number("num_samples", num_samples, 1, "Usual: 1,000 to 5,000.")
        batch_size = whole_number("batch_size", batch_size, 1, "Usual: 500 to 5,000.")
        mean, log_variance = self.encode(pictures, labels)
        labels = self._checked_labels(labels, len(pictures))
        rows = [] if labels is None else [ops.convert_to_numpy(self._rows(labels))]
        decoder = self._networks()[1]

        def log_weights(noise, pictures, mean, log_variance, *rows):
            latents = mean + ops.exp(0.5 * log_variance) * noise
            decoded = decoder(with_labels(latents, *(rows or [None])), training=False)
            joint = self.log_prior(latents) - self._cost(pictures, decoded)
            return joint - _log_posterior(noise, log_variance)

        given = (np.asarray(pictures, "float32"), mean, log_variance, *rows)
        seeds = backends.SeedGenerator(seed_or_new(seed))
        return mean_of_samples(
            backends.compiled(log_weights), given, self.latent_dim, num_samples, batch_size, seeds
        )

    def save_own_variables(self, store):
        """Store what all models do."""
        self._weight_loaded = True
        super().save_own_variables(store)

    def load_own_variables(self, store):
        """Bring back what all models do; before format 4 the weight was in the configuration."""
        names = set(store.keys())
        self._weight_loaded = "0" in names
        if not self._weight_loaded:
            store = {**{name: store[name] for name in names}, "0": self.kl_weight}
        super().load_own_variables(store)

    def _saved_weights(self):
        weights = super()._saved_weights()
        return weights if self._weight_loaded else weights[1:]  # as they were sealed

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("kl_weight", "kl_warm_up", "free_bits", "num_importance_samples")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def compile_arguments(self):
        """Return optimizer and loss."""
        given = {"optimizer": self.optimizer, "loss": self.loss}
        return {k: keras.saving.serialize_keras_object(v) for k, v in given.items()}


def _log_posterior(noise, log_variance):
    """Return the log-density of `mean + exp(log_variance / 2) * noise` in the encoder's cloud.

    By the noise: of a narrow cloud, latents less their mean hold nothing but rounding.
    """
    return losses.log_normal(noise) - 0.5 * ops.sum(log_variance, axis=-1)


def _repeated(times, *values):
    return [x if x is None else ops.repeat(x, times, axis=0) for x in values]
