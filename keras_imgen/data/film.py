"""`Film`, which reads a film whole or frame by frame, and writes another one like it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from keras_imgen import checks
from keras_imgen.data import frames, videos
from keras_imgen.data.dataset import check_pictures
from keras_imgen.data.folders import list_pictures
from keras_imgen.data.levels import to_float, to_uint8
from keras_imgen.data.photos import read_photo, write_photo
from keras_imgen.data.sources import check_memory
from keras_imgen.files import write_whole


class Film:
    """A film on this machine: a GIF file, a video file, or a folder that holds its frames.

    To restore it: whole, `restorer.restore(film.read()[None])[0]`, or frame by frame, since it can
    be iterated over. When it is made, the whole film is looked through once and nothing kept.

    Args:
        path: a GIF file; a video (MP4, MOV, AVI, MKV, WebM), for which PyAV must be installed, `pip
            install av`; a folder with PNG or JPEG files, in the order of the numbers in their
            names; or a list of such files.

    Attributes:
        name: the path, for messages.
        shape: `(num_frames, height, width, channels)`, 1 channel if every frame is grey, else 3.
        seconds: how long each frame is shown, a list, of a video the mean; None for a folder, which
            does not say.
        files: the frames' files; None for a film in one file.

    Raises:
        FileNotFoundError: if there is no such file or folder, or no picture in it.
        ImportError: for a video without PyAV.
        ValueError: if a frame cannot be read, or has another size than the first one.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from keras_imgen import plotting
        >>> from keras_imgen.data import Film
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = plotting.save_gif(folder / "a.gif", np.random.rand(5, 12, 20, 1), seconds=0.2)
        >>> film = Film(folder / "a.gif")
        >>> film.shape, film.seconds[:2]
        ((5, 12, 20, 1), [0.2, 0.2])
        >>> film.write(folder / "b.gif", (1.0 - frame for frame in film)).name
        'b.gif'
    """

    def __init__(self, path: str | Path | list):
        self._source, self.name = _found(path)
        self.files = None if isinstance(self._source, Path) else self._source
        sizes, channels, shown = set(), 1, []
        for number, (picture, seconds) in enumerate(frames.read_frames(self._source), 1):
            sizes.add(picture.shape[:2])
            if len(sizes) > 1:
                (height, width), (other_height, other_width) = sorted(sizes)
                raise ValueError(
                    f"The frames of a film must have equal sizes. Received: {height} x {width} and "
                    f"{other_height} x {other_width} pixels up to frame {number} of {self.name!r}. "
                    "Make all of one size, or films of their own of them."
                )
            channels = max(channels, picture.shape[-1])
            shown.append(seconds)
        if not shown:
            raise ValueError(f"{self.name!r} cannot be read as a film: it holds no frame.")
        self.shape = (len(shown), *sizes.pop(), channels)
        self.seconds = shown if self.files is None else None

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames, float32 in [0, 1], shape `(height, width, channels)`, one by one."""
        for picture, _ in frames.read_frames(self._source, lambda file: read_photo(file).picture):
            picture = to_float(picture) if picture.dtype == np.uint8 else picture
            yield np.broadcast_to(picture, self.shape[1:])

    def read(self) -> np.ndarray:
        """Return the whole film, float32 in [0, 1], `(num_frames, height, width, channels)`.

        Raises:
            ValueError: if it would need more than 4 GiB of memory.
        """
        count, height, width, _ = self.shape
        check_memory(
            4 * int(np.prod(self.shape)),
            f"{self.name!r}, {count:,} frames of {height} x {width} pixels",
            "Cut it into shorter films, or take it frame by frame",
        )
        whole = np.empty(self.shape, "float32")
        for number, frame in enumerate(self):
            whole[number] = frame
        return whole

    def write(self, path: str | Path, restored: Iterable) -> Path:
        """Write other frames as a film of the same kind and pace.

        A GIF file has 256 colours for each frame. A video is compressed nearly without loss and
        keeps its first sound. Pictures become PNG files of the same names and as many bits.

        Args:
            path: the file, of the same ending, or the folder; missing folders are made.
            restored: as many frames as this film has, floating point in [0, 1], `(height, width,
                channels)`; they are taken one by one.

        Returns:
            The path.

        Raises:
            ValueError: if the ending is another one, or the frames are no pictures in [0, 1] or not
                as many.
        """
        checks.path("path", path)
        path = Path(path)
        if self.files is not None:
            for file, frame in zip(self.files, self._checked(restored), strict=True):
                write_frame(path / f"{file.stem}.png", file, frame)
            return path
        ending = self._source.suffix.lower()
        if path.suffix.lower() != ending:
            raise ValueError(
                f"A film is written as the kind of file that it was. Received: {str(path)!r} for "
                f"{self.name!r}. Pass a name that ends in {ending}."
            )
        pictures = (to_uint8(frame) for frame in self._checked(restored))
        with write_whole(path) as unfinished:
            if ending == ".gif":
                repeats = frames.gif_repeats(self._source)
                frames.write_gif(unfinished, pictures, self.seconds, repeats)
            else:
                videos.write(unfinished, pictures, self.seconds[0], sound=self._source)
        return path

    def _checked(self, restored):
        """Yield frames, or raise where they are none or not as many as this film has."""
        wanted = (
            f"A film is written with as many frames as it has, {len(self)}, each of shape (height, "
            "width, 1 or 3)."
        )
        count = 0
        for frame in restored:
            count += 1
            shape = np.shape(frame)
            if len(shape) != 3 or shape[-1] not in (1, 3):
                raise ValueError(f"{wanted} Received: shape={shape}.")
            if count > len(self):
                break
            frame = np.asarray(frame)
            check_pictures(frame[None], name="restored", noise=1e-3)  # a rounding
            yield frame
        if count != len(self):
            more = "more" if count > len(self) else count
            raise ValueError(f"{wanted} Received: {more} frames.")


def write_frame(path: Path, file: Path, picture: np.ndarray) -> None:
    """Write a picture as PNG, with bits, transparency and notes of the file that it was made of."""
    with write_whole(path) as unfinished:
        write_photo(unfinished, read_photo(file)._replace(picture=picture))


def _found(path):
    """Return the file of a film, or those of its frames, and what to call it."""
    if isinstance(path, list | tuple):
        if not path:
            raise ValueError("A film has at least one frame. Received: an empty list of files.")
        return [Path(file) for file in path], str(path[0])
    checks.path("path", path)
    place = Path(os.path.expanduser(path))
    if place.suffix.lower() in frames.ENDINGS and not place.is_dir():
        if not os.path.lexists(place):
            raise FileNotFoundError(f"There is no film {str(path)!r}.")
        return place, str(path)
    files = [file for file in list_pictures(place)[0] if file.parent == place]
    if not files:
        raise FileNotFoundError(
            f"There is no PNG or JPEG file in {str(path)!r}. Pass a folder that holds the frames "
            "of one film."
        )
    return files, str(path)
