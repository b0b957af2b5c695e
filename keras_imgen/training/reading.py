"""Looks at each batch when it is read, where no compiler can leave the look out."""

import keras
import numpy as np

from keras_imgen import backends
from keras_imgen.data import PictureDataset
from keras_imgen.training.batches import ONE_PICTURE, batch_of, check_batch
from keras_imgen.training.sets import Stream


class Look:
    """What a model asks of each batch that it trains on or is judged by.

    Compiled steps cannot ask: XLA and JAX leave out what raises errors. Values that are no numbers
    are let through, since the logs tell of them, and a training may come back from there.

    Args:
        model: the model.
        training: whether it learns from the batches.
    """

    def __init__(self, model, training: bool):
        self.model = model
        self.replicas = model.replicas or 1
        self.least = self.replicas * (2 if training and model._needs_batch else 1)

    def __call__(self, batch) -> None:
        """Raise a TypeError or ValueError if a batch is not what it must be."""
        batch = batch_of(self.model, batch)
        clean, observed = _finite(batch.clean), _finite(batch.observed)
        check_batch(self.model, batch._replace(clean=clean, observed=observed), "x")
        self.check_count(len(clean))

    def check_count(self, count: int) -> None:
        """Raise if a batch holds too few pictures to learn from, or cannot be shared out."""
        if self.replicas == 1 and count < self.least:
            raise ValueError(ONE_PICTURE)
        if count % self.replicas or count < self.least:
            raise ValueError(
                f"On {self.replicas} devices a batch must hold a multiple of {self.replicas} "
                f"pictures, at least {self.least}. Received: a batch of {count}. Choose the batch "
                "size so that no others are left over, or batch with drop_remainder=True."
            )


def _finite(pictures):
    """Return pictures with zeros for what is no number."""
    if isinstance(pictures, np.ndarray) and np.issubdtype(pictures.dtype, np.floating):
        return np.where(np.isfinite(pictures), pictures, 0.0)
    return pictures


def looked_at(x, look: Look):
    """Return the same batches, each of which is looked at when it is read.

    Args:
        x: what `fit` or `evaluate` iterates over, its first batch checked.
        look: what to do with each.
    """
    pictures = x.dataset if isinstance(x, Stream) else x
    if isinstance(pictures, PictureDataset):  # whole arrays, which have been looked at
        for index in (0, len(pictures) - 1):
            rest = pictures.num_pictures - index * pictures.batch_size
            look.check_count(min(rest, pictures.batch_size))
        return x
    return (
        _LookedAt(x, look) if isinstance(x, keras.utils.PyDataset) else backends.in_reading(x, look)
    )


class _LookedAt(keras.utils.PyDataset):
    """A dataset of somebody's own, each batch of which is looked at."""

    def __init__(self, dataset, look):
        settings = ("workers", "use_multiprocessing", "max_queue_size")
        super().__init__(**{name: getattr(dataset, name) for name in settings})
        self.dataset, self.look = dataset, look

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def __getitem__(self, index):
        batch = self.dataset[index]
        with backends.marked_errors():
            self.look(batch)
        return batch

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()
