"""`GrainBatches`: a dataset of Grain as `fit` takes it, with an order that the epoch tells."""

import sys

import keras

ENDLESS = sys.maxsize  # the length of what Grain repeats for ever
THREADS = 4  # a MapDataset may be read by several at once


class GrainBatches(keras.utils.PyDataset):
    """The batches of a `grain.MapDataset`, which Grain shuffles anew in every epoch.

    Args:
        dataset: a `grain.MapDataset` of batches.

    Attributes:
        epoch: the epoch whose batches are served.
    """

    def __init__(self, dataset):
        super().__init__(workers=THREADS)
        self.dataset, self.epoch = dataset, 0

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[self.epoch * len(self) + index]  # as Grain numbers later epochs

    @property
    def num_batches(self):
        """How many batches an epoch has; None if it does not end."""
        return None if len(self) == ENDLESS else len(self)


def from_grain(x, name: str):
    """Return a dataset of Grain as `GrainBatches`, and all else as it is.

    Args:
        x: anything.
        name: what an error calls it.

    Raises:
        TypeError: for a dataset of Grain that has no random access.
    """
    grain = sys.modules.get("grain")  # whoever has such a dataset has imported it
    if not hasattr(grain, "MapDataset"):
        return x
    if isinstance(x, grain.MapDataset):
        return GrainBatches(x)
    if isinstance(x, grain.IterDataset | grain.DataLoader):
        raise TypeError(
            f"`{name}` must be a dataset of Grain with random access, whose order is that of the "
            f"epoch, also when a training is resumed. Received: a {type(x).__name__}. Pass a "
            "grain.MapDataset, such as grain.MapDataset.source(pictures).shuffle(seed=0).batch(32)."
        )
    return x
