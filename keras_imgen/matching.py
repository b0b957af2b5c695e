"""Checks whether a network, a degradation and a mask match, for `Restorer`."""

import numpy as np
from keras import ops

from keras_imgen import backends
from keras_imgen.checks import dtype_name, shown
from keras_imgen.data import check_pictures
from keras_imgen.data.dataset import NOISE
from keras_imgen.degradations import (
    AdditiveNoise,
    Degradation,
    Flicker,
    MissingPixels,
    Mosaic,
    PoissonNoise,
    SaltAndPepper,
    Scratches,
)
from keras_imgen.degradations.combined import parts_of
from keras_imgen.sizes import multiple_of_sides

# What changes each pixel by itself, and so carries nothing into holes. Of others nobody knows.
IN_PLACE = (AdditiveNoise, Flicker, Mosaic, PoissonNoise, SaltAndPepper, Scratches)
NO_LEVEL = "This model is conditioned on a level. Received: none. Pass `level`."


def checked_mask(known, shape):
    """Return a mask as an array of this shape, or raise if it is none."""
    try:
        known = np.broadcast_to(np.asarray(known, "float32"), shape)
    except (TypeError, ValueError):
        received = f"shape={known.shape}" if hasattr(known, "shape") else f"known={shown(known)}"
        raise ValueError(
            f"`known` must fit the pictures: {shape}. Received: {received}. A mask of height and "
            "width alone takes known[None, ..., None]."
        ) from None
    if not np.all((known == 0.0) | (known == 1.0)):
        raise ValueError(
            "`known` must be 1 where a pixel is known and 0 where it is missing. Received: values "
            f"from {known.min():g} to {known.max():g}, others among them."
        )
    return known


def checked_multiple(network):
    """Return of what the sides that a network sees must be multiples, or refuse the network."""
    if (multiple := multiple_of_sides(network)) is not None:
        return multiple
    raise ValueError(
        "`network` must return pictures of the size that it takes. Received: the network "
        f"{network.name!r}, which returns another one, whatever size it takes. Use padding='same', "
        "and enlarge as often as you halve."
    )


def check_match(network, degradation, keep_known) -> None:
    """Raise unless a network takes what a degradation, or a set of pairs, observes."""
    taken, made = network.input_shape, network.output_shape
    if len(taken) not in (4, 5) or taken[:-1] != made[:-1]:
        raise ValueError(
            "`network` must return pictures of the size that it takes, (batch, [time,] height, "
            f"width, channels). Received: a network from {taken} to {made}."
        )
    if degradation is None:
        if keep_known and taken[-1] != made[-1] + 1:
            raise ValueError(
                "`keep_known` needs pairs whose observed pictures have a mask behind them and "
                f"nothing else. Received: a network from {taken[-1]} channels to {made[-1]}. Build "
                "it with extra_channels=1."
            )
        return
    if taken[-1] != made[-1] + degradation.extra_channels:
        raise ValueError(
            f"{type(degradation).__name__} appends {' and '.join(degradation.appends) or 'nothing'}"
            f", so the network must take {made[-1] + degradation.extra_channels} channels. "
            f"Received: a network that takes {taken[-1]}. Build it with "
            f"extra_channels={degradation.extra_channels}."
        )
    if keep_known and degradation.appends != ("mask",):
        raise ValueError(
            "`keep_known` needs a degradation that appends a mask and nothing else, such as "
            f"MissingPixels. Received: {type(degradation).__name__}, which appends "
            f"{', '.join(degradation.appends) or 'nothing'}."
        )


def takes_noise_level(model) -> bool:
    """Return whether a model is conditioned on the strength of white noise and on nothing else."""
    return getattr(model, "appends", ()) == ("level",) and isinstance(
        model.degradation, AdditiveNoise
    )


def must_be_told(model) -> bool:
    """Return whether a model was given the strength in every step, so that 0 is a wrong one."""
    return model.appends == ("level",) and getattr(model.degradation, "share_given", 0.0) == 1.0


