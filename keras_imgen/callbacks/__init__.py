"""Callbacks that show what a model makes while it trains, watch it, and keep what it learned."""

from keras_imgen.callbacks.drawn import EpochFigure
from keras_imgen.callbacks.health import Finding, HealthWarning, TrainingHealth
from keras_imgen.callbacks.resume import Resume
from keras_imgen.callbacks.samples import BeforeAfter, SampleGrid, TrainingGif
from keras_imgen.callbacks.traversal import LatentTraversal

__all__ = [
    "BeforeAfter",
    "EpochFigure",
    "Finding",
    "HealthWarning",
    "LatentTraversal",
    "Resume",
    "SampleGrid",
    "TrainingGif",
    "TrainingHealth",
]
