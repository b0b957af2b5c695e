"""`StreamedPictures`: pictures of a set larger than memory, read when a batch needs them."""

import copy
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_imgen.data.photos import read_picture
from keras_imgen.data.sources import resize, with_channels

KEPT = 2**29  # bytes of pictures that are kept when they have been read
OWN = {"_lock", "_pool", "_read", "_kept"}  # what a copy has of its own
THREADS = min(4, os.cpu_count() or 1)  # decoding lets go of Python's lock


class StreamedPictures(Sequence):
    """Pictures that stay where they are stored, as a list of arrays of 8 bits.

    Threads read what is asked for `soon`, so that the next batch is there when this one has been
    learned. The last ones that were read are kept, up to half a GiB. A subclass says how one is
    read, how it is called in an error, and what is to be done about one that cannot be read.

    Args:
        places: where each is stored, as the subclass understands it.
        shapes: of each picture as it is served, `(height, width, channels)`, of a sequence with
            the number of frames before it, but for `size`; all of as many channels.
        size: `(height, width)` to which each is resized, or None.
    """

    advice = ""

    def __init__(self, places, shapes: Sequence[tuple], size: tuple[int, int] | None = None):
        self.places, self._whole, self.size = places, list(shapes), size
        self._nothing_read()

    def read(self, place) -> np.ndarray:
        """Return the picture that is stored at a place, or raise a ValueError that names it."""
        raise NotImplementedError

    def named(self, place) -> str:
        """Return what an error calls the picture at a place."""
        return repr(str(place))

    @property
    def shapes(self) -> list[tuple]:
        """The shape of each picture as it is here."""
        return [self._shape(index) for index in range(len(self))]

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        try:
            return self._asked(index).result()
        except ValueError as error:
            raise ValueError(f"{error} {self.advice}") from None

    def __getstate__(self):
        return {name: self.__dict__[name] for name in self.__dict__.keys() - OWN}

    def __setstate__(self, state):
        self.__dict__ |= state
        self._nothing_read()

    def part(self, chosen) -> "StreamedPictures":
        """Return some of the pictures.

        Args:
            chosen: their numbers.
        """
        some = copy.copy(self)
        some.places, some._whole = ([row[i] for i in chosen] for row in (self.places, self._whole))
        return some

    def resized(self, size: tuple[int, int]) -> "StreamedPictures":
        """Return the same pictures, each resized when it has been read.

        Args:
            size: height and width.
        """
        resized = copy.copy(self)
        resized.size = size
        return resized

    def with_channels(self, channels: int) -> "StreamedPictures":
        """Return the same pictures, each made grey or coloured when it has been read.

        Args:
            channels: 1 or 3.
        """
        changed = copy.copy(self)
        changed._whole = [(*shape[:-1], channels) for shape in self._whole]
        return changed

    def soon(self, chosen) -> None:
        """Begin to read pictures.

        Args:
            chosen: their numbers, in the order in which they are needed.
        """
        num_bytes = 0
        for index in dict.fromkeys(map(int, chosen)):
            num_bytes += math.prod(self._shape(index))
            if num_bytes > KEPT // 2:  # the rest would push them out again
                return
            self._asked(index)

    def windows(self, order) -> list[np.ndarray]:
        """Cut an order of pictures into parts of which two are kept at a time.

        Args:
            order: numbers of pictures.
        """
        num_bytes = np.cumsum([math.prod(self._shape(i)) for i in order])
        return np.split(order, np.flatnonzero(np.diff(num_bytes // (KEPT // 2))) + 1)

    def _asked(self, index):
        with self._lock:
            reading = self._read.get(index)
            if reading and reading.done() and reading.exception():  # it may have been mended since
                self._forget(index)
            elif reading:
                self._read.move_to_end(index)
                return reading
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, "pictures")
            self._read[index] = reading = self._pool.submit(self._picture, index)
            self._kept += math.prod(self._shape(index))
            while self._kept > KEPT and len(self._read) > 1:
                self._forget(next(iter(self._read)))
            return reading

    def _forget(self, index):
        del self._read[index]
        self._kept -= math.prod(self._shape(index))

    def _shape(self, index):
        *time, height, width, channels = self._whole[index]
        return (*time, *(self.size or (height, width)), channels)

    def _nothing_read(self):
        self._lock, self._pool = threading.Lock(), None
        self._read, self._kept = OrderedDict(), 0  # the reading of each picture, and their bytes

    def _picture(self, index):
        return self._served(self.places[index], self._whole[index])

    def _served(self, place, shape):
        """Return a picture as it is wanted, or raise if it is not the one that there was."""
        picture = self.read(place)
        if picture.shape[:2] != shape[:2]:
            raise ValueError(
                f"{self.named(place)} has changed while it was in use. Received: "
                f"{picture.shape[0]} x {picture.shape[1]} pixels, which were {shape[0]} x "
                f"{shape[1]}."
            )
        picture = with_channels(picture, shape[2])
        return resize(picture, *self.size) if self.size else picture


class FilePictures(StreamedPictures):
    """Pictures of a folder that stay in their files.

    Args:
        places: PNG or JPEG files.
        shapes: of each file's picture, as `photos.picture_shape` tells it.
        size: as in `StreamedPictures`.

    Example:
        >>> from keras_imgen.data.sources import ASSETS
        >>> from keras_imgen.data.streamed import FilePictures
        >>> file = sorted((ASSETS / "photos" / "test").glob("*.png"))[0]
        >>> FilePictures([file], [(256, 256, 1)], size=(32, 48))[0].shape
        (32, 48, 1)
    """

    advice = "Mend it, or take it out and load the folder anew."

    def read(self, place: Path) -> np.ndarray:
        """Return the picture in a file."""
        return read_picture(place)


class Still(NamedTuple):
    """A frame that stays in its file.

    Attributes:
        file: PNG or JPEG.
        shape: of its picture, `(height, width, channels)`.
    """

    file: Path
    shape: tuple[int, int, int]

    @property
    def nbytes(self) -> int:
        """The memory that it takes: none that counts."""
        return 0


class FilmSequences(FilePictures):
    """Sequences of frames that stay in their files.

    Args:
        places: the frames of each sequence, as `Still`.
        shapes: of each sequence, `(time, height, width, channels)`.
        size: as in `StreamedPictures`.

    Example:
        >>> from keras_imgen.data.sources import ASSETS
        >>> from keras_imgen.data.streamed import FilmSequences, Still
        >>> file = sorted((ASSETS / "photos" / "test").glob("*.png"))[0]
        >>> film = [Still(file, (256, 256, 1))] * 3
        >>> FilmSequences([film], [(3, 256, 256, 1)], size=(32, 48))[0].shape
        (3, 32, 48, 1)
    """

    def _picture(self, index):
        channels = self._whole[index][-1]
        frames = [
            self._served(still.file, (*still.shape[:2], channels)) for still in self.places[index]
        ]
        return np.stack(frames)


def shapes_of(pictures) -> list[tuple]:
    """Return the shape of each picture of a list, which may still be where it is stored."""
    if isinstance(pictures, StreamedPictures):
        return pictures.shapes
    return [picture.shape for picture in pictures]
