"""`JpegCompression`: blocks and rings, as too small a file shows them."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_imgen.degradations.base import WithStrength, as_batch

# How coarsely each of the 8 x 8 frequencies is kept at quality 50, of brightness and of colour.
BRIGHTNESS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *[(99,) * 8] * 4,
)
# From red, green and blue to brightness and two differences of colour (JFIF).
TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], "float32"
)
# The frequencies of 8 pixels, one in each row: the orthonormal discrete cosine transform.
DCT = np.cos(np.pi / 8 * np.outer(np.arange(8), np.arange(8) + 0.5)) * np.sqrt(2 / 8)
DCT[0] = np.sqrt(1 / 8)
DCT = DCT.astype("float32")


@keras.saving.register_keras_serializable("keras_imgen")
class JpegCompression(WithStrength):
    """Compress as a JPEG file does, down to blocks of 8 x 8 pixels and rings along edges.

    What it does is what a JPEG encoder and decoder do to a picture, with halved colour planes
    (4:2:0), but for the file itself, which loses nothing. So it works on whole batches, in compiled
    steps, on every backend. Observed pictures have 256 levels in each channel.

    Args:
        quality: 1 to 100, as in other software: 75 is usual, 10 is bad, and at 100 only rounding is
            left: the one degradation that has no identity. A pair `(low, high)` draws one per
            picture, whole numbers not asked for.
        append_level: whether the loss, `1 - quality / 100`, follows the picture as a channel.
        seed: see `Degradation`.

    Raises:
        ValueError: for pictures of neither 1 nor 3 channels.

    Source: ITU-T T.81 (1992), section A.3 and, for the tables, annex K.1.

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.degradations import JpegCompression
        >>> from keras_imgen.metrics import psnr
        >>> photos = load("photos", size=64, crops=1).take(4)
        >>> good, bad = (float(psnr(photos, JpegCompression(q)(photos))[0]) for q in (90, 10))
        >>> bool(good > bad + 5.0)
        True
    """

    def __init__(
        self,
        quality: float | Sequence[float] = 30,
        *,
        append_level: bool | float = False,
        seed=None,
        **kwargs,
    ):
        hint = "It is the quality of JPEG: 75 is usual, 10 is bad."
        options = {"append_level": append_level, "seed": seed, **kwargs}
        super().__init__("quality", quality, (1.0, 100.0), hint, **options)

    def degraded(self, clean, strength):
        """Return the pictures as they come back from a file."""
        channels = clean.shape[-1]
        if channels not in (1, 3):
            raise ValueError(
                "A JPEG picture is grey or has three colours. Received: pictures of "
                f"{channels} channels."
            )
        batch, quality = as_batch(clean, ops.cast(strength, "float32"))
        height, width = ops.shape(batch)[1:3]
        levels = ops.round(255.0 * ops.clip(_enlarged(batch), 0.0, 1.0))
        if channels == 3:
            levels = ops.matmul(levels, TO_YCC.T)
        brightness = _quantised(levels[..., :1] - 128.0, BRIGHTNESS, quality) + 128.0
        if channels == 3:
            colour = _quantised(_halved(levels[..., 1:]), COLOUR, quality)
            levels = ops.concatenate([brightness, _doubled(colour)], axis=-1)
            levels = ops.matmul(levels, np.linalg.inv(TO_YCC).T)
        else:
            levels = brightness
        levels = ops.clip(ops.round(levels[:, :height, :width]), 0.0, 255.0)
        return ops.reshape(levels / 255.0, ops.shape(clean))

    def as_level(self, strength):
        """Return how much is lost, from 0 to 1."""
        return 1.0 - 0.01 * strength


def _enlarged(batch):
    """Return pictures whose sides are multiples of 16, last row and column repeated."""
    for axis in (1, 2):
        side = ops.shape(batch)[axis]
        places = ops.minimum(ops.arange(-(-side // 16) * 16), side - 1)
        batch = ops.take(batch, places, axis=axis)
    return batch


def _quantised(planes, table, quality):
    """Return planes `(n, h, w, c)` whose frequencies are multiples of a table's entries."""
    # As the widely used library of the Independent JPEG Group scales its tables.
    scale = ops.where(quality < 50.0, 5000.0 / quality, 200.0 - 2.0 * quality)
    table = ops.convert_to_tensor(table, "float32")
    steps = ops.floor((table * scale[:, None, None] + 50.0) / 100.0)
    steps = ops.clip(steps, 1.0, 255.0)[:, None, None, None]  # one table for all blocks
    count, height, width, channels = ops.shape(planes)
    blocks = ops.reshape(planes, (count, height // 8, 8, width // 8, 8, channels))
    blocks = ops.transpose(blocks, (0, 1, 3, 5, 2, 4))
    frequencies = ops.matmul(ops.matmul(DCT, blocks), DCT.T)
    blocks = ops.matmul(ops.matmul(DCT.T, ops.round(frequencies / steps) * steps), DCT)
    planes = ops.transpose(blocks, (0, 1, 4, 2, 5, 3))
    return ops.reshape(planes, (count, height, width, channels))


def _halved(planes):
    return ops.average_pool(planes, (2, 2), (2, 2))  # JAX takes no single number here


def _doubled(planes):
    """Return planes of twice the size: three quarters of the nearest, one of the next nearest."""
    for axis in (1, 2):
        side = ops.shape(planes)[axis]
        places = ops.arange(side)
        neighbours = (ops.maximum(places - 1, 0), ops.minimum(places + 1, side - 1))
        pair = [0.75 * planes + 0.25 * ops.take(planes, n, axis=axis) for n in neighbours]
        shape = list(ops.shape(planes))
        shape[axis] = 2 * side
        planes = ops.reshape(ops.stack(pair, axis=axis + 1), shape)
    return planes
