"""`Search`: finds latents whose picture, degraded, is what was observed."""

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, checks
from keras_imgen.degradations import Degradation
from keras_imgen.inference import with_known
from keras_imgen.matching import checked_mask, to_undo

LEAST = 0.1  # by how much what a model draws differs from pictures, one standard deviation a pixel
RATE = 0.1  # of the search, in standard deviations of a latent


class Search:
    """Part of `GAN` and `VAE`: a generator knows which pictures there are."""

    @backends.unrecorded()
    def undo(
        self,
        observed,
        degradation: Degradation | None = None,
        *,
        known=None,
        labels=None,
        seed: int | None = None,
        steps: int = 150,
        tries: int = 4,
    ):
        """Undo a known degradation: find the latents whose picture, degraded, is the observed one.

        The search follows slopes from a place drawn at random, several times, and the best end
        wins. The answer is a picture that the model can draw, but for pixels that were observed as
        they are.

        Args:
            observed: float array, shape `(n, height, width, channels)`, with the channels that the
                degradation appends or without. Noise may go beyond [0, 1].
            degradation: as in `Restorer.undo`: one that is linear but for its noise, and known; by
                default some pixels are missing, and nothing else.
            known: of missing pixels, 1 where one is known and 0 where it is missing.
            labels: of a conditional model, one whole number for all, or one for each.
            seed: integer; the same seed gives the same answers.
            steps: of each search, at least 1.
            tries: how often it begins anew, at least 1.

        Returns:
            float32 array in [0, 1], `(n, height, width, channels)`.

        Raises:
            TypeError, ValueError: if the degradation cannot be undone so, if something does not fit
                the model, or labels are missing.

        Source: Bora et al. 2017 (arXiv 1703.03208), equation 3.

        Example:
            >>> import numpy as np
            >>> from keras_imgen import VAE, networks
            >>> encoder = networks.vae_encoder((8, 8, 1), latent_dim=2, filters=4)
            >>> vae = VAE(encoder, networks.vae_decoder((8, 8, 1), latent_dim=2, filters=4), seed=0)
            >>> upper = np.ones((2, 8, 8, 1), "float32")
            >>> upper[:, 4:] = 0.0
            >>> vae.undo(0.5 * upper, known=upper, steps=3, tries=1)[:, :4].mean()
            np.float32(0.5)
        """
        seen, operator = to_undo(self.image_shape, observed, degradation, known)
        steps = checks.whole_number("steps", steps, 1, "Usual: 100 to 500.")
        tries = checks.whole_number("tries", tries, 1, "Usual: 1 to 10.")
        count = len(seen)
        labels = self._checked_labels(labels, count)
        given = [] if labels is None else [np.repeat(labels, tries)]
        seed = checks.seed_or_new(seed)
        if known is not None:
            known = np.repeat(checked_mask(known, (*seen.shape[:-1], 1)), tries, axis=0)
        several = np.repeat(ops.convert_to_numpy(observed), tries, axis=0)
        wanted, (forward, sigma, _) = to_undo(self.image_shape, several, degradation, known)
        wanted, sigma = ops.convert_to_tensor(wanted), max(sigma, LEAST)

        def surprise(latents):
            """How unlikely the pictures are as answers, in nats."""
            rest = forward(self._drawn(latents, *given)) - wanted
            fit = ops.sum(ops.square(rest), axis=(1, 2, 3)) / sigma**2
            return 0.5 * (fit + ops.sum(ops.square(latents), axis=1)), None

        shape = (count * tries, self.latent_dim)
        latents = keras.Variable(keras.random.normal(shape, dtype="float32", seed=seed))
        optimizer = keras.optimizers.Adam(RATE)
        slopes = backends.compiled(lambda at: backends.input_gradients(surprise, at)[0])
        for _ in range(steps):
            optimizer.apply([slopes(latents.value)], [latents])
        left = ops.convert_to_numpy(surprise(latents.value)[0]).reshape(count, tries)
        best = np.arange(count) * tries + left.argmin(axis=1)
        answer = ops.convert_to_numpy(self._drawn(latents.value, *given))[best]
        return with_known(answer, seen, operator)
