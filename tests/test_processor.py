"""TensorFlow's convolutions: chosen before it is imported, and never against the user."""

import os
import platform
import subprocess
import sys
import types
from pathlib import Path

import pytest

from keras_imgen import processor
from keras_imgen.cli import command

ROOT = Path(processor.__file__).parents[1]


@pytest.fixture
def fresh(monkeypatch):
    """A process of a 64-bit PC in which TensorFlow is not imported and nothing is set."""
    monkeypatch.delenv(processor.SWITCH, raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return monkeypatch


def test_training_convolves_by_onednn(fresh):
    processor.choose_convolutions()
    assert os.environ[processor.SWITCH] == "1"


def test_what_the_user_has_set_stays(fresh):
    fresh.setenv(processor.SWITCH, "0")
    processor.choose_convolutions()
    assert os.environ[processor.SWITCH] == "0"


def test_other_processors_are_left_alone(fresh):
    for machine in ("arm64", "aarch64", ""):
        fresh.setattr(platform, "machine", lambda machine=machine: machine)
        processor.choose_convolutions()
        assert processor.SWITCH not in os.environ


def test_other_backends_are_left_alone(fresh):
    fresh.setenv("KERAS_BACKEND", "jax")
    processor.choose_convolutions()
    assert processor.SWITCH not in os.environ


def test_it_is_too_late_once_tensorflow_is_there(fresh):
    fresh.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    fresh.setattr(processor, "_is_slow", lambda: False)
    processor.choose_convolutions()
    fresh.setattr(processor, "_is_slow", lambda: True)
    with pytest.warns(UserWarning, match="keras_imgen is imported before keras and tensorflow"):
        processor.choose_convolutions()
    assert processor.SWITCH not in os.environ  # nor do children convolve otherwise


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["train", "vae"], True),
        (["demo"], True),
        (["doctor"], False),
        (["restore", "inpainter", "m.png"], False),
    ],
)
def test_the_command_chooses_for_trainings_alone(fresh, tmp_path, arguments, chosen):
    fresh.chdir(tmp_path)
    (tmp_path / "m.png").touch()
    seen = []

    def module(name):
        seen.append(processor.SWITCH in os.environ)
        return types.SimpleNamespace(**{arguments[0]: lambda args: 0})

    fresh.setattr(command, "_import_quietly", module)
    assert command.main(arguments) == 0
    assert seen == [chosen]


PROGRAMS = [
    f"""
import warnings
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import {imports}
from tensorflow.python.util import _pywrap_util_port
print("seen", _pywrap_util_port.IsMklEnabled(), sum("quickly" in str(w.message) for w in told))
"""
    for imports in ("keras_imgen, keras", "keras, keras_imgen")
]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="not such a processor")
def test_tensorflow_does_as_is_chosen():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"}
    del environment[processor.SWITCH]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    children = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, **pipes)
        for program in PROGRAMS
    ]
    printed = [child.communicate(timeout=300)[0] for child in children]
    ours, theirs = (text.split("seen")[1].split() for text in printed)
    assert ours == ["True", "0"]
    # Some processors convolve so by themselves; on the others the user is told.
    assert theirs in (["True", "0"], ["False", "1"])
