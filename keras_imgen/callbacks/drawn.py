"""`EpochFigure`: shows whatever a function draws of a model, while it trains."""

from collections.abc import Callable
from pathlib import Path

from keras_imgen import checks
from keras_imgen.callbacks.samples import EpochPicture
from keras_imgen.plotting.figures import figure_pixels


class EpochFigure(EpochPicture):
    """Show what a function draws of the model, after every few epochs.

    With the functions of `keras_imgen.plotting` it shows how the plane of two latents fills, how
    classes part, or what latents stand for; `TrainingGif` joins the frames.

    Args:
        function: from the model to a figure or axes of matplotlib, such as
            `plotting.plot_manifold`. What else the function needs is given by a lambda.
        folder: where to write `epoch_0001.png`, ...; by default nowhere.
        every: epochs between two pictures.
        show: whether to show one picture that is updated in place in a notebook; by default if
            there is a notebook.
        tensorboard: log folder for TensorBoard; by default none.

    Raises:
        TypeError: if the function is none; at the start of training, if it returns no figure.
        ImportError: if `tensorboard` is given and not installed.

    Example:
        >>> from keras_imgen import load, plotting
        >>> from keras_imgen.callbacks import EpochFigure
        >>> test = load("digits", "test", labels=True)
        >>> pictures, labels = test.take(500), test.labels[:500]
        >>> planes = EpochFigure(plotting.plot_manifold, "runs/vae/plane")
        >>> maps = EpochFigure(
        ...     lambda vae: plotting.plot_latent_map(vae, pictures, labels), "runs/vae/map"
        ... )
    """

    _shown = "What was drawn of the model"

    def __init__(
        self,
        function: Callable,
        folder: str | Path | None = None,
        *,
        every: int = 1,
        show: bool | None = None,
        tensorboard: str | Path | None = None,
    ):
        super().__init__(folder, every=every, show=show, tensorboard=tensorboard)
        if not callable(function):
            raise TypeError(
                "`function` must be a function of the model that returns a figure, such as "
                f"plotting.plot_manifold. Received: function={checks.shown(function)}."
            )
        self.function = function

    def draw(self):
        """Return the figure as pixels."""
        drawn = self.function(self.model)
        figure = getattr(drawn, "figure", None)  # of axes theirs, of a figure itself
        if not hasattr(figure, "savefig"):
            raise TypeError(
                "`function` must return a figure or axes of matplotlib. Received: a "
                f"{type(drawn).__name__}."
            )
        return figure_pixels(figure)
