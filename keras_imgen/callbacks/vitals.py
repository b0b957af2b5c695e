"""What can be measured of a model while it trains: its samples, slopes and latents."""

import keras
import numpy as np

MOST, STEPS = 64, 8  # samples of a diffusion model, whose every step takes as long as a whole GAN


def samples_of(model, n):
    """Return samples, and of a conditional model their labels: several of each."""
    how = {"seed": 0}
    if hasattr(model, "denoise"):
        n, how["steps"] = min(n, MOST), STEPS
    if not model.num_classes:
        return (model.sample(n, **how),)
    labels = np.arange(n) % min(model.num_classes, max(n // 8, 1))
    return model.sample(n, labels=labels, **how), labels


def mean_distance(pictures, labels=None) -> float:
    """Return the mean distance of all pairs of different pictures, with labels of equal ones."""
    flat = np.reshape(pictures, (len(pictures), -1)).astype("float64")
    flat -= flat.mean(axis=0)  # what all have in common would only cost digits
    lengths = np.sum(np.square(flat), axis=1)
    squares = lengths[:, None] + lengths - 2.0 * flat @ flat.T
    first, second = np.triu_indices(len(flat), k=1)
    if labels is not None:
        alike = labels[first] == labels[second]
        first, second = first[alike], second[alike]
    return float(np.mean(np.sqrt(np.maximum(squares[first, second], 0.0)))) if len(first) else 0.0


def score_slope(gan, n=64) -> float:
    """Return the mean length of the gradient of a made picture's score by its pixels."""
    latents = keras.random.normal((n, gan.latent_dim), dtype="float32", seed=0)
    labels = np.arange(n) % gan.num_classes if gan.num_classes else None
    pictures = keras.ops.convert_to_tensor(gan.predict_latents(latents, labels))
    slopes = gan.score_slopes(pictures, labels)
    slopes = keras.ops.convert_to_numpy(keras.ops.cast(slopes, "float32"))
    return float(np.mean(np.linalg.norm(slopes.reshape(n, -1), axis=1)))


def activity(vae, pictures, *labels) -> np.ndarray:
    """Return of each latent the variance of its mean over pictures."""
    return np.var(vae.encode(pictures, *labels)[0].astype("float64"), axis=0)
