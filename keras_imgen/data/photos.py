"""Reads a photograph with all that it holds, and writes it again with nothing lost."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_imgen.data.sources import decoded


class Photo(NamedTuple):
    """A photograph, and what is kept of its file beside the picture.

    Attributes:
        picture: float32 in [0, 1], `(height, width, 1)` if it is grey, else `(height, width, 3)`;
            the camera's orientation is applied.
        alpha: how opaque each pixel is, `(height, width, 1)` in [0, 1], or None.
        bits: 8 or 16, of each channel.
        extras: what Pillow writes back: colour profile and the camera's notes.

    Example:
        >>> from keras_imgen.data.photos import read_photo
        >>> from keras_imgen.data.sources import ASSETS
        >>> photo = read_photo(sorted((ASSETS / "photos" / "test").glob("*.png"))[0])
        >>> photo.bits, photo.alpha
        (8, None)
    """

    picture: np.ndarray
    alpha: np.ndarray | None
    bits: int
    extras: dict


def read_photo(file: str | Path) -> Photo:
    """Return one PNG or JPEG file.

    Args:
        file: on this machine.

    Raises:
        ValueError: if it cannot be read, for whatever reason.
    """
    return decoded(file, lambda image: _photo(image, Path(file)))


def write_photo(file: str | Path, photo: Photo) -> None:
    """Write a photograph as PNG, with as many bits as it was read with.

    Args:
        file: where to; it is replaced.
        photo: as `read_photo` returned it, perhaps with another picture of the same size.
    """
    from PIL import Image

    planes = [photo.picture] if photo.alpha is None else [photo.picture, photo.alpha]
    values = np.concatenate(planes, axis=-1)
    if photo.bits == 16:
        # Pillow writes no 16 bits in colour.
        import tensorflow as tf

        values = np.rint(values * 65535.0).astype("uint16")
        Path(file).write_bytes(tf.io.encode_png(values).numpy())
        return
    values = np.rint(values * 255.0).astype("uint8")
    image = Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values)
    image.save(file, "PNG", **photo.extras)


def _photo(image, file):
    from PIL import ImageOps

    deep = image.format == "PNG" and _png_bits(file) == 16
    extras = {}
    if deep:
        import tensorflow as tf

        image.verify()  # Pillow's words on a damaged file are the better ones
        values = tf.io.decode_png(file.read_bytes(), dtype=tf.uint16).numpy() / np.float32(65535.0)
    else:
        image = ImageOps.exif_transpose(image)
        grey, transparent = image.mode in ("1", "L", "LA"), image.has_transparency_data
        mode = ("LA" if grey else "RGBA") if transparent else ("L" if grey else "RGB")
        extras = {"icc_profile": image.info.get("icc_profile"), "exif": image.getexif()}
        values = np.asarray(image.convert(mode)) / np.float32(255.0)
        values = values[..., None] if values.ndim == 2 else values
    if values.shape[-1] in (2, 4):
        return Photo(values[..., :-1], values[..., -1:], 16 if deep else 8, extras)
    return Photo(values, None, 16 if deep else 8, extras)


def _png_bits(file):
    """Return the bits of each channel, which stand at a fixed place of every PNG file."""
    with open(file, "rb") as stream:
        return stream.read(25)[24]
