"""How good restored pictures and films are: one value for each, averaged."""

import keras
from keras import ops

from keras_imgen import backends
from keras_imgen.checks import FLOATS, dtype_name

__all__ = ["PSNR", "SSIM", "flicker", "psnr", "ssim"]


def psnr(clean, restored, *, clip: bool = False):
    """Peak signal-to-noise ratio of each picture, in dB: `10 log10(1 / mean squared error)`.

    Args:
        clean: float tensor in [0, 1], `(..., height, width, channels)`.
        restored: float tensor of the same shape.
        clip: whether what is restored is clipped to [0, 1] first, as it is when shown or stored:
            as in the metric `PSNR`, in figures and in the tables of the command. By default it
            is taken as it is, so that noise of 0.1 gives 20 dB.

    Returns:
        Tensor of shape `(...)`: one value per picture (or frame). Identical pictures give 100 dB,
        the most that is reported.

    Raises:
        ValueError: for a dtype, range or shape that would give a wrong figure.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import psnr
        >>> clean = np.zeros((2, 8, 8, 1), "float32")
        >>> [round(float(value), 2) for value in psnr(clean, clean + 0.1)]
        [20.0, 20.0]
    """
    clean, restored = _checked(clean, restored)
    restored = ops.clip(restored, 0.0, 1.0) if clip else restored
    errors = ops.mean(ops.square(clean - restored), axis=(-3, -2, -1))
    return -10.0 * ops.log10(ops.maximum(errors, 1e-10))


def ssim(clean, restored):
    """Structural similarity of each picture, 1 for identical ones.

    Args:
        clean: float tensor in [0, 1], `(..., height, width, channels)`, sides at least 11 pixels.
        restored: float tensor of the same shape.

    Returns:
        Tensor of shape `(...)`, one value per picture (or frame), at most 1.

    Raises:
        ValueError: for a dtype, range or shape that would give a wrong figure, or sides under 11.

    Source: Wang et al. 2004 (IEEE TIP 13(4)), equation 13, Gaussian window of 11 x 11, sigma 1.5;
        computed by `keras.ops.image.ssim`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import ssim
        >>> clean = np.random.default_rng(0).random((1, 16, 16, 1), "float32")
        >>> round(float(ssim(clean, clean)[0]), 4)
        1.0
    """
    clean, restored = _checked(clean, restored)
    sides = [side for side in clean.shape[-3:-1] if side is not None]
    if sides and min(sides) < 11:
        raise ValueError(
            "SSIM compares windows of 11 x 11 pixels, so sides must be at least 11. "
            f"Received: pictures of shape {tuple(clean.shape)}. For smaller ones use PSNR."
        )
    leading = ops.shape(clean)[:-3]
    frames = [ops.reshape(x, (-1, *ops.shape(x)[-3:])) for x in (clean, restored)]
    return ops.reshape(ops.image.ssim(*frames, max_val=1.0, data_format="channels_last"), leading)


def flicker(clean, restored):
    """Temporal flicker of each sequence: how wrongly it changes from frame to frame.

    It is the root mean square, over steps in time and pixels, of the difference between the change
    of the restored film and that of the clean one. A film restored without memory may be good in
    each frame and flicker all the same; one that is wrong in the same way in every frame does not.

    Args:
        clean: float tensor in [0, 1], `(..., time, height, width, channels)`, two frames or more.
        restored: float tensor of the same shape.

    Returns:
        Tensor of shape `(...)`: one value per sequence, 0 for none, in the units of pixels. Noise
        of standard deviation s, drawn anew in every frame, has `sqrt(2) * s`.

    Raises:
        ValueError: for a dtype, range or shape that would give a wrong figure, or a single frame.

    Source: dtSSD of Erofeev et al. 2015 (BMVC, Perceptually Motivated Benchmark for Video Matting),
        with one mean over all steps of a sequence. Unlike a warping error it needs no motion: the
        clean film says what must change.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import flicker
        >>> clean = np.zeros((1, 3, 8, 8, 1), "float32")
        >>> restored = clean + np.array([0.1, 0.2, 0.1], "float32").reshape(3, 1, 1, 1)
        >>> print(f"{float(flicker(clean, restored)[0]):.2f}")
        0.10
    """
    clean, restored = _checked(clean, restored)
    if len(clean.shape) < 4 or clean.shape[-4] == 1:
        raise ValueError(
            "Flicker is seen between frames: sequences must have shape (..., time, height, width, "
            f"channels) and two frames or more. Received: shape={tuple(clean.shape)}."
        )
    errors = ops.moveaxis(restored - clean, -4, 0)
    steps = ops.square(errors[1:] - errors[:-1])
    return ops.sqrt(ops.mean(steps, axis=(0, -3, -2, -1)))


