"""Draws films: their frames in a strip, their figures over time, or several side by side."""

import numpy as np
from keras import ops

from keras_imgen import checks
from keras_imgen.checks import shown, whole_number
from keras_imgen.metrics import psnr
from keras_imgen.plotting.figures import new_figure, psnr_text, show_picture, showable
from keras_imgen.plotting.grids import check_area, checked_pictures, image_grid

LOST = "tab:red"  # the colour of what is lost
GAP = 2  # pixels between the frames of a strip


def plot_sequence(observed, restored, clean, index: int = 0):
    """Draw one sequence as a strip: observed, restored and clean frames below each other.

    Frames that were lost as a whole are framed in red, observed and restored.

    Args:
        observed: array `(n, time, height, width, channels)`; extra channels are not shown, but one
            that is a mask, 1 where a pixel is known, says which frames were lost.
        restored: array in [0, 1], same shape but for extra channels.
        clean: array in [0, 1], same shape as `restored`.
        index: which of the n sequences.

    Returns:
        The figure.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MissingFrames
        >>> from keras_imgen.plotting import plot_sequence
        >>> clean = np.full((1, 5, 8, 8, 1), 0.5, "float32")
        >>> figure = plot_sequence(MissingFrames(1, seed=0)(clean), clean + 0.01, clean)
        >>> [ax.get_title() for ax in figure.axes]
        ['observed · 81.2 dB · 1 of 5 frames lost (red)', 'restored · 40.0 dB', 'clean']
    """
    clean, restored = (
        checked_pictures(clean, rank=5)[index],
        checked_pictures(restored, rank=5)[index],
    )
    length, height, width, channels = clean.shape
    observed = np.asarray(observed)[index]
    observed, lost = observed[..., :channels], _lost(observed[..., channels:])
    figure = new_figure((10.0, 3 * (10.0 * height / (length * width) + 0.4)))
    names = ("observed", "restored", "clean")
    for ax, name, frames in zip(
        figure.subplots(3), names, (observed, restored, clean), strict=True
    ):
        title = name if name == "clean" else f"{name} · {psnr_text(clean, frames)}"
        if name == "observed" and lost.any():
            title += f" · {lost.sum()} of {length} frames lost (red)"
        show_picture(ax, image_grid(frames, columns=length, padding=GAP), title)
        if name != "clean":
            _frame(ax, lost, height, width)
    return figure


def plot_over_time(clean, restored, lost=None, ax=None):
    """Draw how good each frame of a film is: its PSNR over time, of one or several results.

    Args:
        clean: the film, an array in [0, 1], `(time, height, width, channels)`.
        restored: array of the same shape, or a dict of several, by the names in the legend; extra
            channels, such as the mask of an observed film, are left out.
        lost: booleans `(time,)`, True for frames that were lost, to be shaded.
        ax: axes to draw into; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: for what is no film, films of other shapes, or `lost` of another length.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MissingFrames
        >>> from keras_imgen.plotting import plot_over_time
        >>> clean = np.full((5, 8, 8, 1), 0.5, "float32")
        >>> observed = np.asarray(MissingFrames(1, seed=0)(clean))
        >>> lost = np.all(observed[..., -1] == 0.0, axis=(1, 2))
        >>> films = {"observed": observed, "restored": clean + 0.1 * lost[:, None, None, None]}
        >>> ax = plot_over_time(clean, films, lost)
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['observed', 'restored', 'lost']
    """
    clean = checked_pictures(clean, rank=4)
    length, channels = len(clean), clean.shape[-1]
    films = restored if isinstance(restored, dict) else {"restored": restored}
    if not films:
        raise ValueError(
            "`restored` must be a film, or a dict of at least one. Received: restored={}."
        )
    lost = np.zeros(length, bool) if lost is None else checks.array(lost)
    if lost.shape != (length,) or lost.dtype != bool:
        raise ValueError(
            f"`lost` must be True or False for each of the {length} frames. Received: "
            f"shape={lost.shape}, dtype={checks.dtype_name(lost)}. Of an observed film with a mask "
            "it is np.all(observed[..., -1] == 0, axis=(1, 2))."
        )
    if ax is None:
        ax = showable(new_figure((7.0, 3.4)).subplots())
    numbers = range(1, length + 1)
    for name, film in films.items():
        film = checks.array(film)
        film = film[..., :channels] if film.ndim else film
        ax.plot(numbers, ops.convert_to_numpy(psnr(clean, film, clip=True)), marker=".", label=name)
    for count, t in enumerate(np.flatnonzero(lost)):
        label = None if count else "lost"
        ax.axvspan(t + 0.5, t + 1.5, color=LOST, alpha=0.15, linewidth=0, label=label)
    ax.set(xlabel="frame", ylabel="PSNR in dB", xlim=(0.5, length + 0.5))
    ax.xaxis.get_major_locator().set_params(integer=True)
    if isinstance(restored, dict) or lost.any():
        # Below the label of the axis: inside it could hide a frame.
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "borderaxespad": 3.5}
        ax.legend(ncols=2, frameon=False, **place)
    return ax


def side_by_side(*films, padding: int = GAP) -> np.ndarray:
    """Put films beside each other into one, for `save_gif`.

    Args:
        *films: arrays in [0, 1], `(time, height, width, channels)`; they may differ in width.
        padding: pixels between the films, white.

    Returns:
        float32 array in [0, 1], `(time, height, width of all, channels)`.

    Raises:
        ValueError: for what is no film, or films that differ in length, height or channels.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.plotting import side_by_side
        >>> observed, clean = np.zeros((5, 8, 8, 1)), np.ones((5, 8, 8, 1))
        >>> side_by_side(observed, clean, padding=1).shape
        (5, 8, 17, 1)
    """
    padding = whole_number("padding", padding, 0)
    films = [checked_pictures(film, rank=4) for film in films]
    shapes = [film.shape for film in films]
    if len({(length, height, channels) for length, height, _, channels in shapes}) != 1:
        raise ValueError(
            "Films side by side must be at least one, and equal in length, height and channels. "
            f"Received: shapes {shown(shapes)}."
        )
    length, height, _, channels = shapes[0]
    check_area(height, sum(film.shape[2] for film in films) + padding * (len(films) - 1))
    gap = np.ones((length, height, padding, channels), "float32")
    parts = [part for film in films for part in (gap, film)]
    return np.concatenate(parts[1:], axis=2)


def _lost(extra) -> np.ndarray:
    """Return which frames a mask among the extra channels `(time, height, width, n)` hides."""
    # Levels follow pictures, too. Unlike them a mask is 0 or 1, and knows some frame at least.
    known = extra.any(axis=(1, 2))  # anything of a frame
    is_mask = np.all((extra == 0) | (extra == 1), axis=(0, 1, 2)) & known.any(axis=0)
    return np.any(is_mask & ~known, axis=-1)


def _frame(ax, lost, height, width):
    """Draw a line around the lost frames of a strip, into the gaps between them."""
    from matplotlib.patches import Rectangle

    points = 72.0 * 10.0 / (len(lost) * (width + GAP))  # of a pixel
    for t in np.flatnonzero(lost):
        corner = (t * (width + GAP) - 0.5 - 0.5 * GAP, -0.5 - 0.5 * GAP)
        line = {"edgecolor": LOST, "linewidth": min(max(1.0, GAP * points), 3.0)}
        ax.add_patch(
            Rectangle(corner, width + GAP, height + GAP, fill=False, clip_on=False, **line)
        )