def conditioned(model, observed, known, level):
    """Return observed pictures as an array with all the channels that a model's network takes.

    Args:
        model: a `Restorer`.
        observed: pictures, with the channels that the degradation appends or without.
        known: mask, or None.
        level: strength, or None.
    """
    if dtype_name(observed) == "object":
        check_pictures(observed, name="observed")
    observed = ops.convert_to_numpy(observed)
    appends, channels = model.appends, model.image_shape[-1]
    wanted = model.network.input_shape
    known_channels = observed.shape[-1:] in ((channels,), (wanted[-1],))
    if observed.ndim != len(wanted) or not observed.size or not known_channels:
        # Now, while the shape is the one that was passed.
        check_pictures(observed, model.image_shape, "observed", noise=NOISE)
    for name, value, what in (("known", known, "mask"), ("level", level, "level")):
        if value is not None and appends != (what,):
            raise ValueError(
                f"`{name}` is for models whose degradation appends a {what} and nothing else. "
                f"Received: `{name}` for {model.origin}, which appends "
                f"{', '.join(appends) or 'nothing'}. Leave it out."
            )
        if value is not None and observed.shape[-1:] != (channels,):
            raise ValueError(
                f"`{name}` goes with pictures of {channels} channels; behind them stands a "
                f"{what} already. Received: `{name}` and shape={observed.shape}. Leave out one "
                "of them."
            )
    if not appends or observed.shape[-1:] != (channels,):
        return observed
    shape = (*observed.shape[:-1], 1)
    if known is not None:
        known = checked_mask(known, shape)
        _check_hidden(model.degradation)
        # Whatever stands in the holes, NaN too, is not seen.
        return np.concatenate([np.where(known == 0.0, 0.0, observed), known], axis=-1)
    if appends == ("level",):
        if level is None and must_be_told(model):
            raise ValueError(NO_LEVEL)
        level = 0.0 if level is None else model.degradation.checked_level(level)
        return np.concatenate([observed, np.full(shape, level, observed.dtype)], axis=-1)
    raise ValueError(
        f"`observed` lacks the {len(appends)} channels that {model.origin} "
        "appends to the picture's own, such as the mask (1 where known). Received: "
        f"shape={observed.shape}. Pass `known`, degrade clean pictures with model.degradation, "
        "or append it."
    )


def _check_hidden(degradation):
    """Raise if what stands in holes must be seen, since something may have carried it there."""
    hidden = False
    for part in [] if degradation is None else parts_of(degradation):
        if "mask" in part.appends:
            hidden = True
        elif hidden and not isinstance(part, IN_PLACE):
            raise ValueError(
                "Where pixels were missing, this model has learned from what "
                f"{type(part).__name__} then carried there, and `known` would hide that. "
                "Received: `known`. Append the mask behind the observed pictures instead."
            )


def undoes(model) -> bool:
    """Return whether a model is a denoiser of single pictures that is told the level of noise."""
    return (
        takes_noise_level(model)
        and model.degradation.range[1] > 0.0
        and len(model.image_shape) == 3
    )


def check_undoes(model) -> None:
    """Raise unless a model is such a denoiser."""
    if undoes(model):
        return
    what = "sequences" if len(model.image_shape) == 4 else "pictures"
    raise ValueError(
        "`undo` needs a denoiser of single pictures, conditioned on the strength of white noise. "
        f"Received: a model of {what}, of {model.origin}, which appends "
        f"{', '.join(model.appends) or 'nothing'}. Load denoiser-gray or denoiser-color, or train "
        "one on AdditiveNoise((0, 0.2), append_level=0.5)."
    )


