"""What all degradations share: who draws, when the draw is fixed, how strength is given."""

import itertools
import zlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, checks
from keras_imgen.checks import number, shown
from keras_imgen.settings import as_meant


class Degradation(keras.layers.Layer):
    """Base of all degradations: who draws, when the draw is fixed, and how many channels are added.

    A subclass implements `degrade(clean, seeds)`, where `next(seeds)` is the seed for one random
    operation, and sets `appends` if it appends channels.

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

    # What the channels behind the picture's own are: "mask", 1 where a pixel is known, or "level".
    appends: tuple[str, ...] = ()

    def __init__(self, *, seed: int | None = None, **kwargs):
        # Noise computed in half precision would be coarser than the pictures themselves.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        seed = None if seed is None else checks.seed(seed)
        # Read off the state, because the generator forgets a seed that it drew itself.
        self.seed = int(ops.convert_to_numpy(keras.random.SeedGenerator(seed).state)[0])
        self.seed_generator = backends.SeedGenerator(self._seed_of_draw(0))
        self.built = True

    @as_meant()
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

    @property
    def extra_channels(self) -> int:
        """How many channels are appended."""
        return len(self.appends)

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


class Graded(Degradation):
    """A degradation of one strength; it may tell the network which strength it has drawn.

    A subclass implements `spoil(clean, strength, seeds)`, where `strength` is broadcastable to the
    pictures `(..., 1, 1, 1)`.

    Args:
        argument: name of the one that is the strength, kept as an attribute of that name.
        strength: a number, or a pair `(smallest, largest)` to be drawn from.
        bounds: between which it must lie.
        hint: what it means, for those who pass something else.
        append_level: whether the strength follows the picture as a channel; a number in (0, 1)
            tells it of that share of the pictures, and 0 of the others, so that a network learns to
            do with and without.
        **kwargs: as for `Degradation`.
    """

    def __init__(
        self,
        argument: str,
        strength: float | Sequence[float],
        bounds: tuple[float, float],
        hint: str,
        *,
        append_level: bool | float,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.range = strength_range(argument, strength, *bounds, hint)
        self._argument, self._hint = argument, hint
        setattr(self, argument, strength)
        advice = "It is the share of pictures of which the level is told: True, or 0.5 for half."
        share = float(append_level) if isinstance(append_level, bool) else append_level
        self.share_told = checks.number("append_level", share, 0.0, 1.0, advice)
        self.append_level = append_level
        self.appends = ("level",) if append_level else ()

    def degrade(self, clean, seeds):
        """Return the observed pictures and, if asked, behind them their strength as a channel."""
        strength = per_picture(clean, *self.range, next(seeds))
        observed = self.spoil(clean, strength, seeds)
        if not self.append_level:
            return observed
        told = self.told(ops.cast(strength, self.compute_dtype))
        if self.share_told < 1.0:
            share = per_picture(clean, 0.0, 1.0, next(seeds))
            told = ops.where(share < self.share_told, told, 0.0)
        level = ops.broadcast_to(told, (*ops.shape(clean)[:-1], 1))
        return ops.concatenate([observed, level], axis=-1)

    def spoil(self, clean, strength, seeds: Iterator):
        """Return the observed pictures; subclasses implement this."""
        raise NotImplementedError

    def told(self, strength):
        """Return the level channel's value for a strength: a number of the order of 1."""
        return strength

    def checked_level(self, level) -> float:
        """Return what a network is told of a strength that somebody passed, or raise.

        It must be one that the network has learned from: told others, networks err badly.
        """
        advice = f"The model has learned from no others. {self._hint}"
        level = checks.number("level", level, *self.range, advice)
        if level == 0.0 and self.share_told < 1.0:
            raise ValueError(
                "`level` must not be 0, which stands for a level that is not told. "
                f"Received: level={level:g}. Leave it out."
            )
        return self.told(level)

    def get_config(self):
        """Return the constructor's arguments."""
        own = {self._argument: getattr(self, self._argument), "append_level": self.append_level}
        return {**super().get_config(), **own}


class _Combined(Degradation):
    """A degradation made of others."""

    def __init__(self, degradations: Sequence[Degradation], **kwargs):
        super().__init__(**kwargs)
        name, is_list = type(self).__name__, isinstance(degradations, Sequence)
        if (
            not is_list
            or not degradations
            or not all(isinstance(d, Degradation) for d in degradations)
        ):
            raise ValueError(
                f"{name} takes a list of at least one degradation. "
                f"Received: degradations={shown(degradations)}. "
                f"Example: {name}([MissingBlocks(0.1), MissingPixels(0.3)])."
            )
        self.degradations = list(degradations)

    def get_config(self):
        """Return the constructor's arguments."""
        parts = keras.saving.serialize_keras_object(self.degradations)
        return {**super().get_config(), "degradations": parts}

    @classmethod
    def from_config(cls, config):
        """Rebuild the layer and its parts."""
        degradations = keras.saving.deserialize_keras_object(config.pop("degradations"))
        return cls(degradations, **config)


@keras.saving.register_keras_serializable("keras_imgen")
class Compose(_Combined):
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
        super().__init__(degradations, **kwargs)
        self.appends = tuple(name for d in self.degradations for name in d.appends)

    @as_meant()
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
        return config


@keras.saving.register_keras_serializable("keras_imgen")
class OneOf(_Combined):
    """Spoil each picture in one of several ways, drawn at random.

    For training one network for all of them. Whatever is drawn, the same channels are appended.

    Args:
        degradations: list of degradations that append the same channels; two of the same kind need
            different seeds, or they draw the same.
        seed: see `Degradation`; it is for which way is drawn.

    Example:
        >>> from keras_imgen.degradations import MissingBlocks, MissingPixels, OneOf
        >>> OneOf([MissingPixels(0.5), MissingBlocks(0.2)]).extra_channels
        1
    """

    def __init__(self, degradations: Sequence[Degradation], *, seed=None, **kwargs):
        super().__init__(degradations, seed=seed, **kwargs)
        appended = sorted({", ".join(d.appends) or "nothing" for d in self.degradations})
        if len(appended) > 1:
            raise ValueError(
                "OneOf takes degradations that append the same channels. Received: some that "
                f"append {' and some that append '.join(appended)}. Put together holes, or noises."
            )
        self.appends = self.degradations[0].appends

    @as_meant()
    def call(self, clean, training=None):
        """Spoil all pictures in all ways, and keep one of them for each."""
        leading = ops.shape(clean)[:-3]
        draw = keras.random.uniform((*leading, 1, 1, 1), seed=next(self._seeds(training)))
        way = ops.floor(draw * len(self.degradations))
        observed = 0.0
        for index, degradation in enumerate(self.degradations):
            spoiled = degradation(clean, training=training)
            observed = observed + spoiled * ops.cast(way == index, spoiled.dtype)
        return observed


def strength_range(name: str, value, low: float, high: float, hint: str) -> tuple[float, float]:
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


def per_picture(clean, low: float, high: float, seed):
    """Draw one number in [low, high] for each picture, shaped to broadcast over its pixels."""
    leading = ops.shape(clean)[:-3]
    if low == high:
        return low
    return keras.random.uniform((*leading, 1, 1, 1), low, high, seed=seed)


def as_batch(clean, *strengths):
    """Return pictures as one batch `(n, h, w, c)`, and strengths as `(n,)` each."""
    *leading, height, width, channels = ops.shape(clean)
    flat = [ops.reshape(ops.broadcast_to(s, (*leading, 1, 1, 1)), (-1,)) for s in strengths]
    return ops.reshape(clean, (-1, height, width, channels)), *flat
