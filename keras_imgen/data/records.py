"""`RecordPictures`: pictures of a TFDS set that stay in its TFRecord files."""

import functools
import io
import os
from pathlib import Path

import numpy as np

from keras_imgen.data.streamed import StreamedPictures

HEAD = 12  # bytes in front of a record: its length in 8 of them, and a checksum
TAIL = 4  # bytes behind it: another checksum


class RecordPictures(StreamedPictures):
    """Pictures of a set of TensorFlow Datasets that stay in its TFRecord files.

    Each is decoded by TFDS's own functions, as it is in memory.

    Args:
        folder: in which TFDS prepared the set.
        key: the feature that holds the pictures.
        files: those of the set in which there are pictures.
        places: `(file, start)` of each record: the number of the file, and the byte.
        shapes: of each picture.

    Source: TFRecord format, https://www.tensorflow.org/tutorials/load_data/tfrecord
    """

    advice = "Remove what is there, or mend the cause, and load the set again."

    def __init__(self, folder: Path, key: str, files: list[str], places, shapes):
        super().__init__(places, shapes)
        self.folder, self.key, self.files = folder, key, files

    def read(self, place) -> np.ndarray:
        """Return the picture of a record."""
        try:
            file, start = self.files[place[0]], int(place[1])
            with open(file, "rb") as stream:
                stream.seek(start)
                length = int.from_bytes(stream.read(HEAD)[:8], "little")
                if not 0 < length <= os.path.getsize(file) - start - HEAD - TAIL:
                    raise ValueError("it ends before its last record does")
                record = stream.read(length)
            return _decoded(record, _feature(str(self.folder), self.key), self.key)
        except Exception as error:  # TensorFlow raises a dozen kinds
            raise ValueError(f"{self.named(place)} cannot be read: {error}.") from None

    def named(self, place) -> str:
        """Return file and byte of a record."""
        return f"The record at byte {place[1]} of {self.files[place[0]]!r}"


def find_records(files: list) -> np.ndarray:
    """Return `(file, start)` of each record of TFRecord files, whose heads alone are read.

    Args:
        files: TFDS's instructions: which records of which files there are to be.

    Raises:
        ValueError: for a file that holds another number of records than it should, or is cut off.
    """
    places = []
    for number, part in enumerate(files):
        starts, start, size = [], 0, os.path.getsize(part.filename)
        with open(part.filename, "rb") as stream:
            while start < size:
                stream.seek(start)
                starts.append(start)
                start += HEAD + int.from_bytes(stream.read(8), "little") + TAIL
        if start != size or len(starts) != part.examples_in_shard:
            raise ValueError(
                f"{part.filename!r} holds {len(starts)} records and {size} bytes, where there "
                f"should be {part.examples_in_shard} records, which end at byte {start}"
            )
        places += [(number, start) for start in starts[part.skip : part.skip + part.take]]
    return np.array(places, "int64").reshape(-1, 2)


def picture_size(encoded: bytes) -> tuple[int, int]:
    """Return height and width of an encoded picture, by its head, turned as TFDS does: not."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
        return image.size[::-1]


@functools.lru_cache(maxsize=8)
def _feature(folder, key):
    import tensorflow_datasets

    return tensorflow_datasets.builder_from_directory(folder).info.features[key]


def _decoded(record, feature, key):
    import tensorflow as tf

    encoded = tf.train.Example.FromString(record).features.feature[key].bytes_list.value[0]
    return feature.decode_example(encoded).numpy()
