"""Grey levels: from 8 bits to [0, 1] and back, and black and white drawn by them."""

import numpy as np

from keras_imgen.checks import array, dtype_name


def to_float(pictures) -> np.ndarray:
    """Convert pictures of 8 bits (uint8, 0 to 255) to this package's float32 in [0, 1].

    Args:
        pictures: uint8 array of any shape.

    Raises:
        ValueError: for another dtype, whose range nobody knows.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.data import to_float
        >>> to_float(np.array([0, 51, 255], "uint8")).tolist()
        [0.0, 0.20000000298023224, 1.0]
    """
    pictures = array(pictures)
    if pictures.dtype != np.uint8:
        raise ValueError(
            "`to_float` converts pictures of 8 bits, of dtype uint8. "
            f"Received: dtype={pictures.dtype}. Divide other ranges by their largest possible "
            "value."
        )
    return pictures.astype("float32") / np.float32(255)


def to_uint8(pictures) -> np.ndarray:
    """Convert pictures in [0, 1] to 8 bits: clipped to the range and rounded.

    Args:
        pictures: floating-point array of any shape.

    Raises:
        ValueError: for whole numbers, which are 8 bits already or in another range.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.data import to_uint8
        >>> to_uint8(np.array([-0.1, 0.2, 1.0])).tolist()
        [0, 51, 255]
    """
    pictures = array(pictures)
    if "float" not in dtype_name(pictures) and pictures.dtype != bool:
        raise ValueError(
            "`to_uint8` converts floating-point pictures in [0, 1]. "
            f"Received: dtype={pictures.dtype}. Pictures of 8 bits need no conversion."
        )
    return np.rint(np.clip(pictures.astype("float32"), 0.0, 1.0) * 255.0).astype("uint8")


def binarized(pictures, seed=0) -> np.ndarray:
    """Draw black and white pictures: each pixel is white as probably as it is bright.

    What likelihoods of `losses.Bernoulli` are measured on. `load(..., binarize="dynamic")` draws
    so for a whole training.

    Args:
        pictures: array of 8 bits, or float in [0, 1], of any shape.
        seed: integer, or a sequence of integers; the same seed draws the same pictures.

    Returns:
        uint8 array of the same shape, of 0 and 255.

    Source: Salakhutdinov and Murray 2008 (On the quantitative analysis of deep belief networks,
        ICML), section 5.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.data import binarized
        >>> grey = np.full((1, 100, 100, 1), 0.25, "float32")
        >>> print(f"{np.mean(binarized(grey)) / 255:.2f}")
        0.25
    """
    pictures = array(pictures)
    pictures = to_float(pictures) if pictures.dtype == np.uint8 else pictures
    # Numbers of its own: random pictures made from the same seed would all be black.
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    drawn = np.zeros(pictures.shape, "uint8")
    for start in range(0, len(pictures), 1024):  # the draws are larger than the pictures
        part = pictures[start : start + 1024]
        drawn[start : start + 1024][rng.random(part.shape, "float32") < part] = 255
    return drawn
