"""Over time: what befalls the frames of a film, or stays the same in all of them."""

import math
from collections.abc import Sequence

import keras
from keras import ops

from keras_imgen.checks import flag, number, shown, whole_number
from keras_imgen.degradations.base import (
    Degradation,
    WithMask,
    WithStrength,
    per_picture,
    strength_range,
)


def num_frames_of(degradation: Degradation, shape):
    """Return how many frames sequences of a shape have, or raise if it has no time axis."""
    if len(shape) < 4:
        raise ValueError(
            f"{type(degradation).__name__} needs sequences of shape (..., time, height, width, "
            f"channels). Received: shape={tuple(shape)}, which has no time axis."
        )
    return shape[-4]


@keras.saving.register_keras_serializable("keras_imgen")
class MissingFrames(WithMask):
    """Lose whole frames of a sequence, at places drawn for each sequence.

    Args:
        num_frames: how many frames each sequence loses, 0 or more, fewer than it has.
        at_end: whether these are its last ones: what fills them in predicts
            (`Restorer.extrapolate`).
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

    over_time = True

    def __init__(self, num_frames: int = 2, *, at_end: bool = False, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.num_frames = whole_number(
            "num_frames", num_frames, 0, "Each sequence loses so many. For 3 of 10 frames pass 3."
        )
        flag("at_end", at_end)
        self.at_end = at_end

    def known(self, shape, seeds):
        """Return a mask that is 0 in the lost frames: those with the smallest of random numbers."""
        length = num_frames_of(self, shape)
        if isinstance(length, int) and self.num_frames >= length:
            raise ValueError(
                "At least one frame must remain. "
                f"Received: num_frames={self.num_frames} for sequences of {length} frames."
            )
        if self.at_end:
            return (ops.arange(length) < length - self.num_frames)[:, None, None, None]
        draw = keras.random.uniform(shape[:-3], seed=next(seeds))  # (..., T)
        rank = ops.argsort(ops.argsort(draw, axis=-1), axis=-1)
        return (rank >= self.num_frames)[..., None, None, None]

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_frames": self.num_frames, "at_end": self.at_end}


@keras.saving.register_keras_serializable("keras_imgen")
class Flicker(WithStrength):
    """Make each frame brighter or darker than it was, as old films and cheap lamps do.

    Each frame is multiplied by a number of its own, drawn evenly from `1 - strength` to
    `1 + strength`. The observed frames are **not** clipped to [0, 1]: who scans a film takes care
    that its brightest frame keeps its lights, so nothing is lost but how bright it was.

    Args:
        strength: by which share a frame becomes brighter or darker at most, in [0, 1]. A pair
            `(low, high)` draws one per sequence.
        append_level: whether the strength follows the picture as a channel.
        seed: see `Degradation`.

    Input shape:
        `(..., time, height, width, channels)`.

    Raises:
        ValueError: if the input has no time axis.

    Source: van Roosmalen et al. 1999 (IEEE Trans. Circuits and Systems for Video Technology 9(7)),
        with one gain for the whole frame and without an offset.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import Flicker
        >>> observed = np.asarray(Flicker(0.3, seed=0)(np.full((6, 8, 8, 1), 0.5, "float32")))
        >>> len(set(observed.mean(axis=(1, 2, 3)).tolist()))  # brightnesses of six frames
        6
    """

    over_time = True

    def __init__(
        self,
        strength: float | Sequence[float] = 0.2,
        *,
        append_level: bool | float = False,
        seed=None,
        **kwargs,
    ):
        hint = "It is by which share frames become brighter or darker: 0.2 is clearly visible."
        options = {"append_level": append_level, "seed": seed, **kwargs}
        super().__init__("strength", strength, (0.0, 1.0), hint, **options)

    def draw(self, shape, seeds):
        """Return the strength of each sequence, and what becomes of each frame, from -1 to 1."""
        length = num_frames_of(self, shape)
        *leading, _, height, width, channels = shape
        drawn = super().draw((*leading, 1, height, width, channels), seeds)
        turns = per_picture((*leading, length, height, width, channels), -1.0, 1.0, next(seeds))
        return {**drawn, "turns": turns}

    def degraded(self, clean, strength, turns):
        """Return the frames times their numbers."""
        return clean * (1.0 + strength * turns)


@keras.saving.register_keras_serializable("keras_imgen")
class Scratches(Degradation):
    """Draw vertical lines, bright or dark, that stay for some frames, as a worn film has them.

    A line runs from top to bottom, trembles by half a pixel, and lets through up to half of what
    is behind it. When it ends, another begins elsewhere. No mask is appended: where they are, the
    network must find out.

    Args:
        num_lines: how many lines a frame has, 0 to 100.
        width: of a line, in pixels, 0 to 100; a line of half a pixel is half as strong.
        lifetime: for how many frames a line stays on average, at least 1. Each frame may be its
            last one, with equal chance.
        seed: see `Degradation`.

    Input shape:
        `(..., time, height, width, channels)`.

    Raises:
        ValueError: if the input has no time axis.

    Source: after what Kokaram 1998 (Motion Picture Restoration, Springer) says of line scratches;
        the profile here is a box.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import Scratches
        >>> observed = np.asarray(Scratches(3, seed=0)(np.full((10, 64, 64, 1), 0.5, "float32")))
        >>> bool(np.all(observed == observed[:, :1]))  # the same from top to bottom
        True
    """

    over_time = True
    TREMBLE = 0.5  # pixels to each side, anew in each frame
    OPACITIES = (0.5, 1.0)

    def __init__(
        self, num_lines: int = 3, width: float = 1.0, lifetime: float = 5.0, *, seed=None, **kwargs
    ):
        super().__init__(seed=seed, **kwargs)
        advice = "It is the number of lines of a frame."
        self.num_lines = whole_number("num_lines", num_lines, 0, advice, 100)
        self.width = number("width", width, 0.0, 100.0, "It is that of a line, in pixels.")
        advice = "It is for how many frames a line stays on average."
        self.lifetime = number("lifetime", lifetime, 1.0, advice=advice)

    def draw(self, shape, seeds):
        """Return which share of each column is seen, and the light of the lines before it."""
        length = num_frames_of(self, shape)
        if self.num_lines == 0:
            return {"seen": 1.0, "light": 0.0}
        *leading, _, _, width, _ = shape

        def uniform(length, low=0.0, high=1.0):
            return keras.random.uniform(
                (*leading, length, self.num_lines), low, high, seed=next(seeds)
            )

        # The frames in which a line is followed by another; so each is the first, the second, ...
        begins = ops.cast(uniform(length) < 1.0 / self.lifetime, "int32")
        which = ops.cumsum(begins, axis=-2)

        def of_line(low, high):
            return ops.take_along_axis(uniform(length + 1, low, high), which, axis=-2)

        place = of_line(0.0, 1.0) * ops.cast(width, "float32")
        place += uniform(length, -self.TREMBLE, self.TREMBLE)
        opacity, is_bright = of_line(*self.OPACITIES), ops.cast(of_line(0.0, 1.0) < 0.5, "float32")
        # How much of each pixel a line covers, (..., time, lines, width).
        distance = ops.abs(ops.arange(width, dtype="float32") + 0.5 - place[..., None])
        covered = ops.clip(0.5 * self.width + 0.5 - distance, 0.0, min(1.0, self.width))
        covered *= opacity[..., None]
        seen, light = 1.0, 0.0
        for line in range(self.num_lines):
            through = 1.0 - covered[..., line, :]
            seen = seen * through
            light = light * through + covered[..., line, :] * is_bright[..., line, None]
        return {name: x[..., None, :, None] for name, x in (("seen", seen), ("light", light))}

    def apply(self, clean, parameters):
        """Return the frames behind the lines."""
        return clean * parameters["seen"] + parameters["light"]

    def get_config(self):
        """Return the constructor's arguments."""
        own = {"num_lines": self.num_lines, "width": self.width, "lifetime": self.lifetime}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("keras_imgen")
