"""Tiles pictures into one array and draws them; the only user of matplotlib.

Nothing here calls `plt.show()` or stretches contrast: black is 0 and white is 1 in every picture,
and grey pictures are shown grey. A notebook shows what a function returns, if it ends a cell;
elsewhere `figure.savefig` writes it.
"""

import io
import math
from pathlib import Path

import numpy as np

from keras_imgen import checks
from keras_imgen.checks import number, shown, whole_number
from keras_imgen.data import sources, to_uint8
from keras_imgen.files import write_whole

MAX_PIXELS = 2**28  # of one picture: a quarter of a gigabyte for each channel

__all__ = [
    "image_grid",
    "plot_before_after",
    "plot_history",
    "plot_images",
    "plot_sequence",
    "save_gif",
    "save_grid",
]


def image_grid(pictures, columns: int | None = None, padding: int = 2) -> np.ndarray:
    """Tile pictures into one, row by row, on a white ground.

    Args:
        pictures: array in [0, 1], shape `(n, height, width, channels)`; values beyond are clipped.
        columns: pictures per row; by default about as many as rows.
        padding: pixels between pictures.

    Returns:
        float32 array in [0, 1], shape `(height, width, channels)`.

    Raises:
        ValueError: if `pictures` is no batch of pictures with 1 or 3 channels, or in [0, 255].

    Example:
        >>> import numpy as np
        >>> from keras_imgen.plotting import image_grid
        >>> image_grid(np.zeros((5, 8, 8, 1)), columns=3, padding=1).shape
        (17, 26, 1)
    """
    pictures = _pictures(pictures, rank=4)
    count, height, width, channels = pictures.shape
    if columns is None:
        columns = math.ceil(math.sqrt(count))
    columns, padding = whole_number("columns", columns, 1), whole_number("padding", padding, 0)
    rows = math.ceil(count / columns)
    down, right = height + padding, width + padding
    sides = rows * down - padding, columns * right - padding
    _check_area(*sides)
    grid = np.ones((*sides, channels), "float32")
    for index, picture in enumerate(pictures):
        top, left = index // columns * down, index % columns * right
        grid[top : top + height, left : left + width] = picture
    return grid


def save_grid(
    path: str | Path, pictures, columns: int | None = None, padding: int = 2, scale: int = 1
) -> Path:
    """Write a grid of pictures as a PNG file; missing folders are made.

    Args:
        path: the file.
        pictures: as in `image_grid`.
        columns: pictures per row.
        padding: pixels between pictures.
        scale: side of the square that each pixel becomes, to look at small pictures.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from keras_imgen.plotting import save_grid
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_grid(f"{folder}/grid.png", np.zeros((4, 8, 8, 1))).name
        'grid.png'
    """
    _check_ending(path, sources.SUFFIXES)
    image = sources.as_image(enlarged(image_grid(pictures, columns, padding), scale))
    with write_whole(path) as unfinished:
        image.save(unfinished)
    return Path(path)


def save_gif(path: str | Path, frames, seconds: float = 0.4, scale: int = 1) -> Path:
    """Write pictures as an endless GIF; the last one stays three times as long.

    Args:
        path: the file; missing folders are made.
        frames: list of equal pictures `(height, width, channels)` in [0, 1].
        seconds: how long each one is shown.
        scale: side of the square that each pixel becomes.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from keras_imgen.plotting import save_gif
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_gif(f"{folder}/fade.gif", [np.zeros((8, 8, 1)), np.ones((8, 8, 1))]).name
        'fade.gif'
    """
    images = [sources.as_image(enlarged(frame, scale)) for frame in _pictures(frames, rank=4)]
    write_gif(path, images, seconds)
    return Path(path)


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
        ax = _showable(_figure((width, width * grid.shape[0] / grid.shape[1])).subplots())
    _show(ax, grid, title)
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
    clean, restored = _pictures(clean, rank=4), _pictures(restored, rank=4)
    observed = np.asarray(observed)[..., : clean.shape[-1]]
    names = titles or ["observed", "restored", "clean"]
    side = 3.2
    figure = _figure((3 * side, len(clean) * (side * clean.shape[1] / clean.shape[2] + 0.35)))
    axes = figure.subplots(len(clean), 3, squeeze=False)
    for row, (ax, *pictures) in enumerate(zip(axes, observed, restored, clean, strict=True)):
        for column, (name, picture) in enumerate(zip(names, pictures, strict=True)):
            figures = f" · {psnr_text(clean[row], picture)}" if column < 2 else ""
            _show(ax[column], picture, name + figures)
    return figure


