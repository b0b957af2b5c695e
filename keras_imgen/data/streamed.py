"""`FilePictures`: pictures of a folder larger than memory, read when a batch needs them."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_imgen.data.photos import read_picture
from keras_imgen.data.sources import resize, with_channels

KEPT = 2**29  # bytes of pictures that are kept when they have been read
THREADS = min(4, os.cpu_count() or 1)  # decoding lets go of Python's lock


class FilePictures(Sequence):
    """Pictures that stay in their files, as a list of arrays of 8 bits.

    Threads read what is asked for `soon`, so that the next batch is there when this one has been
    learned. The last ones that were read are kept, up to half a GiB.

    Args:
        files: PNG or JPEG files.
        shapes: of each file's picture, `(height, width, channels)`, as `photos.picture_shape` tells
            it; all of as many channels.
        size: `(height, width)` to which each is resized, or None.

    Attributes:
        shapes: of each picture as it is here.

    Example:
        >>> from keras_imgen.data.sources import ASSETS
        >>> from keras_imgen.data.streamed import FilePictures
        >>> file = sorted((ASSETS / "photos" / "test").glob("*.png"))[0]
        >>> FilePictures([file], [(256, 256, 1)], size=(32, 48))[0].shape
        (32, 48, 1)
    """

    def __init__(
        self, files: Sequence[Path], shapes: Sequence[tuple], size: tuple[int, int] | None = None
    ):
        self.files, self.size = list(files), size
        self._whole = list(shapes)
        self.shapes = [(*(size or shape[:2]), shape[2]) for shape in shapes]
        self._lock, self._pool = threading.Lock(), None
        self._read, self._kept = OrderedDict(), 0  # the reading of each picture, and their bytes

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        try:
            return self._asked(index).result()
        except ValueError as error:
            with self._lock:  # to be read again when the file is mended
                if self._read.pop(index, None) is not None:
                    self._kept -= np.prod(self.shapes[index])
            raise ValueError(f"{error} Mend it, or take it out and load the folder anew.") from None

    def __reduce__(self):
        return FilePictures, (self.files, self._whole, self.size)

    def part(self, chosen) -> "FilePictures":
        """Return some of the pictures.

        Args:
            chosen: their numbers.
        """
        rows = [[values[i] for i in chosen] for values in (self.files, self._whole)]
        return FilePictures(*rows, self.size)

    def resized(self, size: tuple[int, int]) -> "FilePictures":
        """Return the same pictures, each resized when it has been read.

        Args:
            size: height and width.
        """
        return FilePictures(self.files, self._whole, size)

    def soon(self, chosen) -> None:
        """Begin to read pictures.

        Args:
            chosen: their numbers, in the order in which they are needed.
        """
        num_bytes = 0
        for index in dict.fromkeys(map(int, chosen)):
            num_bytes += np.prod(self.shapes[index])
            if num_bytes > KEPT // 2:  # the rest would push them out again
                return
            self._asked(index)

    def windows(self, order) -> list[np.ndarray]:
        """Cut an order of pictures into parts of which two are kept at a time.

        Args:
            order: numbers of pictures.
        """
        num_bytes = np.cumsum([np.prod(self.shapes[i]) for i in order])
        return np.split(order, np.flatnonzero(np.diff(num_bytes // (KEPT // 2))) + 1)

    def _asked(self, index):
        with self._lock:
            if index in self._read:
                self._read.move_to_end(index)
                return self._read[index]
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, "pictures")
            self._read[index] = reading = self._pool.submit(self._picture, index)
            self._kept += np.prod(self.shapes[index])
            while self._kept > KEPT and len(self._read) > 1:
                oldest, _ = self._read.popitem(last=False)
                self._kept -= np.prod(self.shapes[oldest])
            return reading

    def _picture(self, index):
        picture = read_picture(self.files[index])
        if picture.shape[:2] != self._whole[index][:2]:
            raise ValueError(
                f"{str(self.files[index])!r} has changed while it was in use. Received: "
                f"{picture.shape[0]} x {picture.shape[1]} pixels, which were "
                f"{self._whole[index][0]} x {self._whole[index][1]}."
            )
        picture = with_channels(picture, self._whole[index][2])
        return resize(picture, *self.size) if self.size else picture


def shapes_of(pictures) -> list[tuple]:
    """Return the shape of each picture of a list, which may still be in its file."""
    if isinstance(pictures, FilePictures):
        return pictures.shapes
    return [picture.shape for picture in pictures]
