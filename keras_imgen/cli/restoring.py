"""Restores one picture or film for the command, whatever its channels and the model's."""

import keras
import numpy as np

from keras_imgen import degradations
from keras_imgen.cli import maps, undo
from keras_imgen.sigma import level_to_pass


def restored(model, picture, parts, mask, filler, options, args, bars):
    """Return a restored picture, its map of errors or None, and a word on the noise.

    Error bars are kept in `bars`, a dict, for pictures that went through the same.
    """
    said, degrade = "", args.degrade
    if parts:
        level = undo.level_of(picture, parts, args.sigma)
        said = f" (noise: --sigma {255 * level:.0f})" if args.sigma == "auto" else ""
        picture = undo.as_observed(picture, parts)

        def answer(seen, holes):
            start = None
            if filler is not None:
                start = restore_any(filler, seen, holes, False, {"tile": args.tile})[0]
            return undo.undone(model, seen, parts, level, mask=holes, start=start, **options)

    else:
        level = options.get("level")
        if args.sigma == "auto" and not degrade:
            level = level_to_pass(model, picture)
            if level is not None:
                options = {**options, "level": level}
                said = f" (given: --sigma {255 * level:.0f})"

        def answer(seen, holes):
            return restore_any(model, seen, holes, degrade, options)

    found, *std = answer(picture, mask)
    if not std:
        return found, None, said
    alone = not (parts[1:] or level) if parts else model.keep_known
    kept = mask is not None and alone  # known pixels stand as they were observed
    shape = (*model.image_shape[:2], picture.shape[-1])
    noise = maps.level_behind(model, level, picture)
    same = shape, noise, options.get("level"), None if mask is None else mask.shape
    if same not in bars:
        degradation = maps.went_through(model, parts, noise, mask)
        bars[same] = maps.error_bars(answer, shape, degradation, mask, kept)
    errors = bars[same](std[0])
    return found, maps.drawn(errors * mask if kept else errors), said


def restore_any(model, picture, mask, degrade, options):
    """Restore one picture or film; return it, and what else the model returns, in a list."""
    channels = model.image_shape[-1]
    if channels == 1 and picture.shape[-1] == 3:  # one by one
        planes = np.moveaxis(picture, -1, 0)[..., None]
        found = [_restore(model, plane[None], mask, degrade, options) for plane in planes]
        return [np.concatenate(each, axis=-1)[0] for each in zip(*found, strict=True)]
    if channels == 3 and picture.shape[-1] == 1:
        picture = np.repeat(picture, 3, axis=-1)
        found = _restore(model, picture[None], mask, degrade, options)
        return [each[0].mean(axis=-1, keepdims=True) for each in found]
    return [each[0] for each in _restore(model, picture[None], mask, degrade, options)]


def check_colors(model, pictures):
    """Refuse pictures without colours if a model would not see the noise of them."""
    if not isinstance(model.degradation, degradations.AdditiveNoise) or pictures.shape[-1] == 1:
        return
    if np.all(pictures[..., :1] == pictures):
        instead = "Use denoiser-gray, or train" if pictures.ndim == 4 else "Train"
        raise ValueError(
            "The picture is grey, and this model knows noise that differs from colour to colour. "
            f"{instead} one with --channels 1."
        )


def _restore(model, pictures, mask, degrade, options):
    """Restore a batch, after spoiling it or marking its holes if need be; return all in a list."""
    check_colors(model, pictures)
    if degrade:
        pictures = keras.ops.convert_to_numpy(model.degradation(pictures, training=False))
    elif mask is not None:
        if mask.shape[-3:-1] != pictures.shape[-3:-1]:
            raise ValueError(
                "The mask must be as large as the picture, "
                f"{pictures.shape[-2]} x {pictures.shape[-3]} pixels (width x height). "
                f"Received: {mask.shape[-2]} x {mask.shape[-3]}."
            )
        options = {**options, "known": 1.0 - mask}
    found = model.restore(pictures, **options)
    return list(found) if isinstance(found, tuple) else [found]
