"""What all degradations share: who draws, when the draw is fixed, how strength is given."""

import functools
import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, checks
from keras_imgen.checks import number, shown
from keras_imgen.settings import as_meant, meant_on_tensors


class Operator(NamedTuple):
    """What a known degradation does to every picture: a linear function, and noise behind it.

    Attributes:
        forward: function from pictures to what is observed of them but for the noise; linear, so
            that `forward(a * x + y) == a * forward(x) + forward(y)`, and slopes go through.
        sigma: standard deviation of the white noise that follows.
        keeps: whether `forward` hides values and changes no other.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import AdditiveNoise, Blur, Compose
        >>> operator = Compose([Blur(1.6), AdditiveNoise(0.01)]).operator()
        >>> tuple(operator.forward(np.ones((1, 12, 20, 1), "float32")).shape), operator.sigma
        ((1, 12, 20, 1), 0.01)
    """

    forward: Callable
    sigma: float = 0.0
    keeps: bool = False


class Degradation(keras.layers.Layer):
    """Base of all degradations: who draws, when the draw is fixed, and how many channels are added.

    A degradation draws, and applies what it has drawn: `draw(shape, seeds)` returns the parameters,
    such as a mask or a kernel, and `apply(clean, parameters)` the observed pictures. So the same
    mask can be put on other pictures, and slopes go through `apply`. A subclass implements both,
    or, if nobody asks for its parameters, `degrade(clean, seeds)` in one; `next(seeds)` is the seed
    for one random operation. It sets `appends` if it appends channels. `WithStrength` and
    `WithMask` are bases of those that have a strength or a mask.

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
        >>> from keras_imgen.degradations import MissingBlocks
        >>> holes = MissingBlocks(0.3, seed=0)
        >>> drawn = holes.draw((1, 8, 8, 1), holes.seeds())
        >>> bright, dark = (holes.apply(x * np.ones((1, 8, 8, 1)), drawn) for x in (1.0, 0.5))
        >>> bool(np.all(bright[..., 0] == 2.0 * dark[..., 0]))  # the same holes
        True
    """

    # What the channels behind the picture's own are: "mask", 1 where a pixel is known, or "level".
    appends: tuple[str, ...] = ()
    # Whether it takes sequences only, and what befalls a frame depends on the others.
    over_time: bool = False

    def __init_subclass__(cls, **kwargs):
        """Let what a subclass computes by itself be as it is when the layer is called."""
        super().__init_subclass__(**kwargs)
        for name in {"draw", "apply"} & vars(cls).keys():
            setattr(cls, name, meant_on_tensors(vars(cls)[name]))
        if "operator" in vars(cls):
            cls.operator = _with_forward_meant(cls.operator)

    def __init__(self, *, seed: int | None = None, **kwargs):
        # Noise computed in half precision would be coarser than the pictures themselves.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        seed = None if seed is None else checks.seed(seed)
        # Read off the state, because the generator forgets a seed that it drew itself.
        self.seed = int(ops.convert_to_numpy(backends.SeedGenerator(seed).state)[0])
        self.seed_generator = backends.SeedGenerator(self._seed_of_draw(0))
        self.built = True

    @as_meant()
    def call(self, clean, training=None):
        """Degrade `clean`; `training=True` draws anew, anything else repeats the fixed draw."""
        rank = len(clean.shape)
        if rank < 3:
            raise ValueError(
                f"{type(self).__name__} degrades pictures of shape (height, width, channels) with "
                f"any leading axes. Received: shape={tuple(clean.shape)}. For grey pictures add "
                "the channel axis with `pictures[..., None]`."
            )
        dtype = keras.backend.standardize_dtype(clean.dtype)
        if "float" not in dtype:
            raise ValueError(
                f"{type(self).__name__} degrades floating-point pictures in [0, 1]. Received: "
                f"dtype={dtype}. Convert pictures of 8 bits with keras_imgen.data.to_float."
            )
        return self.degrade(clean, self.seeds(training))

    def degrade(self, clean, seeds):
        """Return the observed pictures, with parameters that are drawn now."""
        return self.apply(clean, self.draw(ops.shape(clean), seeds))

    def draw(self, shape, seeds):
        """Return the parameters for clean pictures of a shape; subclasses implement this.

        Args:
            shape: `(..., height, width, channels)`.
            seeds: what `seeds()` returns, the fixed draw, or `seeds(training=True)`, a new one.
        """
        raise NotImplementedError(self._in_one)

    def apply(self, clean, parameters):
        """Return the observed pictures for given parameters; subclasses implement this.

        Args:
            clean: pictures, as tensors or arrays, of the shape that was drawn for. Unlike a call of
                the layer, it checks nothing. Slopes go through, but not through `JpegCompression`,
                which rounds, and `PoissonNoise`, which counts: theirs are none, or 0.
            parameters: what `draw` returned.
        """
        raise NotImplementedError(self._in_one)

    def operator(self, known=None) -> Operator:
        """Return what is known of this degradation to those who undo it (`Restorer.undo`).

        Subclasses implement this if they are linear but for their noise, and nothing is drawn but
        the noise and a mask.

        Args:
            known: mask of the observed pictures, 1 where a pixel is known, as a tensor; None
                without one.

        Raises:
            ValueError: if there is no such function, or it would have to be drawn.
        """
        raise ValueError(
            f"{type(self).__name__} is not linear, or does not say how it is (`operator`), so it "
            "cannot be undone by a denoiser. Train a Restorer for it."
        )

    def seeds(self, training=None) -> Iterator:
        """Return seeds for `draw`: of a new draw in training, else those of the fixed one."""
        if training:
            return itertools.repeat(self.seed_generator)
        return map(self._seed_of_draw, itertools.count(1))

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

    @property
    def _in_one(self):
        return (
            f"{type(self).__name__} draws and applies in one method, `degrade`. To use its "
            "parameters again, write `draw(shape, seeds)` and `apply(clean, parameters)` instead."
        )

    def _seed_of_draw(self, draw: int) -> int:
        # Every kind of degradation gets numbers of its own. From the same ones, noise would be
        # weaker at the pixels that a mask of the same seed leaves known.
        return zlib.crc32(f"{type(self).__name__} {self.seed} {draw}".encode())


