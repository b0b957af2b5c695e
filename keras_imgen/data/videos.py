"""Reads and writes video files, for which PyAV must be installed."""

import contextlib
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from keras_imgen.data.photos import check_regular, reading

# What FFmpeg calls the kind of file: no other reader sees it, some of which open further files.
FORMATS = {".mp4": "mp4", ".mov": "mov", ".avi": "avi", ".mkv": "matroska", ".webm": "webm"}
BT601 = 6  # SMPTE 170M: which red, green and blue the stored colours mean
USUAL_RATE = 25  # frames per second of a file that does not say


def frames_of(file: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the frames of a video, uint8 `(H, W, 3)`, and how long each is shown in seconds.

    They are turned as the camera noted. One frame is decoded at a time.

    Raises:
        ImportError: if PyAV is not installed.
        ValueError: if the file cannot be read, for whatever reason.
    """
    with _opened(file) as container:
        stream = _pictures(container, file)
        seconds = float(1 / Fraction(stream.average_rate or USUAL_RATE))
        frames = container.decode(stream)
        while True:
            with reading(file, "film"):
                frame = next(frames, None)
                if frame is None:
                    return
                turns = round(frame.rotation / 90)
                picture = np.rot90(frame.to_ndarray(format="rgb24"), turns)
            yield picture, seconds


def write(
    file: Path, pictures: Iterable[np.ndarray], seconds: float, sound: Path | None = None
) -> None:
    """Write pictures as a video, nearly without loss: H.264, in a WebM file VP9.

    Args:
        file: where to; its ending chooses the kind of file.
        pictures: uint8 `(H, W, 1 or 3)`, taken one by one.
        seconds: how long each is shown.
        sound: video of the same kind whose first sound is copied.
    """
    import av

    name = FORMATS[file.suffix.lower()]
    codec, options = "libx264", {"crf": "14"}
    if name == "webm":
        codec, options = "libvpx-vp9", {"crf": "15", "b": "0"}
    rate = Fraction(1 / seconds).limit_denominator(1001)  # 29.97 is 30000/1001
    with open(file, "wb") as written, av.open(written, "w", format=name) as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        copied = _copied_sound(container, sound)
        for number, picture in enumerate(pictures):
            if not number:
                stream.height, stream.width = picture.shape[:2]
                # Colours at half resolution need even sides, and every player knows them.
                even = not (stream.height % 2 or stream.width % 2)
                stream.pix_fmt = "yuv420p" if even else "yuv444p"
                stream.codec_context.colorspace = BT601
            pixels = np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
            copied.send(number * seconds)
        container.mux(stream.encode())
        copied.send(math.inf)


def _copied_sound(container, file):
    """Return a generator that copies, of the sound of a file, what comes before a time it is sent.

    Sound and pictures take turns in a file, so that neither must be searched for.
    """

    def copy():
        until = yield
        with contextlib.nullcontext() if file is None else _opened(file) as source:
            if source is not None and source.streams.audio:
                old = source.streams.audio[0]
                new = container.add_stream_from_template(old)
                for packet in source.demux(old):
                    if packet.dts is None:  # the end
                        continue
                    while float(packet.dts * packet.time_base) > until:
                        until = yield
                    packet.stream = new
                    container.mux(packet)
        while True:
            yield

    generator = copy()
    next(generator)
    return generator


@contextlib.contextmanager
def _opened(file):
    """Give a video that PyAV opened, or raise."""
    try:
        import av
    except ImportError:
        raise ImportError(
            f"{str(file)!r} is a video, and to read it PyAV must be installed: pip install av. "
            "GIF files and folders of frames are read without."
        ) from None
    with contextlib.ExitStack() as stack:
        with reading(file, "film"):
            check_regular(file)
            # By a handle: of a name FFmpeg might make an address.
            handle = stack.enter_context(open(file, "rb"))
            name = FORMATS[Path(file).suffix.lower()]
            container = stack.enter_context(av.open(handle, format=name))
        yield container


def _pictures(container, file):
    """Return the stream of pictures, or raise if there is none or they are too large."""
    from PIL import Image

    with reading(file, "film"):
        if not container.streams.video:
            raise ValueError("it holds sound alone")
        stream = container.streams.video[0]
        if stream.width * stream.height > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError
    stream.thread_type = "AUTO"
    return stream
