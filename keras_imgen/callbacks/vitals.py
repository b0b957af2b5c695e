"""What can be measured of a model while it trains: how diverse its samples are, what it hears."""

import keras
import numpy as np


def samples_of(model, n):
    """Return samples, and of a conditional model their labels: several of each."""
    if not model.num_classes:
        return (model.sample(n, seed=0),)
    labels = np.arange(n) % min(model.num_classes, max(n // 8, 1))
    return model.sample(n, labels=labels, seed=0), labels


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