def plot_sequence(observed, restored, clean, index: int = 0):
    """Draw one sequence as a strip: observed, restored and clean frames below each other.

    Args:
        observed: array `(n, time, height, width, channels)`; extra channels are not shown.
        restored: array in [0, 1], same shape but for extra channels.
        clean: array in [0, 1], same shape as `restored`.
        index: which of the n sequences.

    Returns:
        The figure.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.plotting import plot_sequence
        >>> clean = np.full((1, 5, 8, 8, 1), 0.5)
        >>> figure = plot_sequence(clean + 0.1, clean + 0.01, clean)
        >>> [ax.get_title() for ax in figure.axes]
        ['observed · 20.0 dB', 'restored · 40.0 dB', 'clean']
    """
    clean, restored = _pictures(clean, rank=5)[index], _pictures(restored, rank=5)[index]
    observed = np.asarray(observed)[index, ..., : clean.shape[-1]]
    ratio = clean.shape[1] / (clean.shape[0] * clean.shape[2])
    figure = _figure((10.0, 3 * (10.0 * ratio + 0.4)))
    names = ("observed", "restored", "clean")
    for ax, name, frames in zip(
        figure.subplots(3), names, (observed, restored, clean), strict=True
    ):
        figures = f" · {psnr_text(clean, frames)}" if name != "clean" else ""
        _show(ax, image_grid(frames, columns=len(frames)), name + figures)
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
        figure = _figure((min(12.0, 3.8 * len(names)), 2.8))
        panels = figure.subplots(1, len(names), squeeze=False)[0]
    else:
        panels = [ax] * len(names)
    for panel, name in zip(panels, names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in logs:
                panel.plot(epochs, logs[key], label=label if figure else key)
        panel.set(xlabel="epoch", title=name.replace("_", " ") if figure else "")
        panel.legend()
        panel.xaxis.get_major_locator().set_params(integer=True)
    return ax if figure is None else figure


def psnr_text(clean, picture) -> str:
    """Return the mean PSNR over pictures (or frames) as a title shows it."""
    errors = np.square(np.clip(picture, 0.0, 1.0) - clean).mean(axis=(-3, -2, -1))
    return f"{np.mean(-10.0 * np.log10(np.maximum(errors, 1e-10))):.1f} dB"


def enlarged(picture, scale: int) -> np.ndarray:
    """Return a picture in 8 bits, each pixel as a square of `scale` pixels."""
    scale = whole_number("scale", scale, 1)
    _check_area(scale * picture.shape[0], scale * picture.shape[1])
    return to_uint8(picture).repeat(scale, axis=0).repeat(scale, axis=1)


def write_gif(path: str | Path, images, seconds: float) -> None:
    """Write Pillow's images as an endless GIF; the last one stays three times as long."""
    from PIL import Image

    _check_ending(path, (".gif",))
    seconds = check_seconds(seconds)
    first, *rest = [image.convert("P", palette=Image.Palette.ADAPTIVE) for image in images]
    durations = [int(1000 * seconds)] * len(rest) + [int(3000 * seconds)]
    with write_whole(path) as unfinished:
        first.save(unfinished, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)


def check_seconds(seconds) -> float:
    """Return how long a picture of a GIF is shown, or raise if a GIF cannot say so."""
    return number("seconds", seconds, 0.0, 200.0, "It is how long each picture is shown.")


def figure_pixels(figure) -> np.ndarray:
    """Return a matplotlib figure as an array of 8 bits, `(height, width, 3)`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figure(size):
    from matplotlib.figure import Figure

    # Not pyplot's: no global state, no window, nothing to close.
    return _showable(Figure(figsize=size, dpi=100, layout="constrained"))


def _showable(artist):
    """Let a notebook show the figure or axes that end a cell; by itself it knows only pyplot's."""

    def png():
        buffer = io.BytesIO()
        artist.figure.savefig(buffer, format="png")
        return buffer.getvalue()

    artist._repr_png_ = png
    return artist


def _show(ax, picture, title):
    # As colours of 8 bits: matplotlib's grey scale is up to two levels darker. Small pictures are
    # enlarged pixel by pixel: matplotlib would smooth them, and noise would look weaker than it is.
    colours = to_uint8(picture).repeat(3 // picture.shape[-1], axis=-1)
    ax.imshow(colours, interpolation="nearest" if max(picture.shape) <= 600 else "auto")
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=10)


def _check_ending(path, endings):
    checks.path("path", path)
    if Path(path).suffix.lower() not in endings:
        raise ValueError(
            f"`path` must end in {' or '.join(endings)}. Received: path={shown(path)}."
        )


def _check_area(height, width):
    """Raise before memory is asked for that no machine has."""
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"A picture may have {MAX_PIXELS:,} pixels. Received: columns, padding or scale that "
            f"would make it {height:g} x {width:g}."
        )


def _pictures(pictures, rank):
    pictures = checks.array(pictures)
    if pictures.ndim != rank or pictures.shape[-1] not in (1, 3) or 0 in pictures.shape:
        axes = "(n, time, height, width, channels)" if rank == 5 else "(n, height, width, channels)"
        raise ValueError(
            f"Pictures must have shape {axes} with 1 or 3 channels, and be at least one. "
            f"Received: shape={pictures.shape}."
        )
    if "float" not in checks.dtype_name(pictures):
        raise ValueError(
            f"Pictures must be floating point in [0, 1]. Received: dtype={pictures.dtype}. "
            "Convert pictures of 8 bits with keras_imgen.data.to_float."
        )
    # A little beyond the range is usual for observed pictures, not so much.
    if not np.abs(pictures).max() < 16.0:
        raise ValueError(
            "Pictures must lie in [0, 1]. Received: values from "
            f"{pictures.min():g} to {pictures.max():g}. Divide pictures in [0, 255] by 255."
        )
    return np.clip(pictures.astype("float32"), 0.0, 1.0)
