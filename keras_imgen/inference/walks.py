"""Ways from one latent vector to another."""

import numpy as np


def on_line(start, end, steps: int) -> np.ndarray:
    """Return points in equal steps on the straight line between two vectors."""
    shares = np.linspace(0.0, 1.0, steps)[:, None]
    return ((1.0 - shares) * start + shares * end).astype("float32")


def on_arc(start, end, steps: int) -> np.ndarray:
    """Return points in equal steps on the arc between two vectors, about the origin.

    The direction turns at an even pace, and the length goes evenly from one to the other: for
    vectors of equal length this is White's formula. Vectors on one line through the origin have no
    arc between them, and get the line.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if not min(lengths):  # the origin lies in no direction
        return on_line(start, end, steps)
    cosine = np.dot(start / lengths[0], end / lengths[1])
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(angle) < 1e-6:
        return on_line(start, end, steps)
    shares = np.linspace(0.0, 1.0, steps)[:, None]
    length = (1.0 - shares) * lengths[0] + shares * lengths[1]
    ahead = np.sin((1.0 - shares) * angle) / np.sin(angle) * length / lengths[0]
    behind = np.sin(shares * angle) / np.sin(angle) * length / lengths[1]
    return (ahead * start + behind * end).astype("float32")
