"""Draws what the latents of a VAE stand for: planes, walks, ways, pairs and maps."""

from statistics import NormalDist

import numpy as np

from keras_imgen import checks
from keras_imgen.checks import whole_number
from keras_imgen.plotting.figures import new_figure, psnr_text, show_picture, showable
from keras_imgen.plotting.grids import checked_pictures, image_grid


def plot_manifold(model, n: int = 16, label: int | None = None):
    """Draw the plane of a model with two latents: the picture of each of its places.

    The places are quantiles of the normal distribution, so that each picture stands for an equal
    share of all that the model draws. Of a VAE whose prior is learned it is the plane of the normal
    numbers that the prior makes latents of.

    Args:
        model: a `VAE` or `GAN` with two latents.
        n: pictures per row and per column.
        label: of a conditional model, what to draw.

    Returns:
        The figure.

    Raises:
        ValueError: if the model has not two latents.
        TypeError: if it draws from none.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), figure 4.

    Example:
        >>> from keras_imgen import VAE, networks
        >>> from keras_imgen.plotting import plot_manifold
        >>> encoder = networks.vae_encoder((8, 8, 1), latent_dim=2, filters=2)
        >>> vae = VAE(encoder, networks.vae_decoder((8, 8, 1), latent_dim=2, filters=2))
        >>> plot_manifold(vae, n=4).axes[0].get_xlabel()
        'first latent'
    """
    _check_model("plot_manifold", model, "predict_latents", "a VAE or GAN with two latents")
    n = whole_number("n", n, 2, "It is the number of pictures in a row. Usual: 10 to 30.")
    if model.latent_dim != 2:
        raise ValueError(
            "plot_manifold draws a plane, of models with two latents. Received: a model of "
            f"{model.latent_dim}. For more latents take plot_traversals."
        )
    normal = NormalDist()
    places = [normal.inv_cdf((i + 0.5) / n) for i in range(n)]
    labels = () if label is None else (np.full(n, label),)
    rows = [
        np.asarray(model.predict_latents(np.array([(x, y) for x in places], "float32"), *labels))
        for y in reversed(places)  # upwards, as in every plane
    ]
    grid = image_grid(np.concatenate(rows), n, padding=0)
    ax = _marked(grid, 0.7)
    values = [value for value in np.arange(-2.0, 2.1, 0.5) if abs(value) <= places[-1]]
    shares = np.array([normal.cdf(value) for value in values])
    ax.set_xticks(shares * grid.shape[1] - 0.5, [f"{value:g}" for value in values])
    ax.set_yticks((1.0 - shares) * grid.shape[0] - 0.5, [f"{value:g}" for value in values])
    name = "latent" if getattr(model, "prior", None) is None else "normal number"
    ax.set(xlabel=f"first {name}", ylabel=f"second {name}")
    return ax.figure


def plot_traversals(vae, pictures, labels=None, rows: int = 8, columns: int = 9):
    """Draw what each latent changes: a row for each, in which it alone goes from -2 to 2.

    All rows begin with the latents of the first picture. They are in the order of their activity,
    the variance of a latent's mean over all pictures, which is written beside them: below 0.01 a
    latent is not in use, and its row shows the same picture all along. What -2 and 2 mean is
    measured over the pictures, too: standard deviations about the middle.

    Args:
        vae: a `VAE`.
        pictures: array in [0, 1], `(n, height, width, channels)`; a hundred or more.
        labels: of a conditional VAE, one whole number for all, or one for each picture. The first
            one is drawn.
        rows: how many latents, the most active first; all of them if there are fewer.
        columns: pictures of each walk.

    Returns:
        The figure.

    Raises:
        ValueError: if pictures or labels are not those of the model, or there is one picture only.
        TypeError: if the model is no VAE.

    Source: Higgins et al. 2017 (beta-VAE, ICLR), figure 1; activity: Burda et al. 2016 (arXiv
        1509.00519), section 5.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import VAE, networks
        >>> from keras_imgen.plotting import plot_traversals
        >>> encoder = networks.vae_encoder((8, 8, 1), latent_dim=2, filters=2)
        >>> vae = VAE(encoder, networks.vae_decoder((8, 8, 1), latent_dim=2, filters=2))
        >>> ax = plot_traversals(vae, np.random.rand(10, 8, 8, 1), columns=5).axes[0]
        >>> [text.get_text() for text in ax.get_xticklabels()]
        ['-2', '-1', '0', '1', '2']
    """
    _check_model("plot_traversals", vae, "encode", "a VAE")
    rows, columns = whole_number("rows", rows, 1), whole_number("columns", columns, 2)
    pictures = checked_pictures(pictures, rank=4)
    if len(pictures) < 2:
        raise ValueError(
            "plot_traversals measures over pictures which latents are in use. Received: one "
            "picture. Pass a hundred or more; the walks begin at the first one."
        )
    mean, log_variance = vae.encode(pictures, labels)
    activity = np.var(mean, axis=0)
    spread = np.sqrt(activity + np.mean(np.exp(log_variance), axis=0))
    order = np.argsort(-activity, kind="stable")[:rows]
    walks = np.repeat(mean[:1], len(order) * columns, axis=0).reshape(len(order), columns, -1)
    reach = np.linspace(-2.0, 2.0, columns)
    for walk, latent in zip(walks, order, strict=True):
        walk[:, latent] = np.mean(mean[:, latent]) + reach * spread[latent]
    first = labels if labels is None or np.ndim(labels) == 0 else int(labels[0])
    drawn = vae.decode(walks.reshape(-1, walks.shape[-1]), first)
    grid = image_grid(drawn, columns)
    ax, (height, width) = _marked(grid, 1.8), drawn.shape[1:3]
    values, ends = [-2, -1, 0, 1, 2], ((width - 1) / 2, grid.shape[1] - (width + 1) / 2)
    ax.set_xticks(np.linspace(*ends, len(values)), values)
    middles = np.arange(len(order)) * (height + 2) + (height - 1) / 2
    ax.set_yticks(middles, [f"latent {i}, activity {activity[i]:.2f}" for i in order])
    ax.set_xlabel("standard deviations")
    return ax.figure


