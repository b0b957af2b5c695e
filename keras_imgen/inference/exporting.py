"""Exports what a model answers, for programs that know nothing of this package."""

from collections.abc import Callable

import keras

from keras_imgen import checks


class _Answer(keras.Model):
    """A function of a model as a model of its own, which Keras can export."""

    def __init__(self, model, answer):
        super().__init__(name=model.name, autocast=False)
        self.model, self.answer = model, answer
        self.built = True

    def call(self, inputs):
        return self.answer(*inputs) if isinstance(inputs, list | tuple) else self.answer(inputs)


def export(model, answer: Callable, inputs: list, filepath, format: str, **kwargs) -> None:
    """Export a function of a model; see `keras.Model.export`.

    Args:
        model: whose weights it uses.
        answer: function of tensors.
        inputs: what it takes, as a list of `keras.InputSpec`.
        filepath: folder or file to write.
        format: a format that Keras knows.
        **kwargs: as in Keras.

    Raises:
        ImportError: if a package that the format needs is missing.
        NotImplementedError: on PyTorch.
    """
    checks.path("filepath", filepath)
    kwargs.setdefault("input_signature", inputs if len(inputs) == 1 else [inputs])
    kwargs.setdefault("verbose", False)
    if keras.backend.backend() == "torch":
        raise NotImplementedError(
            "On PyTorch, Keras exports a model for one size of picture and of batch alone. "
            f"Received: format={format!r}. Save the model, load the file in a process with "
            "KERAS_BACKEND=tensorflow, and export it there."
        )
    try:
        _Answer(model, answer).export(str(filepath), format=format, **kwargs)
    except ImportError as error:
        missing = error.name or str(error)
        other = "" if format == "tf_saved_model" else ", or export in the format 'tf_saved_model'"
        raise ImportError(
            f"Exporting in the format {format!r} needs a package that is missing: {missing}. "
            f"Install it{other}."
        ) from None