def check_format(clean, restored):
    """Raise unless both are floating-point pictures of equal shapes."""
    for name, pictures in (("clean", clean), ("restored", restored)):
        if not hasattr(pictures, "shape") or len(pictures.shape) < 3:
            raise ValueError(
                f"`{name}` must be pictures of shape (..., height, width, channels). "
                f"Received: {getattr(pictures, 'shape', type(pictures).__name__)}."
            )
        dtype = dtype_name(pictures)
        if dtype not in FLOATS:
            raise ValueError(
                f"`{name}` must be floating point in [0, 1]. Received: dtype={dtype}. "
                "Convert pictures of 8 bits with keras_imgen.data.to_float."
            )
        if 0 in tuple(pictures.shape):
            raise ValueError(f"`{name}` holds no picture. Received: shape={tuple(pictures.shape)}.")
    known = [
        (a, b) for a, b in zip(clean.shape, restored.shape, strict=False) if None not in (a, b)
    ]
    if len(clean.shape) != len(restored.shape) or any(a != b for a, b in known):
        raise ValueError(
            "Clean and restored pictures must have equal shapes. "
            f"Received: {tuple(clean.shape)} and {tuple(restored.shape)}."
        )


def _checked(clean, restored):
    """Return both as float32 tensors, or raise where the figure would be wrong."""
    check_format(clean, restored)
    clean, restored = ops.cast(clean, "float32"), ops.cast(restored, "float32")
    # Also inside a compiled step: a wrong range adds up to 48 dB and nobody notices. Restored
    # pictures may go a little beyond the range, but not to 255. What is NaN stays NaN.
    clean = backends.check(
        ops.logical_not(ops.any((clean < 0.0) | (clean > 1.0))),
        "Figures of merit need clean pictures in [0, 1]. Received: others. Divide pictures in "
        "[0, 255] by 255.",
        clean,
    )
    restored = backends.check(
        ops.logical_not(ops.any(ops.abs(restored) >= 16.0)),
        "Figures of merit need restored pictures in [0, 1]. Received: some beyond 16 in size. "
        "Divide pictures in [0, 255] by 255.",
        restored,
    )
    return clean, restored


class _PictureMean(keras.metrics.Mean):
    """Mean over pictures of a figure of merit; a subclass sets `figure`."""

    _direction = "up"  # for callbacks of Keras that look at it

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add the pictures of one batch."""
        check_format(y_true, y_pred)
        # Clipped before the check of the range: in training a model may stray far beyond and come
        # back, and a low figure says so better than an error.
        values = type(self).figure(y_true, ops.clip(y_pred, 0.0, 1.0))
        if sample_weight is not None and len(sample_weight.shape) < len(values.shape):
            sample_weight = ops.expand_dims(sample_weight, -1)
        super().update_state(values, sample_weight)

    def get_config(self):
        """Return the constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable("keras_imgen")
class PSNR(_PictureMean):
    """Mean over pictures of the peak signal-to-noise ratio, in dB; see `psnr`.

    Restored pictures are clipped to [0, 1] first, as they are when shown or stored. Of a sequence
    there is one value, that of the error of all its frames: where a few frames are lost, those that
    are known would count 100 dB each and hide the others.

    Args:
        name: name in the logs.
        dtype: as in Keras; by default float32.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import PSNR
        >>> metric = PSNR()
        >>> metric.update_state(np.zeros((2, 8, 8, 1)), np.full((2, 8, 8, 1), 0.1))
        >>> round(float(metric.result()), 2)
        20.0
    """

    @staticmethod
    def figure(clean, restored):
        """Return one value per picture or sequence."""
        values = psnr(clean, restored)
        if len(values.shape) < 2:
            return values
        errors = ops.mean(10.0 ** (-values / 10.0), axis=-1)  # of all frames
        return -10.0 * ops.log10(errors)

    def __init__(self, name: str = "psnr", dtype=None):
        super().__init__(name=name, dtype=dtype or "float32")


@keras.saving.register_keras_serializable("keras_imgen")
class SSIM(_PictureMean):
    """Mean over pictures, or frames, of the structural similarity; see `ssim`.

    Restored pictures are clipped to [0, 1] first, as they are when shown or stored.

    Args:
        name: name in the logs.
        dtype: as in Keras; by default float32.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import SSIM
        >>> metric = SSIM()
        >>> metric.update_state(np.ones((1, 16, 16, 1)), np.ones((1, 16, 16, 1)))
        >>> round(float(metric.result()), 2)
        1.0
    """

    figure = staticmethod(ssim)

    def __init__(self, name: str = "ssim", dtype=None):
        super().__init__(name=name, dtype=dtype or "float32")
