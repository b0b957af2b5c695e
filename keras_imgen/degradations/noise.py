"""Noise: what light, electronics and lost bits add to a picture."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_imgen import backends
from keras_imgen.degradations.base import Operator, WithStrength


@keras.saving.register_keras_serializable("keras_imgen")
class AdditiveNoise(WithStrength):
    """Add white Gaussian noise, as a camera does in bad light.

    The observed picture is **not** clipped to [0, 1], so that the noise stays Gaussian: this is the
    protocol of the denoising literature (Zhang et al. 2017, arXiv 1608.03981).

    Args:
        sigma: standard deviation as a share of the range [0, 1], at most 1; papers give it in grey
            levels: sigma 25 is `25 / 255`. A pair `(low, high)` draws one level per picture, for
            training one network for all levels ("blind").
        append_level: whether sigma follows the picture as a channel, for a network conditioned on
            how noisy a picture is.
        seed: see `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import AdditiveNoise
        >>> noise = AdditiveNoise(25 / 255, seed=0)
        >>> observed = noise(np.full((1, 64, 64, 1), 0.5, "float32"))
        >>> print(f"{float(np.std(observed)):.2f}")  # 25 / 255 = 0.098
        0.10
    """

    def __init__(
        self,
        sigma: float | Sequence[float] = 25 / 255,
        *,
        append_level: bool | float = False,
        seed=None,
        **kwargs,
    ):
        hint = "For sigma 25 on the scale of 255 grey levels pass 25 / 255."
        options = {"append_level": append_level, "seed": seed, **kwargs}
        super().__init__("sigma", sigma, (0.0, 1.0), hint, **options)

    def draw_others(self, shape, seeds):
        """Return the noise, of standard deviation 1."""
        return {"noise": keras.random.normal(shape, seed=next(seeds))}

    def degraded(self, clean, strength, noise):
        """Return `clean + sigma * noise`."""
        return clean + strength * noise

    def operator(self, known=None):
        """Return what does nothing, and the noise behind it."""
        return Operator(lambda pictures: pictures, self.fixed())


@keras.saving.register_keras_serializable("keras_imgen")
class PoissonNoise(WithStrength):
    """Count photons: bright pixels are noisier than dark ones, as in short exposures.

    Each pixel becomes `gain` times a Poisson number with mean `pixel / gain`, so that its variance
    is `gain * pixel`. The observed picture is **not** clipped to [0, 1].

    Args:
        gain: how bright one photon is, in [0, 1]: `1 / 30` for 30 photons from a white pixel. A
            pair `(low, high)` draws one gain per picture.
        append_level: whether the gain follows the picture as a channel.
        seed: see `Degradation`.

    Source: Foi et al. 2008 (IEEE Trans. Image Processing 17), equation 1, without its Gaussian
        part.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import PoissonNoise
        >>> observed = PoissonNoise(1 / 30, seed=0)(np.full((1, 200, 200, 1), 0.3, "float32"))
        >>> print(f"{float(np.std(observed)):.2f}")  # sqrt(0.3 / 30) = 0.10
        0.10
    """

    def __init__(
        self,
        gain: float | Sequence[float] = 1 / 30,
        *,
        append_level: bool | float = False,
        seed=None,
        **kwargs,
    ):
        hint = "For at most 30 photons a pixel pass 1 / 30."
        options = {"append_level": append_level, "seed": seed, **kwargs}
        super().__init__("gain", gain, (0.0, 1.0), hint, **options)
        # TensorFlow's XLA draws no Poisson numbers: Keras then compiles without it.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def draw_others(self, shape, seeds):
        """Return the seed of the counts, which depend on the pictures."""
        return {"seed": backends.drawn(next(seeds))}

    def degraded(self, clean, strength, seed):
        """Return `gain * Poisson(clean / gain)`."""
        if self.range == (0.0, 0.0):
            return clean
        gain = ops.maximum(ops.cast(strength, "float32"), 1e-5)
        rates = ops.clip(ops.cast(clean, "float32"), 0.0, 1.0) / gain
        return gain * backends.poisson(rates, seed)


@keras.saving.register_keras_serializable("keras_imgen")
class SaltAndPepper(WithStrength):
    """Set single pixels to black or white, as broken sensors and lost bits do.

    No mask is appended: which pixels are wrong, the network must find out.

    Args:
        fraction: share of pixels to replace, in [0, 1], half of them black; a pair `(low, high)`
            draws one share per picture.
        append_level: whether the share follows the picture as a channel.
        seed: see `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import SaltAndPepper
        >>> observed = SaltAndPepper(0.5, seed=0)(np.full((1, 64, 64, 1), 0.5, "float32"))
        >>> sorted(set(np.asarray(observed).ravel().tolist()))
        [0.0, 0.5, 1.0]
    """

    def __init__(
        self,
        fraction: float | Sequence[float] = 0.1,
        *,
        append_level: bool | float = False,
        seed=None,
        **kwargs,
    ):
        hint = "It is the share of pixels to replace: for 30 % pass 0.3."
        options = {"append_level": append_level, "seed": seed, **kwargs}
        super().__init__("fraction", fraction, (0.0, 1.0), hint, **options)

    def draw_others(self, shape, seeds):
        """Return a uniform number for each pixel."""
        return {"draw": keras.random.uniform((*shape[:-1], 1), seed=next(seeds))}

    def degraded(self, clean, strength, draw):
        """Return the pictures with a share of their pixels, in all channels, black or white."""
        observed = ops.where(draw < 0.5 * strength, 0.0, clean)
        return ops.where(draw >= 1.0 - 0.5 * strength, 1.0, observed)
