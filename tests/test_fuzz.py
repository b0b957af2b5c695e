"""Whatever is passed in: success, or one documented exception that teaches; nothing is broken.

Some hundred inputs, always the same; `tests/benchmarks/fuzz_inputs.py` runs thousands of others.
"""

import pytest
from fuzzing import PROPERTIES
from fuzzing.building import CONSTRUCTORS
from fuzzing.commands import fuzz_model_file
from fuzzing.disks import fuzz_full_disk
from fuzzing.judge import check_message, outcome
from hypothesis import HealthCheck, Phase, given, settings

from keras_imgen import callbacks, degradations, losses, metrics, networks


@pytest.mark.slow
@pytest.mark.parametrize("name", PROPERTIES)
def test_every_outcome_is_documented(name):
    checked = PROPERTIES[name]
    found = []

    @settings(
        max_examples=10 * checked.share,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(checked.inputs)
    def one(case):
        found.append(checked.check(case))

    one()
    if name not in ("read only", "compile"):
        assert "success" in found, "no input was good: the property shows nothing"
    assert set(found) != {"success"}, "no input was bad: the property shows nothing"


def test_every_class_and_network_is_constructed():
    parts = (callbacks, degradations, losses, metrics, networks)
    public = [getattr(part, name) for part in parts for name in part.__all__]
    classes = {each for each in public if isinstance(each, type)}
    builders = {getattr(networks, name) for name in networks.__all__}
    results = (callbacks.Finding, callbacks.HealthWarning, metrics.Memorization)
    results += (metrics.LatentFigures,)
    bases = (losses.AdversarialLoss, losses.Penalty, losses.Likelihood, degradations.Degradation)
    bases += (degradations.WithMask, degradations.WithStrength, degradations.Operator)
    plain = (losses.LeastSquares, losses.Hinge, losses.Wasserstein, losses.Relativistic)
    # Keras's metrics, of which only the name is free; features of fixed networks.
    without_options = (metrics.PSNR, metrics.SSIM, metrics.DigitFeatures, metrics.InceptionFeatures)
    plain += (losses.Bernoulli, losses.ContinuousBernoulli)
    others = {*results, *bases, *plain, *without_options}
    assert classes - set(CONSTRUCTORS) == others
    assert builders <= set(CONSTRUCTORS)


# The judge itself


def fails(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (KeyError("Received: 3"), "KeyError is not documented"),
        (RuntimeError("Received: 3"), "RuntimeError is not documented"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "Received"), "UnicodeDecodeError is not doc"),
        (MemoryError("Received: 3"), "MemoryError is not documented"),
        (ValueError(""), "is empty"),
        (ValueError("`n` must be 1."), "does not say what was received"),
        (ValueError("Received: 3.\nAnd more."), "has several lines"),
        (ValueError("Received: " + "x" * 2000), "is longer than"),
        (TypeError("Received: <tf.Tensor: shape=()>"), "leaks '<tf.'"),
        (TypeError("Received: 3 Arguments received by Dense.call()"), "leaks 'Arguments rec"),
        (OSError(28, "No space left on device"), "does not say what was received"),
    ],
)
def test_undocumented_outcomes_are_noticed(error, complaint):
    with pytest.raises(AssertionError, match=complaint):
        outcome(fails(error), "a/b.png")


def test_documented_outcomes_are_accepted():
    assert outcome(lambda: 3) == "success"
    assert outcome(fails(ValueError("`n` must be 1. Received: n=2."))) == "ValueError"
    assert outcome(fails(PermissionError(13, "Denied", "a/b.png")), "a/b.png") == "PermissionError"
    check_message(FileNotFoundError("There is no 'b.png'."), ["a/b.png"])


def test_what_is_accepted_and_then_fails_is_noticed():
    with pytest.raises(AssertionError, match="accepted, and of no use: ZeroDivisionError"):
        outcome(lambda: 0, check=lambda result: 1 / result)


def test_what_hangs_is_noticed(monkeypatch):
    monkeypatch.setattr("fuzzing.judge.SECONDS", 0.05)

    def hang():
        while True:
            pass

    with pytest.raises(AssertionError, match="still running after"):
        outcome(hang)


# The obstacles are real


@pytest.mark.parametrize("kind", ["file limit", "disk"])
def test_a_full_disk_is_full(kind):
    assert fuzz_full_disk((kind, "save_grid", 0)) == "OSError"
    assert fuzz_full_disk((kind, "save_grid", 100_000)) == "success"


def test_a_whole_model_file_is_used():
    for kind in ("gan", "denoiser"):
        assert fuzz_model_file((kind, "none", 0.0)) == "success"
