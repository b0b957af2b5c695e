"""What the losses of a model share: they are written into files, and are sums over a picture."""

from keras import ops


class Formula:
    """Base of losses, penalties and likelihoods: an object that Keras can write into a file."""

    def get_config(self):
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config):
        """Make the object again."""
        return cls(**config)


def sum_per_picture(values):
    """Return the sum over all axes but the first."""
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))
