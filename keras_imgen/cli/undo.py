"""`keras-imgen restore --undo`: reads what pictures went through, and undoes it."""

import numpy as np

from keras_imgen import degradations, estimate_sigma
from keras_imgen.checks import number
from keras_imgen.matching import undoes
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
                factor = _number(factor)
                return degradations.Downsample(int(factor) if factor % 1 == 0 else factor)
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
    if not undoes(model):
        raise ValueError(
            "--undo needs a denoiser of single pictures that is given the level of noise. "
            f"Received: a {type(model).__name__} that is not. Use denoiser-gray or denoiser-color."
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


def undone(model, picture, parts, sigma, *, mask=None, start=None, tile):
    """Return a picture with all degradations undone, and a word on the noise.

    Args:
        model: a denoiser that is given levels.
        picture: `(height, width, channels)`.
        parts: what `read` returned.
        sigma: of the noise, in grey levels, or "auto".
        mask: 1 where pixels are missing.
        start: picture to begin with.
        tile: as `Restorer.undo` takes it.
    """
    channels, colours = model.image_shape[-1], picture.shape[-1]
    if (channels, colours) == (3, 1):
        raise ValueError("The picture is grey, and this model is for colours. Use denoiser-gray.")
    said = ""
    if sigma == "auto":
        hidden = mask is not None or any(isinstance(part, degradations.Mosaic) for part in parts)
        level = 0.0 if hidden else float(estimate_sigma(picture[None])[0])
        level = level if level > LEAST else 0.0
        said = f" (noise: --sigma {255 * level:.0f})"
    else:
        level = sigma / 255.0
    if isinstance(parts[0], degradations.Downsample):
        picture = np.asarray(parts[0].enlarge(picture[None]))[0]
    through = [*parts, degradations.AdditiveNoise(level, seed=0)] if level else parts
    answers = model.undo(
        _as_batch(picture, channels),
        degradations.Compose(through) if len(through) > 1 else through[0],
        known=None if mask is None else 1.0 - mask,
        start=None if start is None else _as_batch(start, channels),
        tile=tile,
    )
    return (answers[0] if channels == colours else np.concatenate(answers, axis=-1)), said


def as_large(photo, picture):
    """Return a photograph with another picture, and what is transparent as large as that."""
    alpha = photo.alpha
    if alpha is not None and alpha.shape[:2] != picture.shape[:2]:
        factor = picture.shape[0] // alpha.shape[0]
        alpha = np.clip(degradations.Downsample(factor).enlarge(alpha[None])[0], 0.0, 1.0)
    return photo._replace(picture=picture, alpha=alpha)


def _as_batch(picture, channels):
    """Return a picture as a batch of one or, for a model of grey pictures, each of its colours."""
    return picture[None] if channels > 1 else np.moveaxis(picture, -1, 0)[..., None]
