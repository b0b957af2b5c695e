"""`Sampler` and `LatentModel`, the base of all models that draw pictures from latents."""

import math

import keras
import numpy as np
from keras import ops

from keras_imgen import checks
from keras_imgen.data.sources import check_memory
from keras_imgen.inference import export, in_batches
from keras_imgen.training.batches import check_labels
from keras_imgen.training.model import PictureModel


class Sampler(PictureModel):
    """Base of models that draw new pictures.

    A subclass implements `_sampled(n, labels, seed)`, which returns `n` pictures as an array for a
    list of labels, empty without classes, and an integer seed.

    Args:
        seed: as for `PictureModel`.

    Example:
        >>> import keras
        >>> from keras_imgen.models import Sampler
        >>> class Noise(Sampler):
        ...     image_shape = (4, 4, 1)
        ...     def _sampled(self, n, labels, seed):
        ...         return keras.random.uniform((n, *self.image_shape), seed=seed)
        >>> tuple(Noise().sample(3, seed=0).shape)
        (3, 4, 4, 1)
    """

    latent_dim = 0  # values that are drawn for each picture, if others than its own

    def sample(self, n: int, labels=None, seed: int | None = None):
        """Draw new pictures.

        Args:
            n: how many, at least 1.
            labels: of a conditional model, what to draw: one whole number for all, or `n` of them.
                By default each class in turn, 0, 1, 2, ..., so that rows of `num_classes` pictures
                show a class per column.
            seed: integer; the same seed gives the same latents. By default they differ from call to
                call. Either way training is not disturbed.

        Returns:
            float32 array in [0, 1], shape `(n, height, width, channels)`.

        Raises:
            ValueError: if `n` is no number of pictures, or one that would need more than 4 GiB of
                memory; if there are labels that the model does not know.
        """
        return self._sampled(*self._checked_draw(n, labels, seed))

    def _checked_draw(self, n, labels, seed):
        """Return what `sample` is given, if it can be drawn: number, list of labels, seed."""
        n = checks.whole_number("n", n, 1)
        values = max(math.prod(side or 1 for side in self.image_shape), self.latent_dim)
        check_memory(4 * n * values, f"n={n:,}", "Draw fewer at a time")
        labels = self._labels_to_draw(n, labels)
        return n, labels, checks.seed_or_new(seed)

    def _sampled(self, n, labels, seed):
        """Return `n` pictures; `labels` is a list of their array, empty without classes."""
        raise NotImplementedError

    def _labels_to_draw(self, n, labels):
        """Return a list with the array of labels, empty if the model knows none."""
        if not self.num_classes:
            if labels is not None:
                raise ValueError(
                    "This model was built without classes. Received: labels="
                    f"{checks.shown(labels)}. Leave them out, or build its networks with "
                    "`num_classes`."
                )
            return []
        if labels is None:
            return [np.arange(n) % self.num_classes]
        if isinstance(labels, int | np.integer):
            labels = np.repeat(labels, n)
        return [check_labels(labels, self.num_classes, n)]

    def _rows(self, labels):
        """Return labels as rows of zeros with a one; None if there are none."""
        return None if labels is None else ops.one_hot(labels, self.num_classes, dtype="float32")

    def _checked_labels(self, labels, count):
        """Return labels as an array, None of a model without classes, or raise."""
        if self.num_classes and labels is None:
            raise ValueError(
                "A conditional model needs a label for each picture. Received: none. Pass `labels`,"
                f" {count} whole numbers from 0 to {self.num_classes - 1}."
            )
        return next(iter(self._labels_to_draw(count, labels)), None)


class LatentModel(Sampler):
    """Base of `GAN` and `VAE`: pictures are drawn by decoding normally distributed latents.

    A subclass sets `latent_dim` and implements `predict_latents`.

    Args:
        seed: as for `PictureModel`.

    Example:
        >>> from keras_imgen import GAN, VAE
        >>> from keras_imgen.models import LatentModel
        >>> issubclass(GAN, LatentModel) and issubclass(VAE, LatentModel)
        True
    """

    def export(self, filepath, format: str = "tf_saved_model", **kwargs):
        """Export what turns latents (and labels) into pictures, as `predict_latents` does.

        The file holds a plain function of `(batch, latent_dim)`, of a conditional model also of
        whole numbers `(batch,)`, for programs that know nothing of this package.

        Args:
            filepath: folder or file to write.
            format: `"tf_saved_model"`, or another one that Keras knows.
            **kwargs: as in `keras.Model.export`.

        Raises:
            ImportError: if a package that the format needs is missing.
        """
        export(self, self._drawn, self._drawn_from(), filepath, format, **kwargs)

    def _drawn_from(self):
        latents = keras.InputSpec("float32", (None, self.latent_dim), name="latents")
        labels = keras.InputSpec("int32", (None,), name="labels")
        return [latents, labels] if self.num_classes else [latents]

    def _sampled(self, n, labels, seed):
        latents = keras.random.normal((n, self.latent_dim), dtype="float32", seed=seed)
        return in_batches(self.predict_latents, latents, *labels)

    def predict_latents(self, latents):
        """Return the picture in [0, 1] of each latent vector `(batch, latent_dim)`.

        A conditional model takes the labels, one whole number each, as second argument.
        """
        raise NotImplementedError

    def _drawn(self, latents, labels=None):
        """Do what `predict_latents` does, without a check, also where a step is compiled."""
        raise NotImplementedError

    def _checked_latents(self, latents):
        """Return latents as an array or tensor, or raise if they are none of this model."""
        latents = latents if hasattr(latents, "shape") else np.asarray(latents, "float32")
        if len(latents.shape) != 2 or latents.shape[1] != self.latent_dim:
            raise ValueError(
                f"`latents` must have shape (batch, {self.latent_dim}). Received: shape="
                f"{tuple(latents.shape)}. For new pictures call sample(n), which draws them."
            )
        return latents
