"""Degradations: Keras layers that spoil clean pictures, so that a network can learn to repair them.

A degradation maps clean pictures to observed ones, for any number of leading axes: `(H, W, C)`,
`(N, H, W, C)` and sequences `(N, T, H, W, C)`. With `training=True` every call draws anew;
otherwise the draw is fixed by the seed, so that validation curves compare. At strength 0 a
degradation is the identity. Degradations that hide pixels append a mask channel (1 where known, 0
where hidden) behind the picture's own channels: `observed[..., :C]` is the picture to show.
"""

import itertools
import zlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import ops

from keras_imgen import checks
from keras_imgen.checks import number, shown, whole_number

__all__ = [
    "AdditiveNoise",
    "Compose",
    "Degradation",
    "MissingBlocks",
    "MissingFrames",
    "MissingPixels",
]


class Degradation(keras.layers.Layer):
    """Base of all degradations: who draws, when the draw is fixed, and how many channels are added.

    A subclass implements `degrade(clean, seeds)`, where `next(seeds)` is the seed for one random
    operation, and sets `extra_channels` if it appends any.

    Args:
        seed: integer; the same seed gives the same draws. By default one is drawn, and kept when
            the layer is saved.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from keras_imgen.degradations import Degradation
        >>> class Faded(Degradation):
        ...     def degrade(self, clean, seeds):
        ...         leading = keras.ops.shape(clean)[:-3]
        ...         contrast = keras.random.uniform((*leading, 1, 1, 1), seed=next(seeds))
        ...         return 0.5 + contrast * (clean - 0.5)
        >>> tuple(Faded(seed=0)(np.ones((2, 8, 8, 1), "float32")).shape)
        (2, 8, 8, 1)
    """

    extra_channels = 0

    def __init__(self, *, seed: int | None = None, **kwargs):
        # Noise computed in half precision would be coarser than the pictures themselves.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        seed = None if seed is None else checks.seed(seed)
        # Read off the state, because the generator forgets a seed that it drew itself.
        self.seed = int(ops.convert_to_numpy(keras.random.SeedGenerator(seed).state)[0])
        self.seed_generator = keras.random.SeedGenerator(self._seed_of_draw(0))
        self.built = True

    def call(self, clean, training=None):
        """Spoil `clean`; `training=True` draws anew, anything else repeats the fixed draw."""
        rank = len(clean.shape)
        if rank < 3:
            raise ValueError(
                f"{type(self).__name__} spoils pictures of shape (height, width, channels) with "
                f"any leading axes. Received: shape={tuple(clean.shape)}. For grey pictures add "
                "the channel axis with `pictures[..., None]`."
            )
        dtype = keras.backend.standardize_dtype(clean.dtype)
        if "float" not in dtype:
            raise ValueError(
                f"{type(self).__name__} spoils floating-point pictures in [0, 1]. Received: "
                f"dtype={dtype}. Convert pictures of 8 bits with keras_imgen.data.to_float."
            )
        return self.degrade(clean, self._seeds(training))

    def degrade(self, clean, seeds: Iterator):
        """Return the observed pictures; subclasses implement this."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        """Shape of the observed pictures: the clean shape with the extra channels appended."""
        *leading, channels = input_shape
        return (*leading, channels + self.extra_channels)

    def compute_output_spec(self, clean, training=None):
        """Symbolic result, so that degradations also work inside functional models."""
        return keras.KerasTensor(self.compute_output_shape(clean.shape), dtype=self.compute_dtype)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}

    def _seeds(self, training) -> Iterator:
        if training:
            return itertools.repeat(self.seed_generator)
        return map(self._seed_of_draw, itertools.count(1))

    def _seed_of_draw(self, draw: int) -> int:
        # Every kind of degradation gets numbers of its own. From the same ones, noise would be
        # weaker at the pixels that a mask of the same seed leaves known.
        return zlib.crc32(f"{type(self).__name__} {self.seed} {draw}".encode())


def _range(name: str, value, low: float, high: float, hint: str) -> tuple[float, float]:
    """Return `value` (a number or a pair) as a pair `(smallest, largest)` within [low, high]."""
    pair = tuple(value) if isinstance(value, Sequence | np.ndarray) else (value, value)
    try:
        smallest, largest = (number(name, each, low, high) for each in pair)
    except ValueError:
        smallest, largest = 1.0, 0.0
    if smallest > largest:
        raise ValueError(
            f"`{name}` must be a number in [{low:g}, {high:g}], or a pair (smallest, largest) of "
            f"such numbers. Received: {name}={shown(value)}. {hint}"
        )
    return smallest, largest


def _per_picture(clean, low: float, high: float, seed):
    """Draw one number in [low, high] for each picture, shaped to broadcast over its pixels."""
    leading = ops.shape(clean)[:-3]
    if low == high:
        return low
    return keras.random.uniform((*leading, 1, 1, 1), low, high, seed=seed)


@keras.saving.register_keras_serializable("keras_imgen")
class AdditiveNoise(Degradation):
    """Add white Gaussian noise, as a camera does in bad light.

    The observed picture is **not** clipped to [0, 1], so that the noise stays Gaussian: this is the
    protocol of the denoising literature (Zhang et al. 2017, arXiv 1608.03981).

    Args:
        sigma: standard deviation as a share of the range [0, 1], at most 1; papers give it in grey
            levels: sigma 25 is `25 / 255`. A pair `(low, high)` draws one level per picture, for
            training one network for all levels ("blind").
        seed: see `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import AdditiveNoise
        >>> noise = AdditiveNoise(25 / 255, seed=0)
        >>> observed = noise(np.full((1, 64, 64, 1), 0.5, "float32"))
        >>> print(f"{float(np.std(observed)):.2f}")  # 25 / 255 = 0.098
        0.10
    """

    def __init__(self, sigma: float | Sequence[float] = 25 / 255, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.sigma = sigma
        self._low, self._high = _range(
            "sigma", sigma, 0.0, 1.0, "For sigma 25 on the scale of 255 grey levels pass 25 / 255."
        )

    def degrade(self, clean, seeds):
        """Return `clean + sigma * noise`."""
        sigma = _per_picture(clean, self._low, self._high, next(seeds))
        return clean + sigma * keras.random.normal(ops.shape(clean), seed=next(seeds))

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "sigma": self.sigma}


class _Hiding(Degradation):
    """A degradation that sets some pixels to 0 and appends the mask of the known ones."""

    extra_channels = 1

    def known(self, clean, seeds):
        """Return the mask, 1 where the pixel is known, broadcastable to `(..., H, W, 1)`."""
        raise NotImplementedError

    def degrade(self, clean, seeds):
        """Return the known pixels and, behind them, the mask channel."""
        mask = ops.cast(self.known(clean, seeds), self.compute_dtype)
        mask = ops.broadcast_to(mask, (*ops.shape(clean)[:-1], 1))
        return ops.concatenate([clean * mask, mask], axis=-1)


_SHARE = "It is the share of pixels to hide: for 30 % pass 0.3."


@keras.saving.register_keras_serializable("keras_imgen")
class MissingPixels(_Hiding):
    """Hide single pixels, each with the same probability.

    Hidden pixels are 0 in every channel; the mask channel (1 = known) follows the picture's own.

    Args:
        fraction: share of pixels to hide, in [0, 1]; a pair `(low, high)` draws one share per
            picture.
        seed: see `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MissingPixels
        >>> observed = MissingPixels(0.5, seed=0)(np.ones((1, 64, 64, 3), "float32"))
        >>> observed.shape[-1]  # red, green, blue, mask
        4
    """

    def __init__(self, fraction: float | Sequence[float] = 0.5, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.fraction = fraction
        self._low, self._high = _range("fraction", fraction, 0.0, 1.0, _SHARE)

    def known(self, clean, seeds):
        """Return a mask in which each pixel is known with probability `1 - fraction`."""
        fraction = _per_picture(clean, self._low, self._high, next(seeds))
        draw = keras.random.uniform((*ops.shape(clean)[:-1], 1), seed=next(seeds))
        return draw >= fraction

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "fraction": self.fraction}


@keras.saving.register_keras_serializable("keras_imgen")
class MissingBlocks(_Hiding):
    """Hide square blocks at random places, as scratches and stains do.

    Blocks may overlap and are cut off at the border, so that every pixel is hidden with the same
    probability `fraction`. Every frame of a sequence gets its own.

    Args:
        fraction: share of pixels to hide, in [0, 1]: the average over many pictures. A pair
            `(low, high)` draws one share per picture.
        block_size: side of a block in whole pixels, at least 1.
        seed: see `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MissingBlocks
        >>> observed = MissingBlocks(0.2, 8, seed=0)(np.ones((100, 64, 64, 1), "float32"))
        >>> print(f"{float(np.mean(observed[..., -1] == 0)):.1f}")
        0.2
    """

    def __init__(
        self, fraction: float | Sequence[float] = 0.2, block_size: int = 8, *, seed=None, **kwargs
    ):
        super().__init__(seed=seed, **kwargs)
        self.fraction = fraction
        self._low, self._high = _range("fraction", fraction, 0.0, 1.0, _SHARE)
        self.block_size = whole_number(
            "block_size", block_size, 1, "It is the side of a block in pixels."
        )

    def known(self, clean, seeds):
        """Return a mask that is 0 inside the blocks."""
        *leading, height, width, _ = ops.shape(clean)
        size = self.block_size
        # A pixel is hidden if a block begins at any of the size x size places that reach it; each
        # place begins a block with the probability that makes this the wanted fraction.
        fraction = _per_picture(clean, self._low, self._high, next(seeds))
        begins = 1.0 - (1.0 - fraction) ** (1.0 / size**2)
        places = (*leading, height + size - 1, width + size - 1, 1)
        corners = keras.random.uniform(places, seed=next(seeds)) < begins
        corners = ops.reshape(ops.cast(corners, "float32"), (-1, *places[-3:]))
        hidden = ops.max_pool(corners, size, strides=1, padding="valid")
        return ops.reshape(1.0 - hidden, (*leading, height, width, 1))

    def get_config(self):
        """Return the constructor's arguments."""
        config = {"fraction": self.fraction, "block_size": self.block_size}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_imgen")
class MissingFrames(_Hiding):
    """Lose whole frames of a sequence, at places drawn for each sequence.

    Args:
        num_frames: how many frames each sequence loses, 0 or more, fewer than it has.
        seed: see `Degradation`.

    Input shape:
        `(..., time, height, width, channels)`.

    Raises:
        ValueError: if the input has no time axis, or no frame would remain.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MissingFrames
        >>> observed = MissingFrames(3, seed=0)(np.ones((1, 10, 8, 8, 1), "float32"))
        >>> int(np.sum(np.max(observed[..., -1], axis=(2, 3)) == 0))
        3
    """

    def __init__(self, num_frames: int = 2, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.num_frames = whole_number(
            "num_frames", num_frames, 0, "Each sequence loses so many. For 3 of 10 frames pass 3."
        )

    def known(self, clean, seeds):
        """Return a mask that is 0 in the lost frames: those with the smallest of random numbers."""
        if len(clean.shape) < 4:
            raise ValueError(
                "MissingFrames needs sequences of shape (..., time, height, width, channels). "
                f"Received: shape={tuple(clean.shape)}, which has no time axis."
            )
        length = clean.shape[-4]
        if length is not None and self.num_frames >= length:
            raise ValueError(
                "At least one frame must remain. "
                f"Received: num_frames={self.num_frames} for sequences of {length} frames."
            )
        draw = keras.random.uniform(ops.shape(clean)[:-3], seed=next(seeds))  # (..., T)
        rank = ops.argsort(ops.argsort(draw, axis=-1), axis=-1)
        return (rank >= self.num_frames)[..., None, None, None]

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_frames": self.num_frames}


@keras.saving.register_keras_serializable("keras_imgen")
class Compose(Degradation):
    """Apply several degradations one after the other.

    Each one spoils the picture's own channels; the channels that they append are collected behind
    the picture in the same order. Put noise before holes, or the holes will be noisy.

    Args:
        degradations: list of degradations; two of the same kind need different seeds, or they draw
            the same.

    Example:
        >>> from keras_imgen.degradations import AdditiveNoise, Compose, MissingFrames
        >>> Compose([AdditiveNoise(0.1), MissingFrames(2)]).extra_channels
        1
    """

    def __init__(self, degradations: Sequence[Degradation], **kwargs):
        if "seed" in kwargs:
            raise ValueError(
                "Compose draws nothing itself, so it takes no `seed`. Give one to each part: "
                "Compose([AdditiveNoise(0.1, seed=0), MissingPixels(0.3, seed=0)])."
            )
        super().__init__(**kwargs)
        is_list = isinstance(degradations, Sequence) and len(degradations) > 0
        if not is_list or not all(isinstance(d, Degradation) for d in degradations):
            raise ValueError(
                "Compose takes a list of at least one degradation. "
                f"Received: degradations={shown(degradations)}. "
                "Example: Compose([AdditiveNoise(0.1), MissingPixels(0.3)])."
            )
        self.degradations = list(degradations)
        self.extra_channels = sum(d.extra_channels for d in self.degradations)

    def call(self, clean, training=None):
        """Apply the parts in order."""
        channels = clean.shape[-1]
        picture, extras = clean, []
        for degradation in self.degradations:
            observed = degradation(picture, training=training)
            picture = observed[..., :channels]
            if degradation.extra_channels:
                extras.append(observed[..., channels:])
        return ops.concatenate([picture, *extras], axis=-1) if extras else picture

    def get_config(self):
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["seed"]
        return {**config, "degradations": keras.saving.serialize_keras_object(self.degradations)}

    @classmethod
    def from_config(cls, config):
        """Rebuild the layer and its parts."""
        degradations = keras.saving.deserialize_keras_object(config.pop("degradations"))
        return cls(degradations, **config)