def plot_interpolations(
    vae, first, second, steps: int = 8, labels=None, along: str = "arc", *, second_labels=None
):
    """Draw the ways from some pictures to others, between the pictures themselves.

    Args:
        vae: a `VAE`.
        first: array in [0, 1], `(n, height, width, channels)`.
        second: same shape.
        steps: pictures of each way, at least 2; both ends are reconstructions.
        labels: of a conditional VAE, one whole number for all, or one for each pair.
        along: `"arc"`, about the origin, or `"line"`.
        second_labels: those of the second pictures, mixed on the way; by default `labels`.

    Returns:
        The figure, one row per pair.

    Raises:
        ValueError: if pictures or labels are not those of the model.
        TypeError: if the model is no VAE.

    Source: White 2016 (arXiv 1609.04468), section 2.1.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import VAE, networks
        >>> from keras_imgen.plotting import plot_interpolations
        >>> encoder = networks.vae_encoder((8, 8, 1), latent_dim=2, filters=2)
        >>> vae = VAE(encoder, networks.vae_decoder((8, 8, 1), latent_dim=2, filters=2))
        >>> first, second = np.random.rand(2, 3, 8, 8, 1)
        >>> [ax.get_title() for ax in plot_interpolations(vae, first, second).axes]
        ['first', 'the way, on the arc', 'second']
    """
    _check_model("plot_interpolations", vae, "interpolate", "a VAE")
    first, second = (checked_pictures(x, rank=4) for x in (first, second))
    ways = vae.interpolate(
        first, second, steps, labels=labels, second_labels=second_labels, along=along
    )
    way = image_grid(ways.reshape(-1, *first.shape[1:]), steps)
    grids = image_grid(first, 1), way, image_grid(second, 1)
    widths = [grid.shape[1] for grid in grids]
    width = min(10.0, max(5.0, sum(widths) / 30))
    figure = new_figure((width, width * way.shape[0] / sum(widths) + 0.35))
    titles = ("first", f"the way, on the {along}", "second")
    for ax, grid, title in zip(
        figure.subplots(1, 3, width_ratios=widths), grids, titles, strict=True
    ):
        show_picture(ax, grid, title)
    return figure


