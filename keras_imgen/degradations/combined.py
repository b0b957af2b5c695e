"""Several degradations: one after the other, or one of them drawn at random."""

import functools
from collections.abc import Sequence

import keras
from keras import ops

from keras_imgen.checks import shown
from keras_imgen.degradations.base import Degradation, Operator, per_picture
from keras_imgen.degradations.noise import AdditiveNoise
from keras_imgen.degradations.over_time import Persistent
from keras_imgen.settings import as_meant


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
        self.over_time = any(degradation.over_time for degradation in degradations)

    def seeds(self, training=None):
        """Return its own seeds, and behind them those of each part."""
        parts = [degradation.seeds(training) for degradation in self.degradations]
        return [super().seeds(training), *parts]

    def draw(self, shape, seeds):
        """Return the parameters of each part."""
        return [part.draw(shape, s) for part, s in zip(self.degradations, seeds[1:], strict=True)]

    @property
    def share_given(self) -> float:
        """Share of the pictures whose level is told: by the part that tells it least often."""
        told = (part for part in self.degradations if "level" in part.appends)
        return min((getattr(part, "share_given", 0.0) for part in told), default=0.0)

    def checked_level(self, level) -> float:
        """Return the level channel's value for a strength that somebody passed, or raise.

        It must be one that the network has learned from, from whichever part.
        """
        parts = [part for part in self.degradations if "level" in part.appends]
        values, errors = set(), []
        for part in parts:
            try:
                values.add(part.checked_level(level))
            except ValueError as error:
                errors.append(error)
        if not values:
            raise errors[-1]
        if len(values) > 1:
            raise ValueError(
                f"`level` means one thing to one of {[type(part).__name__ for part in parts]} and "
                f"another to the next. Received: level={level:g}. Append it behind the pictures."
            )
        return values.pop()

    def get_config(self):
        """Return the constructor's arguments."""
        parts = keras.saving.serialize_keras_object(self.degradations)
        return {**super().get_config(), "degradations": parts}

    @classmethod
    def from_config(cls, config):
        """Rebuild the layer and its parts."""
        degradations = keras.saving.deserialize_keras_object(config.pop("degradations"))
        return cls(degradations, **config)


def parts_of(degradation):
    """Return all that a degradation applies one after the other."""
    if isinstance(degradation, Persistent):
        return parts_of(degradation.degradation)
    if not isinstance(degradation, Compose):
        return [degradation]
    return [part for each in degradation.degradations for part in parts_of(each)]


@keras.saving.register_keras_serializable("keras_imgen")
class Compose(_Combined):
    """Apply several degradations one after the other.

    Each one degrades the picture's own channels; the channels that they append are collected behind
    the picture in the same order. Put noise before holes, or the holes will be noisy.

    Args:
        degradations: list of degradations; two of the same kind need different seeds, or they would
            draw the same.

    Raises:
        ValueError: if two of the same kind have the same seed.

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
        draws = [(type(d).__name__, d.seed) for d in parts_of(self)]
        if twice := [draw for draw in draws if draws.count(draw) > 1]:
            raise ValueError(
                "Two degradations of one kind need different seeds, or they draw the same. "
                f"Received: {twice[0][0]} twice with seed={twice[0][1]}. Give each a seed of its "
                "own, or none."
            )
        self.appends = tuple(name for d in self.degradations for name in d.appends)

    @as_meant()
    def call(self, clean, training=None):
        """Apply the parts in order."""
        return self._in_turn(
            clean, [functools.partial(d, training=training) for d in self.degradations]
        )

    def apply(self, clean, parameters):
        """Apply the parts in order, each with its own parameters."""
        parts = zip(self.degradations, parameters, strict=True)
        return self._in_turn(clean, [functools.partial(d.apply, parameters=p) for d, p in parts])

    def operator(self, known=None):
        """Return the functions of all parts, one after the other, and all their noise."""
        forward, variance, keeps, hidden, mixed = [], 0.0, True, False, False
        for part in parts_of(self):
            step = part.operator(known)
            hides = "mask" in part.appends
            if hides and mixed:
                raise ValueError(
                    "Pixels may be missing before something or behind it, not both: only one mask "
                    f"is told. Received: {', '.join(type(p).__name__ for p in parts_of(self))}. "
                    "Undo one after the other, the last one first."
                )
            hidden = hidden or hides
            mixed = mixed or (hidden and not (step.keeps or isinstance(part, AdditiveNoise)))
            if variance and not (hides or isinstance(part, AdditiveNoise)):
                raise ValueError(
                    f"Noise must come behind what it is observed through. Received: noise before "
                    f"{type(part).__name__}. Put it behind, as in "
                    "Compose([Blur(1.5), AdditiveNoise(0.01)])."
                )
            forward.append(step.forward)
            variance += step.sigma**2
            keeps = keeps and step.keeps
        return Operator(
            lambda pictures: functools.reduce(lambda x, step: step(x), forward, pictures),
            variance**0.5,
            keeps,
        )

    def _in_turn(self, clean, functions):
        channels = clean.shape[-1]
        picture, extras = clean, []
        for degradation, degraded in zip(self.degradations, functions, strict=True):
            observed = degraded(picture)
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
        way = self._way(ops.shape(clean), self.seeds(training))
        return self._chosen(way, [part(clean, training=training) for part in self.degradations])

    def draw(self, shape, seeds):
        """Return which way each picture goes, and the parameters of all ways."""
        return {"way": self._way(shape, seeds), "parts": super().draw(shape, seeds)}

    def apply(self, clean, parameters):
        """Spoil all pictures in all ways, and keep one of them for each."""
        parts = zip(self.degradations, parameters["parts"], strict=True)
        return self._chosen(parameters["way"], [d.apply(clean, p) for d, p in parts])

    def _way(self, shape, seeds):
        return ops.floor(per_picture(shape, 0.0, len(self.degradations), next(seeds[0])))

    def _chosen(self, way, ways):
        return sum(degraded * ops.cast(way == i, degraded.dtype) for i, degraded in enumerate(ways))
