"""`load_moving_digits`: sequences of digits that move, the usual toy of films."""

import zlib
from pathlib import Path

import numpy as np

from keras_imgen.checks import shown, whole_number
from keras_imgen.data import asked, sources, tfds
from keras_imgen.data.dataset import PictureDataset


def load_moving_digits(
    split: str = "train",
    *,
    num_sequences: int | None = None,
    num_frames: int = 10,
    size: int | tuple[int, int] = 48,
    num_digits: int = 2,
    source: str = "digits",
    data_dir: str | Path | None = None,
    batch_size: int = 16,
    shuffle: bool | None = None,
    seed: int = 0,
) -> PictureDataset:
    """Make sequences in which digits move on straight lines and bounce off the walls.

    Digits are drawn at random places with random directions; each frame moves them by a tenth of
    its longer side. Where two overlap the brighter one shows. Training and test sequences show
    different digits.

    Args:
        split: `"train"` or `"test"`, of the digits; for TFDS anything that TFDS understands.
        num_sequences: how many; by default 512 for training and 64 for test.
        num_frames: frames per sequence, at least 1.
        size: side, or `(height, width)`, of a frame in pixels, at least that of a digit. One of 28
            x 28 bounces nearly every frame at size 32, and slides to and fro in (28, 48).
        num_digits: digits per sequence, 1 to 100.
        source: which digits: `"digits"`, the embedded 5,000, or a TFDS set of grey pictures of one
            size, such as `"mnist"` for all 70,000 or `"fashion_mnist"`.
        data_dir: where TFDS keeps its data; by default TFDS's own folder.
        batch_size: sequences per batch.
        shuffle: by default True for training.
        seed: integer that fixes the sequences and their order.

    Returns:
        A dataset of sequences `(num_frames, height, width, 1)`.

    Raises:
        ValueError: for an unknown split or source, pictures that are not grey or larger than a
            frame, or if all together would need more than 4 GiB of memory.
        ConnectionError, OSError: as `load`, for a TFDS set.

    Source: Srivastava et al. 2015 (arXiv 1502.04681), section 4.1 ("Moving MNIST").

    Example:
        >>> from keras_imgen import load_moving_digits
        >>> load_moving_digits(num_sequences=4, num_frames=5, size=32).image_shape
        (5, 32, 32, 1)
    """
    asked.check(size, 0, None, batch_size, seed)
    height, width = asked.pair(size)
    for argument, value in (("split", split), ("source", source)):
        if not isinstance(value, str):
            raise TypeError(f"`{argument}` must be a string. Received: {shown(value)}.")
    is_train = split.startswith("train")
    if num_sequences is None:
        num_sequences = 512 if is_train else 64
    num_sequences = whole_number("num_sequences", num_sequences, 1)
    num_frames = whole_number("num_frames", num_frames, 1)
    num_digits = whole_number("num_digits", num_digits, 1, most=100)
    sources.check_memory(
        num_sequences * num_frames * height * width,
        f"{num_sequences:,} sequences of {num_frames:,} frames of {height} x {width} pixels",
        "Make fewer, shorter or smaller ones",
    )
    digits = _digits(source, split, data_dir)
    if height < digits.shape[1] or width < digits.shape[2]:
        raise ValueError(
            f"A frame must hold a digit of {digits.shape[1]} x {digits.shape[2]} pixels. Received: "
            f"size={size}. Pass at least {max(digits.shape[1:3])}."
        )
    # The split is part of the seed: test sequences are not training ones with other digits.
    parts = {"train": 0, "test": 1}
    rng = np.random.default_rng((seed, parts.get(split, zlib.crc32(split.encode()))))
    sequences = np.stack(
        [
            sources.bounce(digits, num_frames, height, width, num_digits, rng)
            for _ in range(num_sequences)
        ]
    )
    shuffle = is_train if shuffle is None else shuffle
    return PictureDataset(sequences, batch_size=batch_size, shuffle=shuffle, seed=seed)


def _digits(source, split, data_dir):
    """Return grey pictures of one size that can move, or raise."""
    if source == "digits":
        return sources.read_digits(split)[0]
    digits, _, _ = tfds.read_tfds(source, split, False, data_dir)
    if not isinstance(digits, np.ndarray) or digits.shape[-1] != 1:
        kind = "of one size" if not isinstance(digits, np.ndarray) else "grey"
        raise ValueError(
            f"What moves must be grey pictures of one size. Received: source={source!r}, whose "
            f'pictures are not {kind}. Pass "mnist", for example.'
        )
    return digits
