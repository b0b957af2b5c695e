"""Sequences: frame by frame, in parts, continued; and the memory that is carried on."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_imgen as ki
from keras_imgen import backends
from keras_imgen.inference import directions, readings_in_parts
from keras_imgen.networks import ConvLSTM, conv_lstm
from keras_imgen.networks.layers import FramewiseModel
from keras_imgen.networks.recurrent import carrying

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def uncompiled(request, monkeypatch):
    """Take steps without compiling them, which takes long, but where a test is about that."""
    if "compiled" not in request.fixturenames:
        monkeypatch.setattr(backends, "compiled", lambda function: function)


@pytest.fixture
def compiled():
    """Mark a test that needs compiled steps."""


def randomised(network):
    """Give every weight a value, so that no change is 0, and no ReLU cuts off what is there."""
    rng = np.random.default_rng(1)
    for weight in network.weights:
        values = 0.3 * rng.standard_normal(weight.shape)
        weight.assign(values if values.ndim > 1 else np.abs(values) + 0.3)
    return network


def restorer(*, causal=False, channels=1, mask=True, sides=(None, None)):
    network = conv_lstm((*sides, channels), extra_channels=int(mask), filters=2, causal=causal)
    degradation = ki.degradations.MissingFrames(1, seed=0)
    if not mask:
        degradation = ki.degradations.AdditiveNoise(0.1, seed=0)
    return ki.Restorer(randomised(network), degradation, seed=0)


def observed(count, length, height, width, channels=1):
    """Return sequences with a mask, some frames of which are lost."""
    known = (np.arange(length) % 3 != 1)[:, None, None, None]
    known = np.broadcast_to(known, (count, length, height, width, 1))
    pictures = RNG.random((count, length, height, width, channels))
    return np.concatenate([pictures * known, known], axis=-1).astype("float32")


# The layer


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("shape", [(1, 3, 7, 5, 2), (2, 1, 1, 1, 3), (2, 4, 1, 6, 1)], ids=str)
def test_it_computes_what_the_layer_of_keras_computes(shape, kernel_size, backwards):
    frames = RNG.random(shape, "float32")
    theirs = layers.ConvLSTM2D(
        4, kernel_size, padding="same", return_sequences=True, go_backwards=backwards
    )
    ours = ConvLSTM(4, kernel_size, go_backwards=backwards)
    expected = np.asarray(theirs(frames))
    ours.build(shape)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    np.testing.assert_array_equal(ours.cell.bias, theirs.cell.bias)  # the forget gate is open
    ours.set_weights(theirs.get_weights())
    found = np.asarray(ours(frames))
    # Keras returns the last one first.
    np.testing.assert_allclose(found, expected[:, ::-1] if backwards else expected, atol=1e-6)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_memory_is_carried_on(backwards):
    layer = ConvLSTM(3, go_backwards=backwards)
    frames = RNG.random((2, 7, 5, 6, 2), "float32")
    whole = np.asarray(layer(frames))
    for cut in (1, 3, 6):
        parts = [frames[:, :cut], frames[:, cut:]]
        order = (1, 0) if backwards else (0, 1)
        with carrying() as memories:
            first = np.asarray(layer(parts[order[0]]))
        assert memories.backwards == [backwards]
        with carrying(memories.after):
            second = np.asarray(layer(parts[order[1]]))
        found = [second, first] if backwards else [first, second]
        np.testing.assert_allclose(np.concatenate(found, axis=1), whole, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(layer(frames)), whole)  # nothing is left behind


def test_half_precision_keeps_weights_in_full():
    layer = ConvLSTM(3, dtype="mixed_bfloat16")
    made = layer(RNG.random((1, 3, 4, 4, 1), "float32"))
    assert keras.backend.standardize_dtype(made.dtype) == "bfloat16"
    assert {keras.backend.standardize_dtype(w.dtype) for w in layer.weights} == {"float32"}


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"filters": 0}, "`filters` must be"),
        ({"filters": 2, "kernel_size": 0}, "`kernel_size` must be"),
    ],
)
def test_what_a_layer_cannot_be(options, advice):
    with pytest.raises(ValueError, match=advice):
        ConvLSTM(**options)
    with pytest.raises(TypeError, match="`go_backwards` must be"):
        ConvLSTM(2, go_backwards=1)


# In parts


@pytest.mark.parametrize(("sides", "channels"), [((1, 1), 3), ((5, 3), 1)], ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_parts_make_what_the_whole_makes(causal, channels, sides):
    model = restorer(causal=causal, channels=channels)
    frames = observed(2, 7, *sides, channels)
    whole = np.asarray(model(frames))
    assert np.ptp(whole - frames[..., :-1]) > 0.05
    for size in (2, 6):
        found = model._film_in_parts(frames, size, progress=False)
        np.testing.assert_allclose(found, whole, atol=1e-5)


def test_long_sequences_are_restored_in_parts(monkeypatch, capsys, compiled):
    model = restorer()
    frames = observed(1, 9, 40, 48)
    whole = model.restore(frames, tile=None)
    sizes = []
    step = model._step()
    monkeypatch.setattr(model._made, "step", lambda x, m: sizes.append(x.shape[1]) or step(x, m))
    found = model.restore(frames, tile=64, progress=True)  # 2 frames have as many pixels
    np.testing.assert_allclose(found, whole, atol=1e-5)
    assert sizes == [1, 2, 2, 2] + [2, 2, 2, 2, 1]  # behind the first part, and forwards
    assert "9/9" in capsys.readouterr().out
    sizes.clear()
    model.restore(frames, tile=256)  # all have
    assert not sizes


def test_a_new_network_is_looked_at_anew():
    model = restorer(causal=True)
    first = list(model.stream(observed(1, 2, 5, 5)[0]))
    model.network = randomised(conv_lstm(extra_channels=1, filters=3))
    with pytest.raises(ValueError, match="causal=True"):
        model.stream(observed(1, 2, 5, 5)[0])
    assert len(first) == 2


def with_layer(*others, backwards=False):
    """Return a network with a memory, and other layers over the whole sequence."""
    x = frames = keras.Input((None, 8, 8, 1))
    x = layers.Concatenate()([x, ConvLSTM(2, go_backwards=backwards)(x)])
    for layer in others:
        x = layer(x)
    last = keras.Input((8, 8, x.shape[-1]))
    picture = layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros")(last)
    change = FramewiseModel(keras.Model(last, picture))([x])
    return keras.Model(frames, layers.Add()([frames, change]))


@pytest.mark.parametrize(
    ("others", "readings"),
    [
        ((), 1),
        ((lambda: layers.Activation("tanh"),), 1),
        ((lambda: layers.TimeDistributed(layers.Conv2D(3, 3, padding="same")),), 1),
        ((lambda: layers.Conv3D(2, (1, 3, 3), padding="same"),), 1),
        ((lambda: layers.Conv3D(2, 3, padding="same"),), 0),
        ((lambda: layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True),), 0),
        ((lambda: layers.UnitNormalization(axis=1),), 0),
        ((lambda: ConvLSTM(2), lambda: ConvLSTM(3)), 1),
        ((lambda: ConvLSTM(2, go_backwards=True),), 3),  # sees what comes from both sides
        ((lambda: ConvLSTM(2, go_backwards=True), lambda: ConvLSTM(2)), 3),
        # And so does this one, twice: too tangled to be read in parts.
        (
            (
                lambda: ConvLSTM(2, go_backwards=True),
                lambda: ConvLSTM(2),
                lambda: ConvLSTM(2, go_backwards=True),
            ),
            0,
        ),
    ],
)
def test_what_mixes_frames_in_another_way_is_found(others, readings):
    # Before it has learned anything its last layer is 0, and hides what is before it.
    network = with_layer(*(make() for make in others))
    assert readings_in_parts(network, 2) == readings
    frames = RNG.random((1, 3, 8, 8, 1), "float32")
    np.testing.assert_array_equal(np.asarray(network(frames)), frames)


def test_backwards():
    assert directions(conv_lstm(filters=2)) == (False, True)
    assert directions(conv_lstm(filters=2, causal=True)) == (False,)
    assert directions(with_layer(backwards=True)) == (True,)
    assert directions(keras.Sequential([keras.Input((None, 8, 8, 1)), layers.ReLU()])) == ()


# Frame by frame


@pytest.mark.parametrize("sides", [(1, 1), (5, 3), (8, 13)], ids=str)
@pytest.mark.parametrize("mask", [False, True])
def test_a_stream_makes_what_the_whole_makes(mask, sides):
    model = restorer(causal=True, mask=mask, channels=3)
    frames = observed(1, 6, *sides, 3)
    if not mask:
        frames = frames[..., :3]
    whole = model.restore(frames)[0]
    found = list(model.stream(frame for frame in frames[0]))
    assert all(frame.dtype == np.float32 for frame in found)
    np.testing.assert_allclose(found, whole, atol=1e-5)
    if mask:
        known = [float(frame[0, 0, -1]) for frame in frames[0]]
        assert 0.0 in known
        assert 1.0 in known
        again = list(
            model.stream(
                RNG.random(frames[0, ..., :3].shape) * 0.0 + frames[0, ..., :3], known=known
            )
        )
        np.testing.assert_allclose(again, whole, atol=1e-5)


def test_a_stream_is_told_the_level():
    noise = ki.degradations.AdditiveNoise((0.0, 0.3), append_level=True, seed=0)
    network = conv_lstm(extra_channels=1, filters=2, causal=True)
    for variable in network.trainable_variables:  # else the change to a frame is 0
        variable.assign(RNG.normal(0.0, 0.2, variable.shape))
    model = ki.Restorer(network, noise, seed=0)
    frames = RNG.random((1, 4, 6, 7, 1), "float32")
    answers = [np.stack(list(model.stream(frames[0], level=level))) for level in (0.05, 0.3)]
    assert np.abs(answers[0] - answers[1]).max() > 1e-3
    for level, found in zip((0.05, 0.3), answers, strict=True):
        np.testing.assert_allclose(found, model.restore(frames, level=level)[0], atol=1e-5)
    with pytest.raises(ValueError, match="`level` is for models"):
        next(restorer(causal=True, mask=False).stream(frames[0], level=0.1))


def test_a_stream_asks_for_no_frame_before_its_time():
    model = restorer(causal=True, mask=False)
    given = []

    def camera():
        for number in range(100):
            given.append(number)
            yield RNG.random((6, 7, 1))

    stream = model.stream(camera())
    assert given == []
    next(stream)
    assert given == [0]
    next(stream)
    assert given == [0, 1]


def test_what_cannot_be_streamed():
    frames = observed(1, 3, 8, 8)[0]
    with pytest.raises(ValueError, match="causal=True"):
        restorer().stream(frames)
    network = keras.Sequential(
        [
            keras.Input((None, 8, 8, 1)),
            layers.ConvLSTM2D(1, 3, padding="same", return_sequences=True),
        ]
    )
    other = ki.Restorer(network, ki.degradations.AdditiveNoise(0.1))
    with pytest.raises(ValueError, match="networks.ConvLSTM"):
        other.stream(frames)
    pictures = ki.Restorer(
        ki.networks.dncnn(depth=3, filters=2), ki.degradations.AdditiveNoise(0.1)
    )
    with pytest.raises(ValueError, match="`stream` is for models of sequences"):
        pictures.stream(frames)
    model = restorer(causal=True)
    with pytest.raises(ValueError, match="equal sizes.*\\(8, 8\\)"):
        list(model.stream([frames[0], frames[0, :4]]))
    with pytest.raises(ValueError, match="lacks the 1 channels"):
        list(model.stream(frames[..., :1]))
    with pytest.raises(ValueError, match="fewer masks"):
        list(model.stream(frames[..., :1], known=[1.0]))
    with pytest.raises(ValueError, match="more masks"):
        list(model.stream(frames[..., :1], known=[1.0] * 4))
    with pytest.raises(ValueError, match="finite"):
        list(model.stream([np.full((8, 8, 2), np.nan)]))


# Continued


def test_a_prediction_is_what_is_restored_of_frames_that_are_lost():
    model = restorer()
    frames = observed(2, 5, 6, 7)
    frames[..., 1] = 1.0
    lost = np.concatenate([frames, np.zeros((2, 3, 6, 7, 2), "float32")], axis=1)
    expected = model.restore(lost)[:, -3:]
    np.testing.assert_array_equal(model.extrapolate(frames, 3), expected)
    np.testing.assert_array_equal(model.extrapolate(frames[..., :1], 3), expected)
    one = model.extrapolate(frames, 1)
    seen = np.concatenate([frames, np.concatenate([one, np.ones_like(one)], axis=-1)], axis=1)
    two = model.extrapolate(frames, 2, at_a_time=1)
    np.testing.assert_array_equal(two[:, :1], one)
    np.testing.assert_array_equal(two[:, 1:], model.extrapolate(seen, 1))
    assert np.abs(two - model.extrapolate(frames, 2)).max() > 1e-4
    assert model.extrapolate(frames, 5, at_a_time=2).shape == (2, 5, 6, 7, 1)


def test_what_cannot_be_continued():
    with pytest.raises(ValueError, match="appends no mask"):
        restorer(mask=False).extrapolate(observed(1, 3, 8, 8)[..., :1], 2)
    model = restorer()
    for options in ({"num_frames": 0}, {"num_frames": 2, "at_a_time": 3}):
        with pytest.raises(ValueError, match="must be"):
            model.extrapolate(observed(1, 3, 8, 8), **options)


def test_frames_lost_at_the_end():
    degradation = ki.degradations.MissingFrames(2, at_end=True, seed=0)
    made = np.asarray(degradation(np.ones((3, 5, 4, 4, 1), "float32"), training=True))
    np.testing.assert_array_equal(made[..., 0, 0, 1], [[1, 1, 1, 0, 0]] * 3)
    twin = ki.degradations.MissingFrames.from_config(degradation.get_config())
    assert twin.at_end is True
    with pytest.raises(ValueError, match="At least one frame must remain"):
        degradation(np.ones((3, 2, 4, 4, 1), "float32"))
    with pytest.raises(TypeError, match="`at_end` must be"):
        ki.degradations.MissingFrames(2, at_end=1)
