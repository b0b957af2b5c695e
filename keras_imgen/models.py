"""Bases for model classes of your own, and the parts that they are made of."""

from keras_imgen.training import Batch, LatentModel, PictureModel, Sampler, step_batch

__all__ = ["Batch", "LatentModel", "PictureModel", "Sampler", "step_batch"]