def _with_forward_meant(operator):
    @functools.wraps(operator)
    def wrapped(self, *args, **kwargs):
        made = operator(self, *args, **kwargs)
        return made._replace(forward=meant_on_tensors(made.forward))

    return wrapped


class WithStrength(Degradation):
    """Base of degradations of one strength, which may be appended as the level channel.

    A subclass implements `degraded(clean, strength)`, where `strength` is broadcastable to the
    pictures, `(..., 1, 1, 1)`. What else it draws it returns from `draw_others(shape, seeds)`, a
    dict of more arguments of `degraded`.

    Args:
        argument: name of the one that is the strength, kept as an attribute of that name.
        strength: a number, or a pair `(smallest, largest)` to be drawn from.
        bounds: between which it must lie.
        hint: what it means, for those who pass something else.
        append_level: whether the strength follows the picture as a channel; a number in (0, 1)
            gives it for that share of the pictures, and 0 for the others, so that a network
            learns to do with and without.
        **kwargs: as for `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import WithStrength
        >>> class Darker(WithStrength):
        ...     def __init__(self, share=(0.0, 0.5), *, append_level=False, **kwargs):
        ...         hint = "It is the share of light that is lost."
        ...         super().__init__(
        ...             "share", share, (0.0, 1.0), hint, append_level=append_level, **kwargs
        ...         )
        ...     def degraded(self, clean, strength):
        ...         return clean * (1.0 - strength)
        >>> tuple(Darker(append_level=True, seed=0)(np.ones((2, 8, 8, 3), "float32")).shape)
        (2, 8, 8, 4)
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
        advice = "It is the share of pictures of which the level is given: True, or 0.5 for half."
        share = float(append_level) if isinstance(append_level, bool) else append_level
        self.share_given = checks.number("append_level", share, 0.0, 1.0, advice)
        self.append_level = append_level
        self.appends = ("level",) if append_level else ()

    def draw(self, shape, seeds):
        """Return the strength, what else is drawn, and the draw by which a level is given."""
        strength = per_picture(shape, *self.range, next(seeds))
        drawn = {"strength": strength, **self.draw_others(shape, seeds)}
        if 0.0 < self.share_given < 1.0:
            drawn["share"] = per_picture(shape, 0.0, 1.0, next(seeds))
        return drawn

    def apply(self, clean, parameters):
        """Return the observed pictures and, if asked, behind them their strength as a channel."""
        drawn = dict(parameters)
        share = drawn.pop("share", None)
        observed = self.degraded(clean, **drawn)
        if not self.append_level:
            return observed
        level = self.as_level(ops.cast(drawn["strength"], self.compute_dtype))
        if share is not None:
            level = ops.where(share < self.share_given, level, 0.0)
        level = ops.broadcast_to(level, (*ops.shape(clean)[:-1], 1))
        return ops.concatenate([observed, level], axis=-1)

    def draw_others(self, shape, seeds) -> dict:
        """Return what is drawn beside the strength: more arguments of `degraded`."""
        return {}

    def fixed(self) -> float:
        """Return the strength, or raise if it is drawn."""
        low, high = self.range
        if low != high:
            raise ValueError(
                f"To undo it one must know the strength of {type(self).__name__}. Received: "
                f"{self._argument}={getattr(self, self._argument)}. Pass one number. {self._hint}"
            )
        return low

    def degraded(self, clean, strength):
        """Return the observed pictures; subclasses implement this."""
        raise NotImplementedError

    def as_level(self, strength):
        """Return the level channel's value for a strength: a number of the order of 1."""
        return strength

    def checked_level(self, level) -> float:
        """Return the level channel's value for a strength that somebody passed, or raise.

        It must be one that the network has learned from: given others, networks err badly.
        """
        advice = f"The model has learned from no others. {self._hint}"
        level = checks.number("level", level, *self.range, advice)
        if level == 0.0 and self.share_given < 1.0:
            raise ValueError(
                "`level` must not be 0, which stands for a level that is not given. "
                f"Received: level={level:g}. Leave it out."
            )
        return self.as_level(level)

    def get_config(self):
        """Return the constructor's arguments."""
        own = {self._argument: getattr(self, self._argument), "append_level": self.append_level}
        return {**super().get_config(), **own}


