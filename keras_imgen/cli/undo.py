"""`keras-imgen restore --undo`: reads what pictures went through, and undoes it."""

import numpy as np

from keras_imgen import degradations, estimate_sigma, load_pretrained
from keras_imgen.checks import number
from keras_imgen.cli.inputs import check_mask_size
from keras_imgen.sigma import LEAST

WAYS = "blur=SIGMA, motion=LENGTH,ANGLE, downsample=FACTOR, mosaic=PATTERN and holes"


def read(words: list[str]) -> list:
    """Return the degradations that somebody named, in their order.

    Args:
        words: such as `["blur=1.6", "holes"]`.

    Raises:
        ValueError: for a word or a number that is none of them.
    """
    parts = [_read_one(word) for word in words]
    kinds = [type(part) for part in parts]
    if degradations.Downsample in kinds and len(parts) > 1:
        raise ValueError(
            f"--undo downsample stands alone. Received: --undo {' --undo '.join(words)}. Undo the "
            "others first, into another folder."
        )
    return parts


def _read_one(word):
    name, _, values = word.partition("=")
    values = values.split(",") if values else []
    try:
        match name, values:
            case "blur", [sigma]:
                return degradations.Blur(_number(sigma))
            case "motion", [length, angle]:
                return degradations.MotionBlur(_number(length), angle=_number(angle))
            case "downsample", [factor]:
                return degradations.Downsample(int(factor))
            case "mosaic", [pattern]:
                return degradations.Mosaic(pattern.upper())
            case "holes", []:
                return degradations.MissingPixels()
    except ValueError as error:
        raise ValueError(f"--undo {word} is not possible. {error}") from None
    raise ValueError(f"--undo takes {WAYS}. Received: --undo {word}.")


def _number(text):
    try:
        return number("the number", float(text), -1e6, 1e6)
    except ValueError:
        raise ValueError(f"{text!r} is no number.") from None


def check(model, parts, mask, degrade: bool, self_ensemble: bool) -> None:
    """Raise unless the model and the other options of the command fit."""
    if getattr(model, "appends", None) != ("level",):
        raise ValueError(
            "--undo needs a denoiser that is given the level of noise. Received: a "
            f"{type(model).__name__} that is not. Use denoiser-gray or denoiser-color."
        )
    holes = any(isinstance(part, degradations.MissingPixels) for part in parts)
    if holes != (mask is not None):
        raise ValueError(
            "--undo holes needs --mask PICTURE, white where pixels are missing."
            if holes
            else "A mask is for holes. Add --undo holes, or leave out --mask."
        )
    if degrade or self_ensemble:
        raise ValueError(
            f"--{'degrade' if degrade else 'self-ensemble'} does not go with --undo. Leave it out."
        )


def undone(model, picture, mask, parts, sigma, tile):
    """Return a picture with all degradations undone, and a word on the noise.

    Args:
        model: a denoiser that is given levels.
        picture: `(height, width, channels)`.
        mask: 1 where pixels are missing, or None.
        parts: what `read` returned.
        sigma: of the noise, in grey levels, or "auto".
        tile: as `Restorer.undo` takes it.
    """
    colours = picture.shape[-1]
    if (model.image_shape[-1], colours) == (3, 1):
        raise ValueError("The picture is grey, and this model is for colours. Use denoiser-gray.")
    said = ""
    if sigma == "auto":
        hidden = mask is not None or any(isinstance(part, degradations.Mosaic) for part in parts)
        level = 0.0 if hidden else float(estimate_sigma(picture[None])[0])
        level = level if level > LEAST else 0.0
        said = f" (noise: --sigma {255 * level:.0f})"
    else:
        level = sigma / 255.0
    batch = picture[None]
    if isinstance(parts[0], degradations.Downsample):
        batch = np.asarray(parts[0].enlarge(batch))
    options = {"tile": tile}
    if mask is not None:
        check_mask_size(mask, batch)
        options["known"] = 1.0 - mask[None]
        options["start"] = _filled(batch, options["known"])
    through = [*parts, degradations.AdditiveNoise(level, seed=0)] if level else parts
    degradation = degradations.Compose(through) if len(through) > 1 else through[0]
    if model.image_shape[-1] == 1 and colours == 3:  # one colour after the other
        planes = [
            model.undo(batch[..., i : i + 1], degradation, **_of_colour(options, i))
            for i in range(3)
        ]
        return np.concatenate(planes, axis=-1)[0], said
    return model.undo(batch, degradation, **options)[0], said


def as_large(photo, picture):
    """Return a photograph with another picture, and what is transparent as large as that."""
    alpha = photo.alpha
    if alpha is not None and alpha.shape[:2] != picture.shape[:2]:
        factor = picture.shape[0] // alpha.shape[0]
        alpha = np.clip(degradations.Downsample(factor).enlarge(alpha[None])[0], 0.0, 1.0)
    return photo._replace(picture=picture, alpha=alpha)


def _of_colour(options, i):
    if "start" not in options:
        return options
    return {**options, "start": options["start"][..., i : i + 1]}


def _filled(batch, known):
    """Return what the inpainter makes of holes, to begin with."""
    colours = np.repeat(batch, 3 // batch.shape[-1], axis=-1)
    filled = load_pretrained("inpainter").restore(colours, known=known)
    return filled if batch.shape[-1] == 3 else filled.mean(axis=-1, keepdims=True)
