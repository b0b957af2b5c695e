"""`LatentTraversal`: shows how pictures change on the way from one latent vector to another."""

from pathlib import Path

import keras
import numpy as np

from keras_imgen import checks, plotting
from keras_imgen.callbacks.samples import EpochPicture
from keras_imgen.checks import whole_number
from keras_imgen.inference import on_arc, on_line
from keras_imgen.plotting.grids import enlarged

REACH = 2.0  # of an axis, in standard deviations of a latent: 95 % of all draws lie within


class LatentTraversal(EpochPicture):
    """Show the pictures on the way between latents, after every few epochs.

    Each row is a walk in equal steps, always between the same latents, so that the frames compare.
    If the model has learned what pictures are made of, each of them is a picture of its own kind;
    jumps from one picture to the next are a sign of learning by heart. Of a conditional model each
    row keeps one label.

    Args:
        folder: where to write `epoch_0001.png`, ...; by default nowhere.
        rows: number of walks.
        columns: pictures of a walk, both ends among them.
        along: `"arc"`, on the arc between two drawn latents; `"line"`, straight from one to the
            other; or `"axis"`: one latent variable goes from -2 to 2, the first in the first row,
            the second in the second, and all others stay as they were drawn, once for all rows.
        scale: side of the square that each pixel becomes.
        every: epochs between two pictures.
        seed: integer that fixes the latents.
        show: whether to show one picture that is updated in place in a notebook; by default if
            there is a notebook.
        tensorboard: log folder for TensorBoard; by default none.

    Raises:
        ValueError: for an unknown way; at the start of training, if the model draws from no
            latents, or has fewer than there are axes to show.
        ImportError: if `tensorboard` is given and not installed.

    Source: White 2016 (arXiv 1609.04468), section 2.1: normally distributed latents all have about
        the same length, the root of their number, and a straight line leaves it for the middle,
        where the model has hardly ever been trained. The arc keeps the length.

    Example:
        >>> from keras_imgen.callbacks import LatentTraversal
        >>> walks = LatentTraversal("runs/gan/walks", rows=6, columns=12, every=5)
    """

    _shown = "Pictures on the way between latents"

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        rows: int = 6,
        columns: int = 9,
        along: str = "arc",
        scale: int = 2,
        every: int = 1,
        seed: int = 0,
        show: bool | None = None,
        tensorboard: str | Path | None = None,
    ):
        super().__init__(folder, every=every, show=show, tensorboard=tensorboard)
        self.rows, self.columns = whole_number("rows", rows, 1), whole_number("columns", columns, 2)
        if along not in ("arc", "line", "axis"):
            raise ValueError(
                '`along` must be "arc", "line" or "axis". Received: '
                f"along={checks.shown(along)}. For normally distributed latents take the arc."
            )
        self.along, self.scale = along, whole_number("scale", scale, 1)
        self.seed = checks.seed(seed)

    def prepare(self):
        """Refuse models without latents."""
        if not hasattr(self.model, "predict_latents"):
            raise ValueError(
                "LatentTraversal shows what is drawn from latents, by a GAN, VAE or Diffusion. "
                f"Received: a {type(self.model).__name__}. For a Restorer use BeforeAfter."
            )
        if self.along == "axis" and self.rows > self.model.latent_dim:
            raise ValueError(
                "`rows` is at most the number of latent variables, one for each row. Received: "
                f"rows={self.rows} for a model of {self.model.latent_dim}."
            )

    def draw(self):
        """Return the grid."""
        walks = [self._pictures(row, walk) for row, walk in enumerate(self.latents())]
        grid = plotting.image_grid(np.concatenate(walks), self.columns)
        return enlarged(grid, self.scale)

    def latents(self) -> np.ndarray:
        """Return the latents that are shown, shape `(rows, columns, latent_dim)`."""
        size = self.model.latent_dim
        drawn = keras.random.normal((self.rows, 2, size), dtype="float32", seed=self.seed)
        ends = np.array(keras.ops.convert_to_numpy(drawn))
        if self.along == "axis":
            # Not around 0, which is as far from all that a model is trained on as it can be.
            ends[:] = ends[0, 0]
            variables = np.arange(self.rows)
            ends[variables, :, variables] = (-REACH, REACH)
        between = on_arc if self.along == "arc" else on_line
        return np.stack([between(start, end, self.columns) for start, end in ends])

    def _pictures(self, row, latents):
        arguments = [latents]
        if classes := self.model.num_classes:
            arguments.append(np.full(len(latents), row % classes, "int32"))
        return keras.ops.convert_to_numpy(self.model.predict_latents(*arguments))