class WithMask(Degradation):
    """Base of degradations that set some pixels to 0 and append the mask of the known ones.

    A subclass implements `known(shape, seeds)`.

    Args:
        seed: see `Degradation`.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from keras_imgen.degradations import WithMask
        >>> class MissingRow(WithMask):
        ...     def known(self, shape, seeds):
        ...         leading, height = shape[:-3], shape[-3]
        ...         row = keras.random.randint((*leading, 1, 1, 1), 0, height, seed=next(seeds))
        ...         return keras.ops.arange(height)[:, None, None] != row
        >>> tuple(MissingRow(seed=0)(np.ones((2, 8, 8, 3), "float32")).shape)
        (2, 8, 8, 4)
    """

    appends = ("mask",)

    def draw(self, shape, seeds):
        """Return the mask, `(..., height, width, 1)`."""
        mask = ops.cast(self.known(shape, seeds), self.compute_dtype)
        return {"mask": ops.broadcast_to(mask, (*shape[:-1], 1))}

    def apply(self, clean, parameters):
        """Return the known pixels and, behind them, the mask channel."""
        mask = parameters["mask"]
        return ops.concatenate([clean * mask, mask], axis=-1)

    def operator(self, known=None):
        """Return the function that hides what the observed pictures' own mask hides."""
        if known is None:
            raise ValueError(
                f"What {type(self).__name__} has hidden is not known. Received: no mask. Pass "
                "`known`, 1 where a pixel is known, or leave the mask behind the observed pictures."
            )
        known = ops.convert_to_tensor(known)
        return Operator(lambda pictures: pictures * known, keeps=True)

    def known(self, shape, seeds):
        """Return the mask, 1 where the pixel is known, broadcastable to `(..., height, width, 1)`.

        Args:
            shape: that of the clean pictures, `(..., height, width, channels)`.
            seeds: iterator; `next(seeds)` is the seed for one random operation.
        """
        raise NotImplementedError


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


def per_picture(shape, low: float, high: float, seed):
    """Draw one number in [low, high] for each picture, shaped to broadcast over its pixels."""
    if low == high:
        return low
    return keras.random.uniform((*shape[:-3], 1, 1, 1), low, high, seed=seed)


def as_batch(clean, *strengths):
    """Return pictures as one batch `(n, h, w, c)`, and strengths as `(n,)` each."""
    *leading, height, width, channels = ops.shape(clean)
    flat = [ops.reshape(ops.broadcast_to(s, (*leading, 1, 1, 1)), (-1,)) for s in strengths]
    return ops.reshape(clean, (-1, height, width, channels)), *flat
