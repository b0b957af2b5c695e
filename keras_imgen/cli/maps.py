"""`keras-imgen restore --map`: how far restored pixels may be wrong, as a picture."""

import os
from pathlib import Path

import keras
import numpy as np

from keras_imgen import degradations, estimate_sigma, load_example, metrics
from keras_imgen.cli import undo
from keras_imgen.cli.inputs import existing
from keras_imgen.data import sources, to_float, to_uint8

EXAMPLES = ("coffee", "mountains", "tower")  # no network that ships has learned from them
SIDE = 128  # pixels of the detail of each that is tried
BRIGHTEST = 64.0 / 255.0  # error that is drawn in the brightest colour
LEGEND = f"yellow where it may be wrong by {255 * BRIGHTEST:.0f} grey levels or more"


def check(model, args) -> None:
    """Raise unless it can be said how wrong a model's answers are."""
    if args.degrade:
        raise ValueError("--degrade does not go with --map. Leave it out.")
    if Path(args.map).resolve() == Path(args.out).resolve():
        raise ValueError(f"--map needs a folder of its own. Received: --map {args.map}, as --out.")
    if len(model.image_shape) == 4:
        raise ValueError("--map is for single pictures, and this model restores sequences.")
    if model.learns_pairs:
        raise ValueError(
            "--map tries the model on photographs that are degraded like yours. This one has "
            "learned from pairs, and how those were degraded is not known. Leave out --map."
        )
    if args.mask is not None and not args.undo and not _only_hides(model):
        raise ValueError(
            "--map with --mask is for models that have learned from holes and nothing else. "
            f"Received: a model of {model.origin}, which changes known pixels, too. Leave out "
            "--map."
        )
    if max(side or 0 for side in model.image_shape[:2]) > 256:
        raise ValueError(
            "--map tries the model on details of photographs, of at most 256 pixels a side. "
            f"Received: a model of {model.image_shape[0]} x {model.image_shape[1]}."
        )


def file(folder, target, out):
    """Return the file of a picture's map, None without a folder for them, or raise if it exists."""
    if folder is None:
        return None
    path = Path(folder) / target.relative_to(out)
    if os.path.lexists(path):
        raise existing(path, option="--map")
    return path


def level_behind(model, level, picture):
    """Return the level of the noise in a picture, estimated where the model sees for itself."""
    if level is None and isinstance(model.degradation, degradations.AdditiveNoise):
        return float(estimate_sigma(picture[None])[0])
    return level


def went_through(model, parts, level, mask):
    """Return what a picture went through but for the holes of its mask, or None.

    Args:
        model: a `Restorer`.
        parts: what `undo.read` returned.
        level: of the noise, as `level_behind` returns it.
        mask: 1 where pixels are missing, or None.
    """
    parts = [part for part in parts if not isinstance(part, degradations.MissingPixels)]
    if parts or level:
        return undo.through(parts, level)
    known = mask is not None or isinstance(model.degradation, degradations.AdditiveNoise)
    return None if known else model.degradation


def error_bars(restored, image_shape, degradation, mask=None, kept=False):
    """Return error bars that fit photographs which went through the same as a user's picture.

    Args:
        restored: function from a degraded picture and its mask, or None, to an answer and by how
            much the answers in all positions differ.
        image_shape: of the model.
        degradation: as `went_through` returns it.
        mask: of the user's picture, 1 where pixels are missing.
        kept: whether known pixels stay as they are.
    """
    rng = np.random.default_rng(0)
    most = (SIDE, SIDE) if mask is None else np.minimum(mask.shape[:2], SIDE)
    height, width = (side or int(m) for side, m in zip(image_shape[:2], most, strict=True))
    pairs, holes = [], []
    for name in EXAMPLES:
        pixels = sources.with_channels(to_uint8(load_example(name)), image_shape[-1])
        y, x = (
            (whole - side) // 2 for whole, side in zip(pixels.shape, (height, width), strict=False)
        )
        clean = to_float(pixels[y : y + height, x : x + width])[None]
        observed = clean
        if degradation is not None:
            observed = keras.ops.convert_to_numpy(degradation(clean, training=False))
        holes.append(None if mask is None else _with_holes(mask, height, width, rng))
        pairs.append((clean[0], *restored(observed[0, ..., : image_shape[-1]], holes[-1])))
    return metrics.ErrorBars().fit(
        *map(np.stack, zip(*pairs, strict=True)), np.stack(holes) if kept else None
    )


def drawn(errors):
    """Return errors `(height, width, channels)` as colours, from black to bright, always alike."""
    import matplotlib

    share = np.clip(errors.max(axis=-1) / BRIGHTEST, 0.0, 1.0)
    return matplotlib.colormaps["inferno"](share)[..., :3].astype("float32")


def _only_hides(model):
    """Return whether what a model has learned from leaves known pixels as they are."""
    *sides, channels = model.image_shape
    clean = np.random.default_rng(0).random((1, *(side or 64 for side in sides), channels))
    clean = clean.astype("float32")
    observed = keras.ops.convert_to_numpy(model.degradation(clean, training=False))
    known = observed[..., channels:] == 1.0
    return bool(np.all((observed[..., :channels] == clean) | ~known))


def _with_holes(mask, height, width, rng):
    """Return a part of a mask that holds one of its holes."""
    rows, columns = np.nonzero(mask[..., 0])
    one = rng.integers(len(rows))
    y, x = (
        int(np.clip(place[one] - side // 2, 0, whole - side))
        for place, side, whole in zip((rows, columns), (height, width), mask.shape, strict=False)
    )
    return mask[y : y + height, x : x + width]