class Persistent(Degradation):
    """Degrade all frames of a sequence alike, as dirt on a lens or a caption does.

    By itself a degradation draws anew for each frame. Within this one it draws once for each
    sequence: holes and noise stand still, and one blur goes through the whole film. Holes may also
    move, in a straight line.

    Args:
        degradation: a degradation that draws and applies in two methods (`draw`, `apply`), also
            `Compose` and `OneOf`, but none that is over time itself.
        speed: of holes, in pixels per frame, 0 to 1000, in a direction drawn for each sequence;
            they move by whole pixels, and what leaves at one side comes in at the other. A pair
            `(low, high)` draws one per sequence.
        seed: see `Degradation`; it is for speed and direction.

    Input shape:
        `(..., time, height, width, channels)`.

    Raises:
        ValueError: if the input has no time axis, or what cannot persist or move is asked to.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MissingBlocks, Persistent
        >>> holes = Persistent(MissingBlocks(0.2, 4, seed=0))
        >>> mask = np.asarray(holes(np.ones((2, 5, 16, 16, 1), "float32")))[..., 1]
        >>> bool(np.all(mask == mask[:, :1])), bool(np.all(mask[0] == mask[1]))
        (True, False)
    """

    over_time = True

    def __init__(
        self,
        degradation: Degradation,
        speed: float | Sequence[float] = 0.0,
        *,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        if not isinstance(degradation, Degradation) or degradation.over_time:
            received = shown(degradation)
            if isinstance(degradation, Degradation):
                received = f"{type(degradation).__name__}, which goes over time itself"
            raise ValueError(
                "Persistent takes a degradation of single pictures, to degrade all frames alike. "
                f"Received: {received}. Example: Compose([Persistent(MissingBlocks(0.1)), "
                "MissingFrames(2)])."
            )
        self.degradation, self.speed = degradation, speed
        hint = "It is how far holes move from frame to frame, in pixels."
        self._low, self._high = strength_range("speed", speed, 0.0, 1000.0, hint)
        if self._high > 0.0 and not isinstance(degradation, WithMask):
            raise ValueError(
                "Only holes can move, those of one degradation that appends a mask. Received: "
                f"speed={shown(speed)} for {type(degradation).__name__}. Leave `speed` out, or put "
                "the holes alone into Persistent: Compose([AdditiveNoise(0.1), "
                "Persistent(MissingBlocks(0.1), speed=2)])."
            )
        self.appends = degradation.appends
        if hasattr(degradation, "checked_level"):  # for models that are told a level
            self.share_given = degradation.share_given
            self.checked_level = degradation.checked_level
        if isinstance(degradation, WithStrength):
            self.range = degradation.range

    def seeds(self, training=None):
        """Return its own seeds, and behind them those of what persists."""
        return [super().seeds(training), self.degradation.seeds(training)]

    def draw(self, shape, seeds):
        """Return the parameters for one frame of each sequence, and where its holes go."""
        num_frames_of(self, shape)
        own, inner = seeds
        frame = (*shape[:-4], *shape[-3:])
        drawn = {"of_frame": self.degradation.draw(frame, inner)}
        if self._high > 0.0:
            drawn["speed"] = per_picture(frame, self._low, self._high, next(own))
            drawn["direction"] = per_picture(frame, 0.0, 2.0 * math.pi, next(own))
        return drawn

    def apply(self, clean, parameters):
        """Return all frames with the parameters of one."""
        of_frame, frames = parameters["of_frame"], ops.moveaxis(ops.convert_to_tensor(clean), -4, 0)

        def observed(given):
            frame, masks = given
            return self.degradation.apply(frame, {**of_frame, **masks} if masks else of_frame)

        masks = {}
        if "speed" in parameters:
            length, *_ = ops.shape(frames)
            mask = ops.broadcast_to(of_frame["mask"], (length, *ops.shape(of_frame["mask"])))
            times = ops.arange(length, dtype="float32")
            times = ops.reshape(times, (length, *[1] * (len(mask.shape) - 1)))
            masks["mask"] = _moved(mask, times * parameters["speed"], parameters["direction"])
        # One after the other: so each is degraded as a picture of the shape that was drawn for.
        return ops.moveaxis(ops.map(observed, (frames, masks)), 0, -4)

    def operator(self, known=None):
        """Return that of what persists, which does the same to each frame."""
        return self.degradation.operator(known)

    def get_config(self):
        """Return the constructor's arguments."""
        inner = keras.saving.serialize_keras_object(self.degradation)
        return {**super().get_config(), "degradation": inner, "speed": self.speed}

    @classmethod
    def from_config(cls, config):
        """Rebuild the layer and what persists."""
        inner = keras.saving.deserialize_keras_object(config.pop("degradation"))
        return cls(inner, **config)


def _moved(mask, way, direction):
    """Return masks `(..., height, width, 1)`, each moved by whole pixels around the picture."""
    *leading, height, width, _ = ops.shape(mask)
    rows, columns = (
        ops.cast(ops.round(way * share), "int32")[..., 0]
        for share in (ops.sin(direction), ops.cos(direction))
    )
    rows = ops.mod(ops.arange(height)[:, None] - rows, height)
    columns = ops.mod(ops.arange(width) - columns, width)
    places = ops.reshape(rows * width + columns, (*leading, height * width))
    moved = ops.take_along_axis(ops.reshape(mask, (*leading, height * width)), places, axis=-1)
    return ops.reshape(moved, (*leading, height, width, 1))
