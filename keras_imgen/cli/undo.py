"""`keras-imgen restore --undo`: reads what pictures went through, and undoes it."""

import numpy as np

from keras_imgen import degradations, estimate_sigma
from keras_imgen.checks import number
from keras_imgen.matching import undoes
from keras_imgen.sigma import LEAST

FAINT = 2.0 / 255.0  # a photograph is never without noise, and sharpening blows it up
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


def check(model, parts, mask, degrade: bool) -> None:
    """Raise unless the model and the other options of the command fit."""
    if not undoes(model):
        raise ValueError(
            "--undo needs a denoiser of single pictures that is given the level of noise. "
            f"Received: a {type(model).__name__} that is not. Use denoiser-gray or denoiser-color."
        )
    if hides(parts) != (mask is not None):
        raise ValueError(
            "--undo holes needs --mask PICTURE, white where pixels are missing."
            if hides(parts)
            else "A mask is for holes. Add --undo holes, or leave out --mask."
        )
    if degrade:
        raise ValueError("--degrade does not go with --undo. Leave it out.")


def hides(parts) -> bool:
    """Return whether pixels are missing."""
    return any(isinstance(part, degradations.MissingPixels) for part in parts)


def level_of(picture, parts, sigma) -> float:
    """Return how noisy a picture is taken to be.

    Args:
        picture: `(height, width, channels)`.
        parts: what `read` returned.
        sigma: of the noise, in grey levels, or "auto": as it is estimated, of a blurred picture at
            least 2 grey levels. Who tells too little gets the noise enlarged, too much costs less.
    """
    if sigma != "auto":
        return sigma / 255.0
    if hides(parts) or any(isinstance(part, degradations.Mosaic) for part in parts):
        return 0.0
    level = float(estimate_sigma(picture[None])[0])
    if any(isinstance(part, degradations.Blur | degradations.MotionBlur) for part in parts):
        return max(level, FAINT)
    return level if level > LEAST else 0.0


def through(parts, level: float):
    """Return the degradation that the parts and the noise behind them are together."""
    parts = [*parts, degradations.AdditiveNoise(level, seed=0)] if level else parts
    return degradations.Compose(parts) if len(parts) > 1 else parts[0]


def undone(model, picture, parts, level, *, mask=None, start=None, **options) -> list:
    """Return a picture with all degradations undone; with `return_std` what `undo` adds, too.

    Args:
        model: a denoiser that is given levels.
        picture: `(height, width, channels)`.
        parts: what `read` returned.
        level: of the noise.
        mask: 1 where pixels are missing.
        start: picture to begin with.
        **options: as `Restorer.undo` takes them.
    """
    channels, colours = model.image_shape[-1], picture.shape[-1]
    if (channels, colours) == (3, 1):
        raise ValueError("The picture is grey, and this model is for colours. Use denoiser-gray.")
    answers = model.undo(
        _as_batch(picture, channels),
        through(parts, level),
        known=None if mask is None else 1.0 - mask,
        start=None if start is None else _as_batch(start, channels),
        **options,
    )
    answers = answers if isinstance(answers, tuple) else [answers]
    return [x[0] if channels == colours else np.concatenate(x, axis=-1) for x in answers]


def as_observed(picture, parts):
    """Return a picture as large as it was before it lost pixels, which is what `undone` takes."""
    if isinstance(parts[0], degradations.Downsample):
        return np.asarray(parts[0].enlarge(picture[None]))[0]
    return picture


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