def plot_reconstructions(vae, pictures, labels=None, columns: int = 8):
    """Draw each picture above its reconstruction, with the PSNR between them.

    Args:
        vae: a `VAE`.
        pictures: array in [0, 1], `(n, height, width, channels)`.
        labels: of a conditional VAE, one whole number for all, or one for each picture.
        columns: pairs side by side.

    Returns:
        The figure.

    Raises:
        ValueError: if pictures or labels are not those of the model.
        TypeError: if the model does not reconstruct.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import VAE, networks
        >>> from keras_imgen.plotting import plot_reconstructions
        >>> encoder = networks.vae_encoder((8, 8, 1), latent_dim=2, filters=2)
        >>> vae = VAE(encoder, networks.vae_decoder((8, 8, 1), latent_dim=2, filters=2))
        >>> plot_reconstructions(vae, np.full((1, 8, 8, 1), 0.5)).axes[0].get_title()[-2:]
        'dB'
    """
    _check_model("plot_reconstructions", vae, "reconstruct", "a VAE")
    pictures, columns = checked_pictures(pictures, rank=4), whole_number("columns", columns, 1)
    again = vae.reconstruct(pictures, *(() if labels is None else (labels,)))
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    side, ratio = min(1.6, 12.0 / columns), pictures.shape[1] / pictures.shape[2]
    figure = new_figure((columns * side, rows * (2.0 * side * ratio + 0.3)))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, picture, reconstruction in zip(axes, pictures, again, strict=False):
        pair = image_grid(np.stack([picture, reconstruction]), 1)
        show_picture(ax, pair, psnr_text(picture[None], reconstruction[None]))
    for ax in axes[len(pictures) :]:
        ax.set_axis_off()
    return figure


def plot_latent_map(vae, pictures, labels, ax=None):
    """Draw where pictures lie among the latents, each class in its own colour.

    Of two latents the plane itself is drawn, of more the plane in which the middles of the
    pictures' clouds differ most, that of their first two principal components.

    Args:
        vae: a `VAE` with two latents or more.
        pictures: array in [0, 1], `(n, height, width, channels)`.
        labels: their classes, one whole number for each picture, at most 20 different ones. A
            conditional VAE is told them.
        ax: axes to draw into; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if pictures or labels are not those of the model.
        TypeError: if the model is no VAE.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import VAE, networks
        >>> from keras_imgen.plotting import plot_latent_map
        >>> encoder = networks.vae_encoder((8, 8, 1), latent_dim=2, filters=2)
        >>> vae = VAE(encoder, networks.vae_decoder((8, 8, 1), latent_dim=2, filters=2))
        >>> plot_latent_map(vae, np.random.rand(4, 8, 8, 1), [0, 1, 0, 1]).get_ylabel()
        'second latent'
    """
    import matplotlib

    _check_model("plot_latent_map", vae, "encode", "a VAE")
    pictures = checked_pictures(pictures, rank=4)
    labels = checks.labels(labels, len(pictures))
    classes, places = np.unique(labels, return_inverse=True)
    if len(classes) > 20:
        raise ValueError(
            "`labels` are told apart by colour, at most 20 of them. Received: "
            f"{len(classes)} different ones. Pass pictures of fewer classes."
        )
    points, names = _plane(vae.encode(pictures, labels if vae.num_classes else None)[0])
    colours = matplotlib.colormaps["tab10" if len(classes) <= 10 else "tab20"].colors
    colours = np.array(colours[: len(classes)])
    if ax is None:
        ax = showable(new_figure((6.5, 5.5)).subplots())
    # All at once, in their own order: of classes one after the other the last would hide the rest.
    ax.scatter(*points.T, c=colours[places], s=8, alpha=0.7, linewidths=0)
    for name, colour in zip(classes, colours, strict=True):
        ax.scatter([], [], color=colour, s=20, label=str(name))
    ax.legend(title="class", loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal", adjustable="datalim")
    return ax


def _plane(mean):
    """Return two coordinates of each picture, and what they are."""
    if mean.shape[1] < 2:
        raise ValueError(
            "plot_latent_map draws a plane, of models with two latents or more. Received: a model "
            "of 1. Build encoder and decoder with latent_dim=2."
        )
    if mean.shape[1] == 2:
        return mean, ("first latent", "second latent")
    centred = mean - mean.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    variances, axes = variances[::-1], axes[:, ::-1][:, :2]  # the largest first
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # else their signs are chance
    shares = variances[:2] / max(np.sum(variances), 1e-12)
    names = [
        f"{name} principal component ({share:.0%} of the variance)"
        for name, share in zip(("first", "second"), shares, strict=True)
    ]
    return centred @ axes, names


def _marked(grid, left):
    """Return axes that show a grid, and have room for marks: so many inches on the left."""
    figure = new_figure((7.0, (6.9 - left) * grid.shape[0] / grid.shape[1] + 0.6))
    ax = figure.subplots()
    show_picture(ax, grid, None)
    ax.set_anchor("W")  # in the middle, marks on the left would be cut off
    ax.set_axis_on()
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


def _check_model(function, model, method, wanted):
    if not hasattr(model, method):
        raise TypeError(f"{function} draws {wanted}. Received: a {type(model).__name__}.")
