"""Penalties: what a discriminator pays for steep scores, so that the generator can follow them."""

import keras
from keras import ops

from keras_imgen.checks import number, whole_number
from keras_imgen.losses.formula import Formula, sum_per_picture


class Penalty(Formula):
    """Base of what a discriminator pays for the slope of its scores by the pictures.

    For a penalty of your own write both methods, and register the class.

    Args:
        weight: its factor, the papers' gamma and lambda, 0 or more.
        every: it is taken in every so many steps of the discriminator, and is then so many times as
            heavy; 16 costs little time and works about as well as 1.

    Source: of a penalty now and then: Karras et al. 2020 (arXiv 1912.04958), section 3.1.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import R1, GradientPenalty
        >>> slope_two = np.full((1, 1, 1, 1), 2.0)
        >>> float(R1().value(slope_two)[0])  # half the square
        2.0
        >>> round(float(GradientPenalty().value(slope_two)[0]), 6)  # (2 - 1)^2
        1.0
    """

    def __init__(self, weight: float = 10.0, *, every: int = 1):
        self.weight = number("weight", weight, 0.0)
        self.every = whole_number("every", every, 1)

    def places(self, real, fake, mix) -> list:
        """Return the pictures at which slopes are taken.

        Args:
            real: real pictures.
            fake: made ones.
            mix: uniform in [0, 1], one number for each, shape `(batch, 1, 1, 1)`.
        """
        raise NotImplementedError

    def value(self, gradients):
        """Return the penalty for the scores' gradients by the pictures, one value for each."""
        return 0.5 * sum_per_picture(ops.square(gradients))

    def get_config(self):
        """Return the constructor's arguments."""
        return {"weight": self.weight, "every": self.every}


@keras.saving.register_keras_serializable("keras_imgen")
class R1(Penalty):
    """Half the square of the slope at real pictures.

    Args:
        weight: see `Penalty`.
        every: see `Penalty`.

    Source: Mescheder et al. 2018 (arXiv 1801.04406), equation 9, gamma being `weight`.

    Example:
        >>> from keras_imgen.losses import R1
        >>> R1(weight=1.0, every=16).places(real=1.0, fake=0.0, mix=0.25)  # real ones
        [1.0]
    """

    def places(self, real, fake, mix):
        """Return the real pictures."""
        return [real]


@keras.saving.register_keras_serializable("keras_imgen")
class R2(Penalty):
    """Half the square of the slope at made pictures.

    Args:
        weight: see `Penalty`.
        every: see `Penalty`.

    Source: Mescheder et al. 2018 (arXiv 1801.04406), equation 10, gamma being `weight`.

    Example:
        >>> from keras_imgen.losses import R2
        >>> R2(weight=1.0, every=16).places(real=1.0, fake=0.0, mix=0.25)  # made ones
        [0.0]
    """

    def places(self, real, fake, mix):
        """Return the made pictures."""
        return [fake]


@keras.saving.register_keras_serializable("keras_imgen")
class R1R2(Penalty):
    """`R1` and `R2` together.

    Args:
        weight: see `Penalty`.
        every: see `Penalty`.

    Source: Huang et al. 2025 (arXiv 2501.05441), section 2.2.

    Example:
        >>> from keras_imgen.losses import R1R2
        >>> R1R2(weight=1.0, every=16).places(real=1.0, fake=0.0, mix=0.25)  # both
        [1.0, 0.0]
    """

    def places(self, real, fake, mix):
        """Return both kinds of pictures."""
        return [real, fake]


@keras.saving.register_keras_serializable("keras_imgen")
class GradientPenalty(Penalty):
    """Square of the slope's distance from 1, between real and made pictures.

    Args:
        weight: see `Penalty`.
        every: see `Penalty`.

    Source: Gulrajani et al. 2017 (arXiv 1704.00028), equation 3, lambda being `weight`.

    Example:
        >>> from keras_imgen.losses import GradientPenalty
        >>> GradientPenalty(weight=1.0, every=16).places(real=1.0, fake=0.0, mix=0.25)  # a mixture
        [0.25]
    """

    def places(self, real, fake, mix):
        """Return mixtures of a real and a made picture."""
        return [mix * real + (1.0 - mix) * fake]

    def value(self, gradients):
        """Return the square of the distance from 1."""
        # The root has no slope at 0, where an untrained discriminator may be.
        norm = ops.sqrt(sum_per_picture(ops.square(gradients)) + 1e-12)
        return ops.square(norm - 1.0)


PENALTIES = {
    "r1": R1(),
    "r2": R2(),
    "r1_r2": R1R2(),
    "gradient_penalty": GradientPenalty(),
}
