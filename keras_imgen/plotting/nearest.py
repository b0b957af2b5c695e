"""Draws what tells whether a model copies: pictures beside their neighbors, and distances."""

import numpy as np

from keras_imgen import checks
from keras_imgen.plotting.figures import new_figure, show_picture, showable
from keras_imgen.plotting.grids import checked_pictures, image_grid


def plot_neighbors(pictures, neighbors, distances=None, titles: list[str] | None = None):
    """Draw pictures in a row, and below each one those of another set that are nearest to it.

    Args:
        pictures: array in [0, 1], `(n, height, width, channels)`.
        neighbors: the nearest of each one, same shape; or `(n, k, height, width, channels)` for k
            of them, the nearest first.
        distances: of each picture to its first neighbor, shape `(n,)`; by default not written.
        titles: texts above the pictures and above the neighbors.

    Returns:
        The figure.

    Raises:
        ValueError: if not every picture has its neighbors.

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.plotting import plot_neighbors
        >>> digits = load("digits").take(4)
        >>> figure = plot_neighbors(digits, digits[::-1], distances=[0.25, 0.5, 0.5, 0.25])
        >>> [ax.get_title() for ax in figure.axes]
        ['pictures', 'the nearest, at 0.250 to 0.500']
    """
    pictures, neighbors = checked_pictures(pictures, rank=4), np.asarray(neighbors)
    if neighbors.ndim == pictures.ndim:
        neighbors = neighbors[:, None]
    if neighbors.shape[:1] + neighbors.shape[2:] != pictures.shape:
        raise ValueError(
            "Every picture must have its neighbors, of its own shape. Received: pictures of shape "
            f"{pictures.shape}, neighbors of shape {neighbors.shape}. Take the same pictures of "
            "both, as in `samples[:10], training[indices[:10]]`."
        )
    count = len(pictures)
    # Row by row: the nearest of all pictures, the second nearest of all pictures, ...
    grids = (
        image_grid(pictures, count),
        image_grid(np.concatenate([*neighbors.swapaxes(0, 1)]), count),
    )
    above, below = titles or ["pictures", "the nearest"]
    if distances is not None:
        below += f", at {np.min(distances):.3f} to {np.max(distances):.3f}"
    width = min(10.0, max(4.0, grids[0].shape[1] / 30))
    heights = [width * grid.shape[0] / grid.shape[1] for grid in grids]
    figure = new_figure((width, sum(heights) + 0.6))
    axes = figure.subplots(2, height_ratios=heights)
    for ax, grid, title in zip(axes, grids, (above, below), strict=True):
        show_picture(ax, grid, title)
    return figure


def plot_distances(distances, held_out_distances, threshold: float | None = None, ax=None):
    """Draw how far two sets of pictures are from their nearest training pictures, as shares.

    Args:
        distances: of made pictures, shape `(n,)`.
        held_out_distances: of pictures that were not trained on, the yardstick, shape `(m,)`.
        threshold: distance to be marked by a line, below which a picture counts as a copy; by
            default none.
        ax: axes to draw into; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if a distance is no number, or there is none.

    Example:
        >>> from keras_imgen.plotting import plot_distances
        >>> plot_distances([0.1, 0.2], [0.15, 0.25, 0.2], threshold=0.12).get_ylabel()
        'share of pictures'
    """
    sets = {
        "samples": np.asarray(distances, "float64").ravel(),
        "held-out pictures": np.asarray(held_out_distances, "float64").ravel(),
    }
    for name, values in sets.items():
        if not values.size or not np.all(np.isfinite(values)):
            raise ValueError(
                f"The distances of {name} must be finite numbers, at least one. Received: "
                f"{checks.shown(values)}. keras_imgen.metrics.nearest measures them."
            )
    if ax is None:
        ax = showable(new_figure((5.0, 2.8)).subplots())
    # The same bins for both, and shares: the sets may be of different size.
    edges = np.histogram_bin_edges(np.concatenate(list(sets.values())), 30)
    for name, values in sets.items():
        weights = np.full(values.size, 1.0 / values.size)
        ax.hist(values, edges, weights=weights, alpha=0.6, label=name)
    if threshold is not None:
        ax.axvline(threshold, color="black", linewidth=1, linestyle="--", label="threshold")
    ax.set(xlabel="distance to the nearest training picture", ylabel="share of pictures")
    ax.legend()
    return ax
