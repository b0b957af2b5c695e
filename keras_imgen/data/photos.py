"""Reads a PNG or JPEG file with all that it holds, and writes it again with nothing lost."""

import contextlib
import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

# What a PNG file may say of its colours beside a profile; Pillow carries it, but not by itself.
COLOUR_CHUNKS = (b"cHRM", b"cICP", b"gAMA", b"sRGB")
GREYS = ("1", "L", "LA", "I;16", "I;16B")  # Pillow's modes
TRANSPOSED = (5, 6, 7, 8)  # the camera's orientations that swap rows and columns


class Photo(NamedTuple):
    """A photograph, and what is kept of its file beside the picture.

    Attributes:
        picture: float32 in [0, 1], `(height, width, 1)` if it is grey, else `(height, width, 3)`;
            the camera's orientation is applied.
        alpha: how opaque each pixel is, `(height, width, 1)` in [0, 1], or None.
        bits: 8 or 16, of each channel.
        extras: what Pillow writes back: colour profile, resolution and the camera's notes.
        lossy: whether it was a JPEG file, whose noise is no longer as it was.
        frames: more than 1 for an animation, of which the first picture is read.

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
    lossy: bool
    frames: int


def read_photo(file: str | Path) -> Photo:
    """Return one PNG or JPEG file.

    Args:
        file: on this machine.

    Raises:
        ValueError: if it cannot be read, for whatever reason.
    """
    return _opened(file, lambda image: _photo(image, file))


def read_picture(file: str | Path) -> np.ndarray:
    """Return one PNG or JPEG file as uint8 `(H, W, 1)` if it is grey, else `(H, W, 3)`.

    The camera's orientation is applied, 16 bits are rounded to 8 and transparency is laid on white.
    Whatever a file is called, no decoder but those of PNG and JPEG sees it.

    Raises:
        ValueError: if it cannot be read, for whatever reason.
    """
    values, alpha = _opened(file, lambda image: _values(image, file)[:2])
    if values.dtype == np.uint8 and alpha is None:
        return values
    picture = _shares(values)
    if alpha is not None:
        alpha = _shares(alpha)
        picture = alpha * picture + (1.0 - alpha)
    return np.rint(picture * 255.0).astype("uint8")


def picture_shape(file: str | Path) -> tuple[int, int, int]:
    """Return the shape that `read_picture` would return, by the head of the file alone.

    Raises:
        ValueError: if it cannot be read, for whatever reason.
    """

    def shape(image):
        width, height = image.size
        # Grey of 16 bits with opacity has a mode of colours; see below.
        grey = image.mode in GREYS or image.tile[0][3] == "LA;16B"
        if image.getexif().get(0x0112) in TRANSPOSED:
            width, height = height, width
        return height, width, 1 if grey else 3

    return _opened(file, shape)


def write_photo(file: str | Path, photo: Photo) -> None:
    """Write a photograph as PNG, with as many bits as it was read with.

    Args:
        file: where to; it is replaced.
        photo: as `read_photo` returned it, perhaps with another picture of the same size.
    """
    from PIL import Image

    planes = [photo.picture] if photo.alpha is None else [photo.picture, photo.alpha]
    values = np.rint(np.concatenate(planes, axis=-1) * (2.0**photo.bits - 1.0))
    if photo.bits == 16:
        Path(file).write_bytes(_png_of_16_bits(values.astype(">u2"), photo.extras))
        return
    values = values.astype("uint8")
    image = Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values)
    image.save(file, "PNG", **photo.extras)


@contextlib.contextmanager
def reading(
    file: str | Path, what: str = "picture", wanted: str = "neither PNG nor JPEG"
) -> Iterator[None]:
    """Make one ValueError, which names the file, of whatever goes wrong while it is read.

    Args:
        file: which file.
        what: it cannot be read as.
        wanted: what it holds if Pillow does not know its kind.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():  # what is wrong with a picture, an error says
            warnings.simplefilter("ignore")
            yield
        return
    except UnidentifiedImageError:
        reason = f"it holds {wanted}, the only kinds that are read"
    except Image.DecompressionBombError:
        limit = 2 * Image.MAX_IMAGE_PIXELS / 1e6
        reason = f"it has more than {limit:.0f} million pixels; make it smaller first"
    except Exception as error:  # Pillow raises a dozen kinds, and promises none
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    raise ValueError(f"{str(file)!r} cannot be read as a {what}: {reason}.")


def check_regular(file: str | Path) -> None:
    """Raise unless this is a file: opening a pipe would wait for ever."""
    if not stat.S_ISREG(os.stat(file).st_mode):
        raise ValueError("it is a folder, a pipe or a device")


def _opened(file, use: Callable):
    """Return what a function makes of a PNG or JPEG file that Pillow opened, or raise."""
    from PIL import Image

    with reading(file):
        check_regular(file)
        with Image.open(file, formats=("PNG", "JPEG")) as image:
            return use(image)


