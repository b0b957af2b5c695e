"""Tiles pictures into one array and draws them; the only user of matplotlib.

Nothing here calls `plt.show()` or stretches contrast: black is 0 and white is 1 in every picture,
and grey pictures are shown grey. A notebook shows what a function returns, if it ends a cell;
elsewhere `figure.savefig` writes it.
"""

from keras_imgen.plotting.figures import (
    plot_before_after,
    plot_history,
    plot_images,
)
from keras_imgen.plotting.grids import (
    image_grid,
    save_gif,
    save_grid,
)
from keras_imgen.plotting.latents import (
    plot_interpolations,
    plot_latent_map,
    plot_manifold,
    plot_reconstructions,
    plot_traversals,
)
from keras_imgen.plotting.nearest import plot_distances, plot_neighbors
from keras_imgen.plotting.strips import plot_over_time, plot_sequence, side_by_side

__all__ = [
    "image_grid",
    "plot_before_after",
    "plot_distances",
    "plot_history",
    "plot_images",
    "plot_interpolations",
    "plot_latent_map",
    "plot_manifold",
    "plot_neighbors",
    "plot_over_time",
    "plot_reconstructions",
    "plot_sequence",
    "plot_traversals",
    "save_gif",
    "save_grid",
    "side_by_side",
]
