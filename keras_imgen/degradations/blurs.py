"""Lost sharpness: out of focus, moved while exposing, or made of too few pixels."""

import functools
import math
from collections.abc import Sequence

import keras
from keras import ops

from keras_imgen.checks import number, whole_number
from keras_imgen.degradations.base import (
    Degradation,
    Operator,
    WithStrength,
    as_batch,
    per_picture,
)


@keras.saving.register_keras_serializable("keras_imgen")
class Blur(WithStrength):
    """Blur as a lens out of focus does: each pixel becomes a Gaussian average of its neighbours.

    Beyond its border a picture is taken to go on as its mirror image.

    Args:
        sigma: standard deviation of the Gaussian in pixels, 0 to 20. A pair `(low, high)` draws one
            per picture.
        append_level: whether sigma, in tenths, follows the picture as a channel.
        seed: see `Degradation`.

    Raises:
        ValueError: if a picture is smaller than `3 * sigma` pixels a side.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import Blur
        >>> point = np.zeros((1, 15, 15, 1), "float32")
        >>> point[0, 7, 7] = 1.0
        >>> observed = Blur(1.0)(point)
        >>> print(f"{float(np.max(observed)):.3f} {float(np.sum(observed)):.3f}")  # 1 / (2 pi)
        0.159 1.000
    """

    def __init__(
        self,
        sigma: float | Sequence[float] = 1.5,
        *,
        append_level: bool | float = False,
        seed=None,
        **kwargs,
    ):
        hint = "It is the standard deviation in pixels: 1.5 is clearly visible."
        options = {"append_level": append_level, "seed": seed, **kwargs}
        super().__init__("sigma", sigma, (0.0, 20.0), hint, **options)

    def degraded(self, clean, strength):
        """Return the average along columns of the average along rows."""
        batch, sigma = as_batch(clean, ops.cast(strength, "float32"))
        radius = math.ceil(3.0 * self.range[1])
        places = ops.arange(-radius, radius + 1, dtype="float32")
        # Of sigma 0 all weight lies in the middle.
        weights = ops.exp(-0.5 * ops.square(places / ops.maximum(sigma, 1e-3)[:, None]))
        weights /= ops.sum(weights, axis=-1, keepdims=True)
        batch = _filtered(batch, weights[:, :, None], (radius, 0))
        batch = _filtered(batch, weights[:, None, :], (0, radius))
        return ops.reshape(batch, ops.shape(clean))

    def operator(self, known=None):
        """Return the average, which is linear."""
        return Operator(functools.partial(self.degraded, strength=self.fixed()))

    def as_level(self, strength):
        """Return sigma in tenths of a pixel."""
        return 0.1 * strength


@keras.saving.register_keras_serializable("keras_imgen")
class MotionBlur(WithStrength):
    """Blur as a camera does that moved in a straight line while it exposed.

    Beyond its border a picture is taken to go on as its mirror image.

    Args:
        length: how far the camera moved, in pixels, 0 to 60. A pair `(low, high)` draws one per
            picture.
        angle: in which direction, in degrees, 0 along the rows and 90 along the columns. By default
            one is drawn per picture.
        append_level: whether the length, in tens of pixels, follows the picture as a channel.
        seed: see `Degradation`.

    Raises:
        ValueError: if a picture is smaller than half the length.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MotionBlur
        >>> point = np.zeros((1, 15, 15, 1), "float32")
        >>> point[0, 7, 7] = 1.0
        >>> observed = MotionBlur(4, angle=0)(point)
        >>> int(np.sum(np.asarray(observed) > 0.01))  # smeared over a row
        5
    """

    def __init__(
        self,
        length: float | Sequence[float] = 7.0,
        *,
        angle: float | None = None,
        append_level: bool | float = False,
        seed=None,
        **kwargs,
    ):
        hint = "It is the way in pixels: 7 is clearly visible."
        options = {"append_level": append_level, "seed": seed, **kwargs}
        super().__init__("length", length, (0.0, 60.0), hint, **options)
        self.angle = None if angle is None else number("angle", angle, -360.0, 360.0)

    def draw_others(self, shape, seeds):
        """Return the direction of the way, in radians."""
        if self.angle is not None:
            return {"turn": math.radians(self.angle)}
        return {"turn": per_picture(shape, 0.0, math.pi, next(seeds))}

    def degraded(self, clean, strength, turn):
        """Return the mean of the pictures shifted along the way."""
        cast = [ops.cast(value, "float32") for value in (strength, turn)]
        batch, length, turn = as_batch(clean, *cast)
        # Points evenly on the way, at least two for each pixel, each shared out among the four
        # pixels around it.
        count = 2 * math.ceil(self.range[1]) + 3
        steps = ops.linspace(-0.5, 0.5, count)
        way = length[:, None] * steps
        radius = math.ceil(0.5 * self.range[1])
        places = ops.arange(-radius, radius + 1, dtype="float32")
        rows, columns = (
            ops.relu(1.0 - ops.abs(places[:, None] - (way * direction[:, None])[:, None, :]))
            for direction in (ops.sin(turn), ops.cos(turn))
        )
        kernel = ops.einsum("nrp,ncp->nrc", rows, columns) / count
        return ops.reshape(_filtered(batch, kernel, (radius, radius)), ops.shape(clean))

    def operator(self, known=None):
        """Return the mean along a way that is known."""
        length = self.fixed()
        if self.angle is None:
            raise ValueError(
                "To undo it one must know in which direction the camera moved. Received: "
                "MotionBlur without `angle`. Pass it, in degrees, 0 along the rows."
            )
        turn = math.radians(self.angle)
        return Operator(functools.partial(self.degraded, strength=length, turn=turn))

    def as_level(self, strength):
        """Return the length in tens of pixels."""
        return 0.1 * strength

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "angle": self.angle}


