"""Adversarial losses: what the two players of a `GAN` minimise."""

import keras
from keras import ops

from keras_imgen.checks import number
from keras_imgen.losses.formula import Formula


class AdversarialLoss(Formula):
    """Base of the pairs of losses for the two players of a GAN, each one value per picture.

    The discriminator's last layer has no activation: scores are any numbers, high for "real". For a
    loss of your own write both methods; register the class, with its arguments in `get_config`, if
    models are to be saved.

    Attributes:
        neutral: the score that says neither "real" nor "made". None if only differences mean
            something: the same number added to all scores changes nothing that is learned.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from keras_imgen.losses import ADVERSARIAL, AdversarialLoss
        >>> loss = ADVERSARIAL["non_saturating"]
        >>> round(float(loss.generator(None, np.zeros(1))[0]), 4)  # log 2: the score says nothing
        0.6931
        >>> @keras.saving.register_keras_serializable("mine")
        ... class Exponential(AdversarialLoss):
        ...     def discriminator(self, real_scores, fake_scores):
        ...         return keras.ops.exp(-real_scores) + keras.ops.exp(fake_scores)
        ...     def generator(self, real_scores, fake_scores):
        ...         return keras.ops.exp(-fake_scores)
        >>> float(Exponential().generator(None, np.zeros(1))[0])
        1.0
    """

    neutral: float | None = 0.0

    def discriminator(self, real_scores, fake_scores):
        """Return what the discriminator is to make small, one value per picture."""
        raise NotImplementedError(f"{type(self).__name__} has no method `discriminator`. Write it.")

    def generator(self, real_scores, fake_scores):
        """Return what the generator is to make small, one value per picture.

        The real scores are only given if `neutral` is None, and may else be None.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `generator`. Write it.")


@keras.saving.register_keras_serializable("keras_imgen")
class NonSaturating(AdversarialLoss):
    """The discriminator's cross-entropy, and `-log D(G(z))` for the generator.

    Args:
        label_smoothing: how much less than sure of real pictures the discriminator should be: its
            target for them is `1 - label_smoothing` in place of 1. Usual: 0, or 0.1.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), algorithm 1, with the generator's loss of
        section 3 that "provides much stronger gradients early"; label smoothing: Salimans et al.
        2016 (arXiv 1606.03498), section 3.4.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import NonSaturating
        >>> scores = np.full(1, 2.0)
        >>> plain, smooth = (NonSaturating(x).discriminator(scores, scores) for x in (0.0, 0.25))
        >>> round(float(smooth[0] - plain[0]), 4)  # 0.25 for each point of a real score
        0.5
    """

    def __init__(self, label_smoothing: float = 0.0):
        self.label_smoothing = number("label_smoothing", label_smoothing, 0.0, 0.5)

    def discriminator(self, real_scores, fake_scores):
        """Return `-log D(x) - log(1 - D(G(z)))`."""
        values = ops.softplus(-real_scores) + ops.softplus(fake_scores)
        # With another target t, the cross-entropy of a score s is softplus(-s) + (1 - t) s.
        return values + self.label_smoothing * real_scores

    def generator(self, real_scores, fake_scores):
        """Return `-log D(G(z))`."""
        return ops.softplus(-fake_scores)

    def get_config(self):
        """Return the constructor's arguments."""
        return {"label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("keras_imgen")
class LeastSquares(AdversarialLoss):
    """Squared distance of the scores from 1 for real pictures and 0 for made ones.

    Source: Mao et al. 2017 (arXiv 1611.04076), equation 9 with a = 0, b = c = 1.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import LeastSquares
        >>> value = LeastSquares().discriminator(np.array([1.0]), np.array([0.0]))
        >>> round(float(value[0]), 4)  # what is wanted
        0.0
    """

    neutral = 0.5

    def discriminator(self, real_scores, fake_scores):
        """Return half the squares of the distances from 1 and 0."""
        return 0.5 * (ops.square(real_scores - 1.0) + ops.square(fake_scores))

    def generator(self, real_scores, fake_scores):
        """Return half the square of the distance from 1."""
        return 0.5 * ops.square(fake_scores - 1.0)


@keras.saving.register_keras_serializable("keras_imgen")
class Hinge(AdversarialLoss):
    """Scores are pushed apart up to 1 and -1; the discriminator learns nothing beyond.

    Source: Lim and Ye 2017 (arXiv 1705.02894), as in Miyato et al. 2018 (arXiv 1802.05957),
        equations 16 and 17.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import Hinge
        >>> value = Hinge().discriminator(np.array([1.0]), np.array([-1.0]))
        >>> round(float(value[0]), 4)  # beyond, nothing more
        0.0
    """

    def discriminator(self, real_scores, fake_scores):
        """Return what is missing to 1 and -1."""
        return ops.relu(1.0 - real_scores) + ops.relu(1.0 + fake_scores)

    def generator(self, real_scores, fake_scores):
        """Return the negative score."""
        return -fake_scores


@keras.saving.register_keras_serializable("keras_imgen")
class Wasserstein(AdversarialLoss):
    """The difference of the scores; to be used with a penalty.

    Source: Arjovsky et al. 2017 (arXiv 1701.07875), equations 2 and 3.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import Wasserstein
        >>> value = Wasserstein().discriminator(np.array([3.0]), np.array([-2.0]))
        >>> round(float(value[0]), 4)
        -5.0
    """

    neutral = None

    def discriminator(self, real_scores, fake_scores):
        """Return by how much a made picture scores higher."""
        return fake_scores - real_scores

    def generator(self, real_scores, fake_scores):
        """Return the negative score."""
        return -fake_scores


@keras.saving.register_keras_serializable("keras_imgen")
class Relativistic(AdversarialLoss):
    """What counts is whether a real picture scores higher than a made one, pair by pair.

    To be used with the penalty `R1R2`: then it is R3GAN.

    Source: Jolicoeur-Martineau 2018 (arXiv 1807.00734), as in Huang et al. 2025 (arXiv 2501.05441),
        equation 2 with f(t) = -log(1 + e^-t).

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import Relativistic
        >>> value = Relativistic().discriminator(np.array([5.0]), np.array([5.0]))
        >>> round(float(value[0]), 4)  # log 2: as high
        0.6931
    """

    neutral = None

    def discriminator(self, real_scores, fake_scores):
        """Return the cross-entropy of "the real one scores higher"."""
        return ops.softplus(fake_scores - real_scores)

    def generator(self, real_scores, fake_scores):
        """Return the cross-entropy of "the made one scores higher"."""
        return ops.softplus(real_scores - fake_scores)


ADVERSARIAL = {
    "non_saturating": NonSaturating(),
    "least_squares": LeastSquares(),
    "hinge": Hinge(),
    "wasserstein": Wasserstein(),
    "relativistic": Relativistic(),
}