def _photo(image, file):
    values, alpha, notes = _values(image, file)
    extras = {
        **notes,
        "icc_profile": None if image.mode == "CMYK" else image.info.get("icc_profile"),
        "pnginfo": _colour_chunks(file) if image.format == "PNG" else None,
    }
    return Photo(
        _shares(values),
        None if alpha is None else _shares(alpha),
        8 * values.itemsize,
        extras,
        lossy=image.format != "PNG",
        frames=getattr(image, "n_frames", 1) if image.format == "PNG" else 1,
    )


def _values(image, file):
    """Return colours and opacity (or None) as uint8 or uint16, turned, and notes to be kept."""
    bits = _png_bits(file) if image.format == "PNG" else 8
    if bits == 16:
        return _values_of_16_bits(image, file)
    if image.mode == "L" and image.info.get("transparency", 255) < 2**bits < 256:
        image.info["transparency"] *= 255 // (2**bits - 1)  # as Pillow scales the greys themselves
    image, notes = _turned(image)
    grey, transparent = image.mode in GREYS, image.has_transparency_data
    if image.mode == "CMYK":
        image = _without_ink(image)
    mode = ("LA" if grey else "RGBA") if transparent else ("L" if grey else "RGB")
    values = np.atleast_3d(np.asarray(image.convert(mode)))
    if transparent:
        return values[..., :-1], values[..., -1:], notes
    return values, None, notes


def _values_of_16_bits(image, file):
    """Return the same of a PNG of 16 bits, which Pillow cuts to 8, unless it is grey.

    Its decoder can be asked which byte of each number to take: it takes first one, then the other.
    Grey with opacity is 4 bytes a pixel, as RGBA of 8 bits is.
    """
    from PIL import Image

    hidden, way = image.info.get("transparency"), image.tile[0][3]
    ways = {
        "LA;16B": ("RGBA",),
        "RGB;16B": ("RGB;16B", "RGB;16L"),
        "RGBA;16B": ("RGBA;16B", "RGBA;16L"),
    }.get(way, (way,))
    image.verify()  # Pillow's words on a damaged file are the better ones
    parts = []
    for chosen in ways:
        with Image.open(file, formats=("PNG",)) as image:
            image.tile = [(*image.tile[0][:3], chosen)]
            image, notes = _turned(image)
        parts.append(np.atleast_3d(np.asarray(image)))
    if way == "LA;16B":
        values = parts[0].view(">u2").astype("uint16")
    else:
        values = parts[0].astype("uint16")
        values = values << 8 | parts[1] if len(parts) == 2 else values
    if values.shape[-1] in (2, 4):
        return values[..., :-1], values[..., -1:], notes
    if hidden is None:
        return values, None, notes
    opaque = np.any(values != np.asarray(hidden), axis=-1, keepdims=True)  # all but one colour
    return values, opaque * np.uint16(65535), notes


def _turned(image):
    """Return a picture in the camera's orientation, and the notes and resolution it then has."""
    from PIL import ImageOps

    dpi = _resolution(image.info.get("dpi"))
    if dpi is not None and image.getexif().get(0x0112) in TRANSPOSED:
        dpi = dpi[::-1]
    image = ImageOps.exif_transpose(image)
    return image, {"exif": image.getexif(), "dpi": dpi}


def _shares(values):
    """Return uint8 or uint16 as float32 in [0, 1]."""
    return values / np.float32(np.iinfo(values.dtype).max)


def _without_ink(image):
    """Return a picture for a printing press in red, green and blue, by its profile if it fits."""
    from PIL import ImageCms

    try:
        press = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        screen = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, press, screen, outputMode="RGB")
    except (KeyError, OSError, ImportError, ImageCms.PyCMSError):
        return image.convert("RGB")


def _resolution(dpi):
    """Return pixels per inch to the right and down, or None if a file says nothing of use."""
    try:
        right, down = map(float, dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (right, down) if 0.0 < right < 1e6 and 0.0 < down < 1e6 else None


def _png_bits(file):
    """Return the bits of each channel, which stand at a fixed place of every PNG file."""
    with open(file, "rb") as stream:
        return stream.read(25)[24]


def _chunks(stream):
    """Yield kind and content of each part of a PNG file."""
    stream.seek(8)
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, stream.read(length)
        stream.read(4)  # the checksum


def _colour_chunks(file):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    with open(file, "rb") as stream:
        for kind, content in _chunks(stream):
            if kind == b"IDAT":
                break
            if kind in COLOUR_CHUNKS:
                info.add(kind, content)
    return info


def _png_of_16_bits(values, extras):
    """Return a PNG file: Pillow's own of one pixel, with all that goes with it, but for the pixels.

    Pillow writes no 16 bits in colour. Each row is written as its difference from the one above
    ("up"), which compresses well enough.

    Source: PNG specification (W3C), 9.2 and 11.2.
    """
    from PIL import Image

    height, width, channels = values.shape
    rows = values.view("uint8").reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), "uint8")
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    kind_of_colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    new = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, kind_of_colour, 0, 0, 0),
        b"IDAT": zlib.compress(filtered),
    }
    pixel = io.BytesIO()
    Image.new("I;16", (1, 1)).save(pixel, "PNG", **extras)
    parts = [pixel.getvalue()[:8]]
    for kind, content in _chunks(pixel):
        content = new.get(kind, content)
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        parts += [struct.pack(">I", len(content)), kind, content, checksum]
    return b"".join(parts)
