"""Draws pictures and the curves of a training into matplotlib figures."""

import io

import numpy as np
from keras import ops

from keras_imgen.data import to_uint8
from keras_imgen.metrics import psnr
from keras_imgen.plotting.grids import checked_pictures, image_grid


def plot_images(pictures, columns: int | None = None, title: str | None = None, ax=None):
    """Draw a grid of pictures into matplotlib axes.

    Args:
        pictures: as in `image_grid`.
        columns: pictures per row.
        title: text above the grid.
        ax: axes to draw into; by default those of a new figure.

    Returns:
        The axes, which a notebook shows when they end a cell.

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.plotting import plot_images
        >>> plot_images(load("digits").take(8), columns=4, title="digits").get_title()
        'digits'
    """
    grid = image_grid(pictures, columns)
    if ax is None:
        width = min(10.0, max(4.0, grid.shape[1] / 40))
        ax = showable(new_figure((width, width * grid.shape[0] / grid.shape[1])).subplots())
    show_picture(ax, grid, title)
    return ax


def plot_before_after(observed, restored, clean, titles: list[str] | None = None):
    """Draw each picture observed, restored and clean side by side, with the PSNR above it.

    Args:
        observed: array `(n, height, width, channels)`; extra channels behind those of `clean` are
            not shown.
        restored: array in [0, 1], `(n, height, width, channels)`.
        clean: array in [0, 1], same shape.
        titles: names of the three columns.

    Returns:
        The figure, one row per picture.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.plotting import plot_before_after
        >>> clean = np.full((1, 8, 8, 1), 0.5)
        >>> figure = plot_before_after(clean + 0.1, clean + 0.01, clean)
        >>> [ax.get_title() for ax in figure.axes]
        ['observed · 20.0 dB', 'restored · 40.0 dB', 'clean']
    """
    clean, restored = checked_pictures(clean, rank=4), checked_pictures(restored, rank=4)
    observed = np.asarray(observed)[..., : clean.shape[-1]]
    names = titles or ["observed", "restored", "clean"]
    side = 3.2
    figure = new_figure((3 * side, len(clean) * (side * clean.shape[1] / clean.shape[2] + 0.35)))
    axes = figure.subplots(len(clean), 3, squeeze=False)
    for row, (ax, *pictures) in enumerate(zip(axes, observed, restored, clean, strict=True)):
        for column, (name, picture) in enumerate(zip(names, pictures, strict=True)):
            figures = f" · {psnr_text(clean[row], picture)}" if column < 2 else ""
            show_picture(ax[column], picture, name + figures)
    return figure


def plot_history(history, ax=None):
    """Draw the curves of a training: everything logged, by epoch.

    Curves of different units go into panels of their own: a log and its `val_` twin share one.

    Args:
        history: what `fit` returns, or its `history` dict.
        ax: axes to draw all curves into; by default a new figure, a panel per log.

    Returns:
        The axes, or the figure if `ax` is None.

    Example:
        >>> from keras_imgen.plotting import plot_history
        >>> figure = plot_history({"loss": [3.0, 2.0], "val_loss": [4.0, 3.0], "psnr": [20, 25]})
        >>> [ax.get_title() for ax in figure.axes]
        ['loss', 'psnr']
    """
    logs = getattr(history, "history", history)
    names = [name for name in logs if not name.startswith("val_") and name != "learning_rate"]
    if not names:
        raise ValueError(f"`history` holds no log to draw. Received: keys {sorted(logs)}.")
    # A resumed training did not begin with epoch 1.
    epochs = [epoch + 1 for epoch in getattr(history, "epoch", range(len(logs[names[0]])))]
    figure = None
    if ax is None:
        figure = new_figure((min(12.0, 3.8 * len(names)), 2.8))
        panels = figure.subplots(1, len(names), squeeze=False)[0]
    else:
        panels = [ax] * len(names)
    for panel, name in zip(panels, names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in logs:
                panel.plot(epochs, logs[key], label=label if figure else key)
        panel.set(xlabel="epoch", title=name.replace("_", " ") if figure else "")
        if figure is None or len(panel.lines) > 1:  # else the title says it
            panel.legend()
        panel.xaxis.get_major_locator().set_params(integer=True)
    return ax if figure is None else figure


def psnr_text(clean, picture) -> str:
    """Return the mean PSNR over pictures (or frames) as a title shows it."""
    return f"{float(ops.mean(psnr(clean, picture, clip=True))):.1f} dB"


def figure_pixels(figure) -> np.ndarray:
    """Return a matplotlib figure as an array of 8 bits, `(height, width, 3)`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def new_figure(size):
    """Return an empty figure of this size in inches."""
    from matplotlib.figure import Figure

    # Not pyplot's: no global state, no window, nothing to close.
    return showable(Figure(figsize=size, dpi=100, layout="constrained"))


def showable(artist):
    """Let a notebook show the figure or axes that end a cell; by itself it knows only pyplot's."""

    def png():
        buffer = io.BytesIO()
        artist.figure.savefig(buffer, format="png")
        return buffer.getvalue()

    artist._repr_png_ = png
    return artist


def show_picture(ax, picture, title):
    """Draw one picture, or a grid of them, with its own grey levels and square pixels."""
    # As colours of 8 bits: matplotlib's grey scale is up to two levels darker. Small pictures are
    # enlarged pixel by pixel: matplotlib would smooth them, and noise would look weaker than it is.
    colours = to_uint8(picture).repeat(3 // picture.shape[-1], axis=-1)
    ax.imshow(colours, interpolation="nearest" if max(picture.shape) <= 600 else "auto")
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=10)
