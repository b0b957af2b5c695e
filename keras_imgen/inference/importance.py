"""Estimates likelihoods by importance sampling, in bounded memory."""

import keras
import numpy as np
from keras import ops


def mean_of_samples(
    log_weights, given, size: int, num_samples: int, batch_size: int, seeds
) -> np.ndarray:
    """Return the logarithm of the mean of weights over samples, for each entry.

    Args:
        log_weights: function from standard normal numbers `(n, size)` and what is given of each
            entry, `(n, ...)`, to the logarithms of the weights `(n,)`.
        given: arrays with one row for each entry.
        size: how many numbers are drawn for a sample.
        num_samples: samples of each entry.
        batch_size: samples that are looked at in one call, of one entry or of several.
        seeds: `keras.random.SeedGenerator`.

    Returns:
        float64 array, one value for each entry.
    """
    count = len(given[0])
    at_once = min(num_samples, batch_size)
    entries = max(1, batch_size // at_once)
    means = []
    for start in range(0, count, entries):
        part = [rows[start : start + entries] for rows in given]
        repeated = [np.repeat(rows, at_once, axis=0) for rows in part]
        logs = np.empty((len(part[0]), 0))
        while logs.shape[1] < num_samples:
            noise = keras.random.normal((len(repeated[0]), size), dtype="float32", seed=seeds)
            found = ops.convert_to_numpy(log_weights(noise, *repeated)).astype("float64")
            logs = np.concatenate([logs, found.reshape(-1, at_once)], axis=1)
        # What the last call has drawn beyond the number is left out.
        means.append(np.logaddexp.reduce(logs[:, :num_samples], axis=1) - np.log(num_samples))
    return np.concatenate(means)
