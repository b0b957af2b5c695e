"""`estimate_sigma`: how noisy a photograph is, as its file holds it."""

import functools

import numpy as np

from keras_imgen.checks import dtype_name
from keras_imgen.data import check_pictures
from keras_imgen.degradations import AdditiveNoise
from keras_imgen.pretrained import load_pretrained

LUMA = np.array([0.299, 0.587, 0.114], "float32")  # ITU-R BT.601
CHROMA = np.array([[-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], "float32")  # blue, red
LEAST = 6.0 / 255.0  # below, textures may pass for noise
WINDOW, PLACES = 160, (0.0, 0.5, 1.0)  # large pictures are looked at in nine places


def estimate_sigma(pictures) -> np.ndarray:
    """Estimate how noisy pictures are: what to tell a model that takes a level.

    A denoiser that sees for itself looks at how the noise differs from colour to colour. A JPEG
    file mostly keeps less detail of colours than of brightness, and with it only the noise that all
    colours share; what is left looks clean to such a denoiser. Here the brightness alone is looked
    at: the estimate is the spread of the finest details that `"denoiser-gray"` takes away from it.
    The texture of a clean picture mostly stays with the picture, so it hardly counts as noise; one
    that is fine everywhere, as of rocks seen from the air, does.

    Args:
        pictures: float array in [0, 1], shape `(n, height, width, 1 or 3)`; noise may go beyond.

    Returns:
        Standard deviation of the noise in each colour, one number a picture, as a share of 1: times
        255 it counts grey levels.

    Raises:
        TypeError, ValueError: for what are no pictures.

    Source: the spread of the finest diagonal details: Donoho & Johnstone 1994 (Biometrika 81),
        section 3.1, there of the picture itself.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import estimate_sigma, load
        >>> clean = load("photos", "test").take(1)
        >>> noisy = clean + np.random.default_rng(0).normal(0.0, 0.1, clean.shape)
        >>> float(estimate_sigma(noisy)[0].round(2))
        0.1
    """
    if dtype_name(pictures) != "object":
        pictures = np.asarray(pictures)
    check_pictures(pictures, (None, None, None), noise=15.0)
    if pictures.shape[-1] not in (1, 3):
        raise ValueError(
            "`estimate_sigma` looks at pictures of 1 or 3 channels. Received: "
            f"shape={pictures.shape}."
        )
    return _sigma_taken_away(_denoiser(), pictures.astype("float32"))


def level_to_pass(model, picture: np.ndarray) -> float | None:
    """Return the noise level that a model must be given, or None if it sees the noise itself.

    A model that was given the level in every step cannot do without. One that need not be sees
    for itself, unless the noise is the same in all colours, as in most JPEG files: then it takes
    away far less of the brightness than `"denoiser-gray"`. Of a fine texture without colours it
    does so, too, and is right: the colours tell which it is.

    Args:
        model: a `Restorer`.
        picture: float32 in [0, 1], shape `(height, width, 1 or 3)`.
    """
    degradation = model.degradation
    if model.appends != ("level",) or not isinstance(degradation, AdditiveNoise):
        return None
    may_see = degradation.share_given < 1.0
    if may_see and 1 in (model.image_shape[-1], picture.shape[-1]):
        return None
    sigma = estimate_sigma(picture[None])[0]
    if may_see and not (
        sigma >= LEAST
        and _has_noise_of_halved_colors(picture, sigma)
        and _sigma_taken_away(model, picture[None])[0] <= 0.75 * sigma
    ):
        return None
    return float(np.clip(sigma, *degradation.range))


def _sigma_taken_away(model, pictures):
    """Return the sigma of noise whose finest details are what a model, blind, takes away."""
    spreads = []
    for picture in pictures:
        if min(picture.shape[:2]) < 16:  # too little to tell
            spreads.append(0.0)
            continue
        windows = np.stack(list(_windows(picture)))
        if model.image_shape[-1] == 1:
            windows = _brightness(windows)
        removed = _brightness(windows - model.restore(windows))
        spreads.append(_fine_spread(removed)[0])
    # Independent noise of three colours partly cancels in their sum.
    return np.array(spreads, "float64") / (np.linalg.norm(LUMA) if pictures.shape[-1] == 3 else 1.0)


def _has_noise_of_halved_colors(picture, sigma):
    """Tell whether a picture has noise of a spread in brightness, and in colours of half the size.

    Such colours have next to no details of one pixel, and at four pixels still those of the noise.
    A texture that was not noise has far less there than it has in brightness.
    """
    colors = np.stack(list(_windows(picture))) @ (CHROMA.T / np.linalg.norm(CHROMA, axis=1))
    count, height, width, _ = colors.shape
    fours = colors[:, : height // 4 * 4, : width // 4 * 4]
    fours = fours.reshape(count, height // 4, 4, width // 4, 4, 2).mean(axis=(2, 4))
    fine, coarse = _fine_spread(colors), 4.0 * _fine_spread(fours)
    return np.all(fine < 0.3 * coarse) and np.mean(coarse**2) > (0.4 * sigma) ** 2


def _fine_spread(pictures):
    """Return the spread of the finest diagonal details of pictures, one number a channel."""
    height, width = (side // 2 * 2 for side in pictures.shape[1:3])
    a, b, c, d = (pictures[:, y:height:2, x:width:2] for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)))
    # By the Haar wavelet. In the median place: the sky may be blown out.
    return np.median(np.std((a - b - c + d) / 2.0, axis=(1, 2)), axis=0)


def _brightness(pictures):
    return pictures if pictures.shape[-1] == 1 else (pictures @ LUMA)[..., None]


def _windows(picture):
    """Yield small pictures out of a large one, or a small one as it is."""
    height, width, _ = picture.shape
    if min(height, width) <= 2 * WINDOW:
        yield picture[: 4 * WINDOW, : 4 * WINDOW]
        return
    for y in PLACES:
        for x in PLACES:
            top, left = int(y * (height - WINDOW)), int(x * (width - WINDOW))
            yield picture[top : top + WINDOW, left : left + WINDOW]


@functools.cache
def _denoiser():
    return load_pretrained("denoiser-gray")
