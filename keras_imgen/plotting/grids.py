"""Tiles pictures into one array, and writes such grids and films."""

import math
from pathlib import Path

import numpy as np

from keras_imgen import checks
from keras_imgen.checks import number, shown, whole_number
from keras_imgen.data import folders, sources, to_uint8
from keras_imgen.files import write_whole

MAX_PIXELS = 2**28  # of one picture: a quarter of a gigabyte for each channel


def image_grid(pictures, columns: int | None = None, padding: int = 2) -> np.ndarray:
    """Tile pictures into one, row by row, on a white ground.

    Args:
        pictures: array in [0, 1], shape `(n, height, width, channels)`; values beyond are clipped.
        columns: pictures per row; by default about as many as rows.
        padding: pixels between pictures.

    Returns:
        float32 array in [0, 1], shape `(height, width, channels)`.

    Raises:
        ValueError: if `pictures` is no batch of pictures with 1 or 3 channels, or in [0, 255].

    Example:
        >>> import numpy as np
        >>> from keras_imgen.plotting import image_grid
        >>> image_grid(np.zeros((5, 8, 8, 1)), columns=3, padding=1).shape
        (17, 26, 1)
    """
    pictures = checked_pictures(pictures, rank=4)
    count, height, width, channels = pictures.shape
    if columns is None:
        columns = math.ceil(math.sqrt(count))
    columns, padding = whole_number("columns", columns, 1), whole_number("padding", padding, 0)
    rows = math.ceil(count / columns)
    down, right = height + padding, width + padding
    sides = rows * down - padding, columns * right - padding
    check_area(*sides)
    grid = np.ones((*sides, channels), "float32")
    for index, picture in enumerate(pictures):
        top, left = index // columns * down, index % columns * right
        grid[top : top + height, left : left + width] = picture
    return grid


def save_grid(
    path: str | Path, pictures, columns: int | None = None, padding: int = 2, scale: int = 1
) -> Path:
    """Write a grid of pictures as a PNG file; missing folders are made.

    Args:
        path: the file.
        pictures: as in `image_grid`.
        columns: pictures per row.
        padding: pixels between pictures.
        scale: side of the square that each pixel becomes, to look at small pictures.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from keras_imgen.plotting import save_grid
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_grid(f"{folder}/grid.png", np.zeros((4, 8, 8, 1))).name
        'grid.png'
    """
    _check_ending(path, folders.SUFFIXES)
    image = sources.as_image(enlarged(image_grid(pictures, columns, padding), scale))
    with write_whole(path) as unfinished:
        image.save(unfinished)
    return Path(path)


def save_gif(path: str | Path, frames, seconds: float = 0.4, scale: int = 1) -> Path:
    """Write pictures as an endless GIF; the last one stays three times as long.

    Args:
        path: the file; missing folders are made.
        frames: list of equal pictures `(height, width, channels)` in [0, 1].
        seconds: how long each one is shown.
        scale: side of the square that each pixel becomes.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from keras_imgen.plotting import save_gif
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_gif(f"{folder}/fade.gif", [np.zeros((8, 8, 1)), np.ones((8, 8, 1))]).name
        'fade.gif'
    """
    images = [
        sources.as_image(enlarged(frame, scale)) for frame in checked_pictures(frames, rank=4)
    ]
    write_gif(path, images, seconds)
    return Path(path)


def enlarged(picture, scale: int) -> np.ndarray:
    """Return a picture in 8 bits, each pixel as a square of `scale` pixels."""
    scale = whole_number("scale", scale, 1)
    check_area(scale * picture.shape[0], scale * picture.shape[1])
    return to_uint8(picture).repeat(scale, axis=0).repeat(scale, axis=1)


def write_gif(path: str | Path, images, seconds: float) -> None:
    """Write Pillow's images as an endless GIF; the last one stays three times as long."""
    from PIL import Image

    _check_ending(path, (".gif",))
    seconds = check_seconds(seconds)
    first, *rest = [image.convert("P", palette=Image.Palette.ADAPTIVE) for image in images]
    durations = [int(1000 * seconds)] * len(rest) + [int(3000 * seconds)]
    with write_whole(path) as unfinished:
        first.save(unfinished, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)


def check_seconds(seconds) -> float:
    """Return how long a picture of a GIF is shown, or raise if a GIF cannot say so."""
    return number("seconds", seconds, 0.0, 200.0, "It is how long each picture is shown.")


def checked_pictures(pictures, rank: int) -> np.ndarray:
    """Return pictures (rank 4) or sequences (5) as float32 in [0, 1], or raise if they are none."""
    pictures = checks.array(pictures)
    if pictures.ndim != rank or pictures.shape[-1] not in (1, 3) or 0 in pictures.shape:
        axes = "(n, time, height, width, channels)" if rank == 5 else "(n, height, width, channels)"
        raise ValueError(
            f"Pictures must have shape {axes} with 1 or 3 channels, and be at least one. "
            f"Received: shape={pictures.shape}."
        )
    if "float" not in checks.dtype_name(pictures):
        raise ValueError(
            f"Pictures must be floating point in [0, 1]. Received: dtype={pictures.dtype}. "
            "Convert pictures of 8 bits with keras_imgen.data.to_float."
        )
    # A little beyond the range is usual for observed pictures, not so much.
    if not np.abs(pictures).max() < 16.0:
        raise ValueError(
            "Pictures must lie in [0, 1]. Received: values from "
            f"{pictures.min():g} to {pictures.max():g}. Divide pictures in [0, 255] by 255."
        )
    return np.clip(pictures.astype("float32"), 0.0, 1.0)


def _check_ending(path, endings):
    checks.path("path", path)
    if Path(path).suffix.lower() not in endings:
        raise ValueError(
            f"`path` must end in {' or '.join(endings)}. Received: path={shown(path)}."
        )


def check_area(height, width):
    """Raise before memory is asked for that no machine has."""
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"A picture may have {MAX_PIXELS:,} pixels. Received: columns, padding or scale that "
            f"would make it {height:g} x {width:g}."
        )