@keras.saving.register_keras_serializable("keras_imgen")
class Downsample(Degradation):
    """Take a picture with fewer pixels, and enlarge it again to its own size.

    Both ways bicubic: this is what super-resolution networks are compared with, and what those that
    keep the size are given (Dong et al. 2014, arXiv 1501.00092). Overshoot at edges is clipped.

    Args:
        factor: how many times fewer pixels a side, at least 1.
        seed: nothing is drawn; it is there as for any degradation.

    Source: the bicubic kernel: Keys 1981 (IEEE Trans. Acoustics, Speech, Signal Processing 29),
        with a = -0.5.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import Downsample
        >>> ramp = np.linspace(0.0, 1.0, 32, dtype="float32")[None, :, None] * np.ones((32, 1, 1))
        >>> float(np.max(np.abs(Downsample(2)(ramp) - ramp))) < 0.02  # what is smooth survives
        True
    """

    def __init__(self, factor: int = 2, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        advice = "It is by how much each side shrinks: 2 leaves a quarter of the pixels."
        self.factor = whole_number("factor", factor, 1, advice)

    def draw(self, shape, seeds):
        """Return nothing: all pictures shrink alike."""
        return {}

    def apply(self, clean, parameters):
        """Return the pictures shrunk and enlarged."""
        return clean if self.factor == 1 else ops.clip(self._resampled(clean), 0.0, 1.0)

    def operator(self, known=None):
        """Return the function without its clipping."""
        return Operator(self._resampled)

    def enlarge(self, few):
        """Return pictures of so many times the sides: what `Restorer.undo` is given for small ones.

        Args:
            few: float pictures, `(n, height, width, channels)`.

        Example:
            >>> import numpy as np
            >>> from keras_imgen.degradations import Downsample
            >>> Downsample(2).enlarge(np.ones((1, 5, 7, 3), "float32")).shape
            TensorShape([1, 10, 14, 3])
        """
        few = ops.convert_to_tensor(few, "float32")
        rows, columns = (_enlarging(n * self.factor, n) for n in ops.shape(few)[1:3])
        larger = ops.einsum("ih,nhwc->niwc", rows, few)
        return ops.einsum("jw,niwc->nijc", columns, larger)

    def _resampled(self, clean):
        height, width = ops.shape(clean)[-3:-1]
        rows, columns = (_there_and_back(side, self.factor) for side in (height, width))
        observed = ops.einsum("ih,...hwc->...iwc", rows, clean)
        return ops.einsum("jw,...iwc->...ijc", columns, observed)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "factor": self.factor}


def _filtered(batch, kernels, radii):
    """Return each picture of a batch filtered by its own kernel, `(n, 2 * r + 1, 2 * s + 1)`."""
    count, height, width, channels = ops.shape(batch)
    for side, radius in zip((height, width), radii, strict=True):
        if isinstance(side, int) and side < radius:
            raise ValueError(
                f"A blur that reaches {radius} pixels needs pictures of as many a side. "
                f"Received: {height} x {width}. Pass larger ones, or blur them less."
            )
    # A convolution has one kernel for all pictures, but may have one for each channel.
    planes = ops.reshape(ops.transpose(batch, (1, 2, 0, 3)), (1, height, width, count * channels))
    (above, left), (_, rows, columns) = radii, kernels.shape
    planes = _mirrored(_mirrored(planes, 1, above), 2, left)
    kernels = ops.repeat(ops.transpose(kernels, (1, 2, 0)), channels, axis=-1)
    kernels = ops.reshape(kernels, (rows, columns, count * channels, 1))
    planes = ops.depthwise_conv(planes, kernels, padding="valid")
    return ops.transpose(ops.reshape(planes, (height, width, count, channels)), (2, 0, 1, 3))


def _mirrored(planes, axis, radius):
    """Return pictures continued by so many pixels at both ends, the border pixel twice.

    The mode "symmetric" of `ops.pad` repeats the border pixel on PyTorch.
    """
    if radius == 0:
        return planes
    side = ops.shape(planes)[axis]
    places = ops.arange(-radius, side + radius)
    places = ops.where(places < 0, -1 - places, places)
    places = ops.where(places < side, places, 2 * side - 1 - places)
    return ops.take(planes, places, axis=axis)


def _there_and_back(side, factor):
    """Return the matrix `(side, side)` that shrinks a side and enlarges it again.

    Keras resizes only to sizes that are known when a step is compiled.
    """
    few = -(-side // factor)
    fine, coarse, scale = _centres(side, few)
    # Shrinking, the kernel is as wide as the pixels that it makes.
    shrink = _bicubic(coarse[:, None] - fine / scale)
    return ops.matmul(_enlarging(side, few), shrink / ops.sum(shrink, axis=1, keepdims=True))


def _enlarging(side, few):
    """Return the matrix `(side, few)` that enlarges a side."""
    fine, coarse, scale = _centres(side, few)
    enlarge = _bicubic(fine[:, None] / scale - coarse)
    return enlarge / ops.sum(enlarge, axis=1, keepdims=True)


def _centres(side, few):
    """Return the middles of many and of few pixels, and how many there are of one for each."""
    fine, coarse = (ops.arange(n, dtype="float32") + 0.5 for n in (side, few))
    return fine, coarse, ops.cast(side, "float32") / ops.cast(few, "float32")


def _bicubic(x):
    x = ops.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return ops.where(x < 1.0, near, ops.where(x < 2.0, far, 0.0))