def to_undo(image_shape, observed, degradation, known):
    """Return observed pictures without further channels, and what is known of their degradation.

    Args:
        image_shape: of the clean pictures, `(height, width, channels)`, None for any side.
        observed: pictures, with the channels that the degradation appends or without.
        degradation: what they went through, None for holes alone.
        known: mask, or None.
    """
    degradation = MissingPixels() if degradation is None else degradation
    if not isinstance(degradation, Degradation):
        raise TypeError(
            "`degradation` must be a degradation, what the pictures went through, such as "
            f"Blur(1.6). Received: {shown(degradation)}."
        )
    if dtype_name(observed) != "object":
        observed = ops.convert_to_numpy(observed)
    channels, appended = image_shape[-1], degradation.appends
    with_them = getattr(observed, "shape", (0,))[-1] == channels + len(appended)
    if known is not None and "mask" not in appended:
        raise ValueError(
            f"`known` is for degradations that hide pixels. Received: `known` for "
            f"{type(degradation).__name__}. Leave it out, or compose: "
            "Compose([Blur(1.6), MissingPixels()])."
        )
    if known is not None:
        if with_them:
            raise ValueError(
                "`known` goes with pictures without further channels; behind these stands a mask "
                f"already. Received: `known` and shape={observed.shape}. Leave out one of them."
            )
        known = checked_mask(known, (*observed.shape[:-1], 1))
    elif with_them:
        masks = [observed[..., channels + i] for i, a in enumerate(appended) if a == "mask"]
        if masks:
            known = np.prod([checked_mask(mask, mask.shape) for mask in masks], axis=0)[..., None]
    operator = degradation.operator(known)
    if with_them:
        observed = observed[..., :channels]
    seen = observed
    if known is not None:  # whatever stands in the holes, NaN too, is not seen
        seen = np.where(known == 0.0, 0.0, observed).astype(observed.dtype)
    check_pictures(seen, image_shape, "observed", noise=NOISE)
    if known is not None and not operator.keeps:
        # Unless what came behind the holes has carried pixels there from beside them.
        # Random pixels do not cancel, whatever the weights.
        pixels = np.random.default_rng(0).uniform(0.5, 1.0, seen.shape).astype("float32")
        reached = ops.convert_to_numpy(operator.forward(ops.convert_to_tensor(pixels)))
        unseen = (known == 0.0) & (reached == 0.0)
        seen = np.where(unseen, 0.0, observed).astype(observed.dtype)
        check_pictures(seen, image_shape, "observed", noise=NOISE)
    return seen.astype("float32"), operator


def as_noisy(x, image_shape):
    """Return what `denoise` is given as a float32 tensor, or raise if these are no pictures.

    Args:
        x: float tensor or array, of any range.
        image_shape: of one picture (or sequence), None for any side.
    """
    if "float" not in dtype_name(x):
        raise TypeError(
            f"`denoise` takes floating-point tensors. Received: dtype={dtype_name(x)}. Convert "
            "pictures of 8 bits with keras_imgen.data.to_float."
        )
    x = ops.convert_to_tensor(x, "float32")
    pairs = zip(x.shape[1:], image_shape, strict=False)
    if len(x.shape) != len(image_shape) + 1 or any(w is not None and w != s for s, w in pairs):
        raise ValueError(
            f"`x` must have shape {(None, *image_shape)}. Received: shape={tuple(x.shape)}."
        )
    return x


def check_level_shape(level, count: int) -> None:
    """Raise unless there is one level, or one for each of so many pictures."""
    if len(level.shape) > 1 or (len(level.shape) == 1 and level.shape[0] not in (1, None, count)):
        raise ValueError(
            "`level` must be a number or one for each picture. Received: "
            f"shape={tuple(level.shape)} for {count} pictures."
        )


def with_level(model, x, level):
    """Return what `denoise` is given as a model's network takes it, the level channel behind it.

    Args:
        model: a `Restorer`.
        x: float tensor or array of pictures.
        level: a number, or one for each picture; None for one that is not known.
    """
    appends, wanted = model.appends, model.image_shape
    if appends not in ((), ("level",)) or model.observed_shape[-1] != wanted[-1] + len(appends):
        raise ValueError(
            "`denoise` is for models that see nothing but pictures and, perhaps, a level: no mask. "
            f"Received: a model of {model.origin}, whose network takes "
            f"{model.observed_shape[-1]} channels. Call `restore`."
        )
    x = as_noisy(x, wanted)
    if not appends:
        if level is not None:
            raise ValueError(
                f"This model takes no level. Received: level={shown(level)}. Leave it out, or "
                "train it with append_level=True."
            )
        return x
    if level is None and must_be_told(model):
        raise ValueError(NO_LEVEL)
    levels = 0.0 if level is None else _levels(model.degradation, level, x.shape[0])
    levels = ops.reshape(levels, (-1, *[1] * len(wanted)))
    return ops.concatenate([x, ops.broadcast_to(levels, (*ops.shape(x)[:-1], 1))], axis=-1)


def _levels(degradation, level, count):
    if isinstance(level, int | float):
        return ops.convert_to_tensor(degradation.checked_level(level), "float32")
    level = ops.convert_to_tensor(level, "float32")
    check_level_shape(level, count)
    low, high = degradation.range
    message = (
        f"Levels of this model lie between {low:g} and {high:g}: it has learned from no others. "
        "Received: others."
    )
    return degradation.as_level(
        backends.check(ops.all((level >= low) & (level <= high)), message, level)
    )
