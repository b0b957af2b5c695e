"""Pictures of 8 bits: those of the embedded sets, their channels and their size."""

from numbers import Integral
from pathlib import Path

import numpy as np

from keras_imgen.checks import shown
from keras_imgen.data.photos import read_picture

ASSETS = Path(__file__).parents[1] / "assets"
EMBEDDED = ("digits", "photos", "moving_digits")
SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif")
MAX_BYTES = 4 * 2**30  # of pictures in memory


def read_digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the embedded digits `(N, 28, 28, 1)` and their labels."""
    _check_split(split)
    with np.load(ASSETS / "digits.npz", allow_pickle=False) as file:
        return file[f"{split}_pictures"][..., None], file[f"{split}_labels"].astype("int32")


def read_photos(split: str, channels: int) -> list[np.ndarray]:
    """Return the embedded photographs, whole; in colour only those that have colour."""
    _check_split(split)
    pictures = [read_picture(file) for file in sorted((ASSETS / "photos" / split).glob("*.png"))]
    if channels == 3:
        pictures = [picture for picture in pictures if picture.shape[-1] == 3]
    return with_channels(pictures, channels)


def _check_split(split):
    if split not in ("train", "test"):
        raise ValueError(
            f"Embedded sets have the splits 'train' and 'test'. Received: split={split!r}."
        )


def as_image(pixels: np.ndarray):
    """Return pixels of 8 bits `(H, W, 1 or 3)` as Pillow's image, which writes files."""
    from PIL import Image

    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


class TooLargeError(ValueError):
    """More pictures than memory should hold."""


def check_memory(num_bytes: int, what: str, advice: str) -> None:
    """Raise if pictures would need more memory than is right for a set held in memory."""
    if num_bytes > MAX_BYTES:
        raise TooLargeError(
            f"Pictures may take {MAX_BYTES / 2**30:.0f} GiB of memory. Received: {what}, which "
            f"would need {num_bytes / 2**30:.1f} GiB. {advice}."
        )


def with_channels(pictures, channels: int):
    """Return pictures with 1 (luma) or 3 channels (grey repeated)."""
    if not isinstance(channels, Integral) or channels not in (1, 3):
        raise ValueError(
            f"`channels` must be 1 (grey) or 3 (colour). Received: channels={shown(channels)}."
        )
    if isinstance(pictures, np.ndarray):
        return _convert(pictures, channels)
    return [_convert(picture, channels) for picture in pictures]


def _convert(picture, channels):
    if picture.shape[-1] == channels:
        return picture
    if channels == 3:
        return np.repeat(picture, 3, axis=-1)
    # ITU-R BT.601 luma, which Pillow's "L" uses too.
    grey = picture.astype("float32") @ np.array([0.299, 0.587, 0.114], "float32")
    return np.rint(grey).astype("uint8")[..., None]


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the picture scaled to fill height x width, the overlap cut off evenly."""
    from PIL import Image, ImageOps

    image = as_image(picture)
    resized = np.asarray(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS))
    return resized[..., None] if picture.shape[-1] == 1 else resized


def bounce(digits, num_frames, height, width, num_digits, rng) -> np.ndarray:
    """Return one sequence `(T, H, W, 1)` of digits that bounce off the walls."""
    sequence = np.zeros((num_frames, height, width, 1), "uint8")
    speed = 0.1 * max(height, width)  # pixels per frame: across the picture in ten frames
    for digit in digits[rng.integers(len(digits), size=num_digits)]:
        room = np.array([height, width]) - digit.shape[:2]
        angle = rng.uniform(0.0, 2.0 * np.pi)
        velocity = speed * np.array([np.sin(angle), np.cos(angle)])
        start = rng.uniform(0.0, 1.0, size=2) * room
        for t in range(num_frames):
            # A straight path, folded at the walls as a sheet of paper is.
            top, left = np.rint(_fold(start + t * velocity, room)).astype(int)
            window = sequence[t, top : top + digit.shape[0], left : left + digit.shape[1]]
            np.maximum(window, digit, out=window)
    return sequence


def _fold(position, room):
    period = np.maximum(2.0 * room, 1e-9)
    position = np.mod(position, period)
    return np.where(position > room, period - position, position) * (room > 0)
