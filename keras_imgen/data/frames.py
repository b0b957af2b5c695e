"""Reads the frames of a film one by one, whatever it is: a GIF file, a video or pictures."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_imgen.data import videos
from keras_imgen.data.photos import check_regular, read_picture, reading
from keras_imgen.data.sources import as_image

ENDINGS = (".gif", *videos.FORMATS)  # of films in one file
SAMPLE = 128  # pixels a side that the colours of a large frame are chosen by
USUAL_SECONDS = 0.1  # as browsers show a GIF that does not say how long


class Frame(NamedTuple):
    """One picture of a film.

    Attributes:
        picture: `(height, width, 1)` if it is grey, else `(height, width, 3)`.
        seconds: how long it is shown, or None if nobody knows.
    """

    picture: np.ndarray
    seconds: float | None


def read_frames(
    source: Path | list[Path], read: Callable[[Path], np.ndarray] = read_picture
) -> Iterator[Frame]:
    """Yield the frames of a film, of which one at a time is in memory.

    Args:
        source: a GIF file, a video file, or the PNG and JPEG files of the frames in their order.
        read: what reads one of the latter; by default as uint8. Those of a GIF or video are uint8.

    Raises:
        ImportError: if it is a video, and PyAV is not installed.
        ValueError: if a frame cannot be read, for whatever reason.
    """
    if not isinstance(source, Path):
        for file in source:
            yield Frame(read(file), None)
        return
    frames = _gif_frames if source.suffix.lower() == ".gif" else videos.frames_of
    for picture, seconds in frames(source):
        # Such a file holds colours, be the film grey or not.
        grey = np.all(picture == picture[..., :1])
        yield Frame(picture[..., :1] if grey else picture, seconds)


def _gif_frames(file):
    from PIL import Image

    with reading(file, "film", "no GIF"):
        check_regular(file)
        image = Image.open(file, formats=("GIF",))
    with image:
        number = 0
        while True:
            with reading(file, "film"):
                try:
                    image.seek(number)
                except EOFError:
                    return
                picture = np.asarray(image.convert("RGB"))
                seconds = (image.info.get("duration") or 1000 * USUAL_SECONDS) / 1000
            yield picture, seconds
            number += 1


def gif_repeats(file: Path) -> int | None:
    """Return how often a GIF file is to be shown again, 0 for ever, None for once."""
    from PIL import Image

    with reading(file, "film"), Image.open(file, formats=("GIF",)) as image:
        return image.info.get("loop")


def write_gif(
    file: Path, pictures: Iterable[np.ndarray], seconds: Iterable[float], repeats: int | None = 0
) -> None:
    """Write pictures as a GIF file, one after the other, each with the best 256 colours for it.

    Pillow's own way keeps all of them until the last one is there, and makes one of equal ones.

    Args:
        file: where to.
        pictures: uint8 `(H, W, 1 or 3)`, taken one by one.
        seconds: how long each is shown.
        repeats: how often all are shown again, 0 for ever, None for once.
    """
    from PIL import GifImagePlugin

    with open(file, "wb") as written:
        for number, (picture, shown) in enumerate(zip(pictures, seconds, strict=True)):
            image = _of_few_colours(picture)
            if not number:
                info = {"duration": 1} | ({} if repeats is None else {"loop": repeats})
                written.writelines(GifImagePlugin.getheader(image.copy(), info=info)[0])
            how = {"duration": round(1000 * shown), "include_color_table": True}
            written.writelines(GifImagePlugin.getdata(image, **how))
        written.write(b";")


def _of_few_colours(picture):
    """Return a picture of Pillow's with 256 colours; all greys stay."""
    from PIL import Image

    image = as_image(picture)
    adaptive = {"mode": "P", "palette": Image.Palette.ADAPTIVE}
    if image.mode == "L" or image.width * image.height <= SAMPLE**2:
        return image.convert(**adaptive)
    # Of all pixels it takes a second for each frame of 640 x 480, and is 1 dB better.
    some = image.resize((SAMPLE, SAMPLE), Image.Resampling.NEAREST).convert(**adaptive)
    return image.quantize(palette=some, dither=Image.Dither.NONE)
