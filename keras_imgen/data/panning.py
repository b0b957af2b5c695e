"""`load_moving_photos`: sequences made of photographs, as a camera in the hand would film them."""

import zlib
from pathlib import Path

import numpy as np

from keras_imgen.checks import one_of, whole_number
from keras_imgen.data import asked, folders, sources
from keras_imgen.data.dataset import PictureDataset


def load_moving_photos(
    split: str = "train",
    *,
    num_sequences: int | None = None,
    num_frames: int = 10,
    size: int | tuple[int, int] = 64,
    source: str | Path = "photos",
    channels: int = 1,
    batch_size: int = 16,
    shuffle: bool | None = None,
    seed: int = 0,
) -> PictureDataset:
    """Make sequences out of photographs: a camera pans, zooms, turns and shakes.

    All of it is drawn for each sequence: a speed of up to a sixteenth of the frame's longer side,
    up to 2 % of zoom and up to one degree a frame, and in half of the sequences a hand that shakes
    by up to 1.5 pixels. In half of them an ellipse cut from another place moves in front, with a
    speed of its own, hides what is behind it and uncovers it again. A photograph goes on beyond its
    borders as in a mirror.

    Args:
        split: `"train"` or `"test"`, of the embedded photographs; of a folder, it only changes what
            is drawn, and by default what is shuffled.
        num_sequences: how many; by default 512 for training and 64 for test.
        num_frames: frames per sequence, at least 1.
        size: side, or `(height, width)`, of a frame in pixels, at least 8.
        source: `"photos"` for the embedded photographs, or a folder of your own.
        channels: 1 for grey, 3 for colour.
        batch_size: sequences per batch.
        shuffle: by default True for training.
        seed: integer that fixes the sequences and their order.

    Returns:
        A dataset of sequences `(num_frames, height, width, channels)`.

    Raises:
        ValueError: for another split, sides below 8, or if all together would need more than 4 GiB
            of memory.
        FileNotFoundError: if the folder does not exist or holds no picture.

    Example:
        >>> from keras_imgen import load_moving_photos
        >>> load_moving_photos(num_sequences=4, num_frames=5, size=(32, 48)).image_shape
        (5, 32, 48, 1)
    """
    asked.check(size, 0, channels, batch_size, seed)
    height, width = (whole_number("size", side, 8) for side in asked.pair(size))
    one_of("split", split, ("train", "test"))
    if num_sequences is None:
        num_sequences = 512 if split == "train" else 64
    num_sequences = whole_number("num_sequences", num_sequences, 1)
    num_frames = whole_number("num_frames", num_frames, 1)
    sources.check_memory(
        num_sequences * num_frames * height * width * channels,
        f"{num_sequences:,} sequences of {num_frames:,} frames of {height} x {width} pixels",
        "Make fewer, shorter or smaller ones",
    )
    if source == "photos":
        photos = sources.read_photos(split, channels)
    else:
        photos = sources.with_channels(folders.read_folder(source, channels)[0], channels)
    rng = np.random.default_rng((seed, zlib.crc32(split.encode())))
    sequences = np.stack(
        [filmed(photos, num_frames, height, width, rng) for _ in range(num_sequences)]
    )
    shuffle = split == "train" if shuffle is None else shuffle
    return PictureDataset(sequences, batch_size=batch_size, shuffle=shuffle, seed=seed)


def filmed(photos, num_frames, height, width, rng):
    """Return one sequence `(T, H, W, C)`, in half of the cases with something in front."""
    film = _panned(photos, num_frames, height, width, rng)
    if rng.random() < 0.5:
        return film
    front = _panned(photos, num_frames, height, width, rng)
    way = rng.uniform(-1.0, 1.0, 2) / 16 * max(height, width) * np.arange(num_frames)[:, None]
    middle = rng.uniform(0.0, 1.0, 2) * (height, width) + way - way.mean(axis=0)
    radii = rng.uniform(0.1, 0.3, 2) * (height, width)
    places = np.stack(np.mgrid[:height, :width], axis=-1) + 0.5
    far = np.sum(((places - middle[:, None, None]) / radii) ** 2, axis=-1, keepdims=True)
    return np.where(far < 1.0, front, film)


def _panned(photos, num_frames, height, width, rng):
    """Return one sequence `(T, H, W, C)` of a photograph that a camera moves over."""
    from PIL import Image

    photo = photos[rng.integers(len(photos))]
    time = np.arange(num_frames) - (num_frames - 1) / 2
    speed, direction = rng.uniform(0.0, max(height, width) / 16), rng.uniform(0.0, 2.0 * np.pi)
    way = speed * time[:, None] * [np.cos(direction), np.sin(direction)]
    way += rng.choice([0.0, 1.0]) * rng.uniform(0.0, 1.5) * rng.uniform(-1.0, 1.0, way.shape)
    scale = np.exp(rng.uniform(np.log(0.7), np.log(1.4)) + rng.uniform(-0.02, 0.02) * time)
    angle = np.deg2rad(rng.uniform(-1.0, 1.0)) * time
    # As much of the photograph as the camera ever sees; mirrored where it is not as large.
    reach = int(np.ceil(scale.max() * (np.abs(way).max() + np.hypot(height, width) / 2))) + 3
    rows, columns = (_part(side, reach, rng) for side in photo.shape[:2])
    seen = sources.as_image(photo[np.ix_(rows, columns)])
    frames = []
    for (x, y), factor, turn in zip(way, scale, angle, strict=True):
        # From a pixel of the frame to its place in the photograph.
        cos, sin = factor * np.cos(turn), factor * np.sin(turn)
        left = reach + factor * x - cos * width / 2 + sin * height / 2
        top = reach + factor * y - sin * width / 2 - cos * height / 2
        places = (cos, -sin, left, sin, cos, top)
        frames.append(seen.transform((width, height), Image.AFFINE, places, Image.BICUBIC))
    return np.stack([np.asarray(frame).reshape(height, width, -1) for frame in frames])


def _part(side, reach, rng):
    """Return so many places to both sides of one, inside of a side if they fit, else mirrored."""
    room = min(reach, side // 2)
    middle = rng.integers(room, side - room + 1)
    return np.pad(np.arange(side), reach, mode="symmetric")[middle : middle + 2 * reach]
