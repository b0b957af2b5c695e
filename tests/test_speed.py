"""`keras-imgen doctor --time`: processes that tell seconds, the table, and what is advised."""

import math
import sys

import keras
import pytest
from small_runs import run

from keras_imgen.cli import doctor, speed
from keras_imgen.cli.recipes import RECIPES

TF, JAX, TORCH = ("tensorflow", "jax", "torch")


@pytest.mark.parametrize(
    ("seconds", "advised"),
    [
        (
            {
                ("gan", TF, "float32"): 0.2,
                ("gan", JAX, "float32"): 0.1,
                ("gan", JAX, "bfloat16"): 0.3,
                ("vae", TF, "float32"): 0.2,
                ("vae", JAX, "float32"): 0.19,  # not worth a word
                ("sequence", TF, "float32"): 0.4,
                ("sequence", TF, "bfloat16"): 0.1,
                ("sequence", JAX, "float32"): math.inf,
                ("sequence", TORCH, "float32"): None,
            },
            "Quickest here: `KERAS_BACKEND=jax keras-imgen train ...` for gan (0.50 of the time); "
            "`keras-imgen train ...` for vae; "
            "`keras-imgen train ... --precision bfloat16` for sequence (0.25 of the time).",
        ),
        (
            {
                ("gan", TF, "float32"): None,
                ("gan", TORCH, "bfloat16"): 0.1,
                ("vae", TF, "float32"): math.inf,
            },
            "Quickest here: `KERAS_BACKEND=torch keras-imgen train ... --precision bfloat16` for "
            "gan; `keras-imgen train ...` for vae.",
        ),
        ({("gan", TF, "float32"): None}, "Quickest here: `keras-imgen train ...` for gan."),
    ],
)
def test_the_quickest_of_each_family_is_advised(seconds, advised):
    assert speed.advice(seconds, TF) == advised


def answering(program, monkeypatch):
    monkeypatch.setattr(speed.Child, "program", (sys.executable, "-c", program))
    return speed.Child(JAX)


def test_one_process_answers_again_and_again(monkeypatch):
    program = (
        "import os, sys\n"
        "for number, line in enumerate(sys.stdin):\n"
        "    assert line.split()[1] == 'float32' and os.environ['KERAS_BACKEND'] == 'jax'\n"
        "    print(number, flush=True)"
    )
    watch = answering(program, monkeypatch)
    assert [watch.seconds("gan", "float32") for _ in range(3)] == [0.0, 1.0, 2.0]
    process = watch.process
    assert watch.seconds("gan", "wrong") is None  # it ends with an error
    assert process.poll() is not None
    assert watch.seconds("gan", "float32") == 0.0  # another one
    process = watch.process
    watch.close()
    assert process.poll() is not None


def test_a_process_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(speed, "PATIENCE", 0.2)
    watch = answering("import sys, time\ntime.sleep(1000)", monkeypatch)
    assert watch.seconds("gan", "float32") == math.inf
    assert watch.process is None


def test_doctor_prints_a_row_of_each_family_and_precision(monkeypatch, capsys):
    own = keras.backend.backend()

    def seconds(watch, family, precision):
        half = precision == "bfloat16"
        if watch.environment["KERAS_BACKEND"] == own:
            return 0.4 if half else 0.2
        return None if half else math.inf

    monkeypatch.setattr(doctor.tfds, "is_reachable", lambda: False)
    monkeypatch.setattr(speed.Child, "seconds", seconds)
    other = next(name for name in (JAX, TORCH) if name != own)
    monkeypatch.setattr(speed.importlib.util, "find_spec", lambda name: name in (own, other))
    assert run("doctor", "--time") == 0
    printed = capsys.readouterr().out
    head, *rows, _, advice = printed[printed.index("Timing") :].splitlines()[1:]
    assert head.split() == [speed.BACKENDS[own], speed.BACKENDS[other]]
    assert len(rows) == len(speed.FAMILIES) * len(speed.PRECISIONS)
    assert rows[0].split(maxsplit=4) == ["gan,", "float32", "200", "ms", "over 120 s to start"]
    assert rows[1].split() == ["gan,", "bfloat16", "400", "ms,", "2.00", "fails"]
    assert advice == f"Quickest here: `keras-imgen train ...` for {', '.join(speed.FAMILIES)}."


def test_plain_doctor_times_nothing(monkeypatch, capsys):
    monkeypatch.setattr(doctor.tfds, "is_reachable", lambda: False)
    monkeypatch.setattr(speed, "show", lambda: pytest.fail("nobody asked"))
    assert run("doctor") == 0
    assert "Timing" not in capsys.readouterr().out


def test_what_is_timed_is_what_the_command_trains():
    assert set(speed.FAMILIES) < set(RECIPES)


@pytest.mark.slow
def test_a_process_times_real_steps():
    watch = speed.Child(keras.backend.backend())
    try:
        full, half = (watch.seconds("vae", precision) for precision in speed.PRECISIONS)
    finally:
        watch.close()
    assert 0.0 < full < speed.PATIENCE
    assert 0.0 < half < speed.PATIENCE
