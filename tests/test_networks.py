"""Networks: shapes, ranges and what each architecture promises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_imgen import networks
from keras_imgen.networks.gans import SpectralNormalization

# Every builder, small, from a picture's shape; the input's shape; whether outputs lie in [0, 1].
BUILDERS = {
    "dcgan_generator": lambda shape: networks.dcgan_generator(shape, latent_dim=3, filters=2),
    "dcgan_discriminator": lambda shape: networks.dcgan_discriminator(shape, filters=2),
    "resnet_generator": lambda shape: networks.resnet_generator(shape, latent_dim=3, filters=2),
    "resnet_discriminator": lambda shape: networks.resnet_discriminator(shape, filters=2),
    "vae_encoder": lambda shape: networks.vae_encoder(shape, latent_dim=3, filters=2),
    "vae_decoder": lambda shape: networks.vae_decoder(shape, latent_dim=3, filters=2),
    "dense_vae_encoder": lambda shape: networks.dense_vae_encoder(shape, 3, (4,)),
    "dense_vae_decoder": lambda shape: networks.dense_vae_decoder(shape, 3, (4,)),
    "resnet_vae_encoder": lambda shape: networks.resnet_vae_encoder(shape, 3, filters=2),
    "resnet_vae_decoder": lambda shape: networks.resnet_vae_decoder(shape, 3, filters=2),
    "dncnn": lambda shape: networks.dncnn(shape, depth=3, filters=2),
    "drunet": lambda shape: networks.drunet(shape, filters=(2, 3, 4), num_blocks=1, block_size=2),
    "drunet of holes": lambda shape: networks.drunet(
        shape, extra_channels=1, filters=(2, 3), num_blocks=1, fill_holes=True
    ),
    "unet": lambda shape: networks.unet(shape, depth=2, filters=2),
    "dncnn of blocks": lambda shape: networks.dncnn(shape, depth=3, filters=2, block_size=2),
    "gated unet": lambda shape: networks.unet(shape, depth=2, filters=2, convolution="gated"),
    "transposed unet": lambda shape: networks.unet(
        shape, depth=2, filters=2, upsampling="transposed"
    ),
    "partial unet": lambda shape: networks.unet(
        shape, extra_channels=1, depth=2, filters=2, convolution="partial"
    ),
    "conv_lstm": lambda shape: networks.conv_lstm(shape, filters=2),
}
FROM_LATENTS = (
    *("dcgan_generator", "resnet_generator"),
    *("vae_decoder", "dense_vae_decoder", "resnet_vae_decoder"),
)
IN_RANGE = ("dcgan_generator", "resnet_generator")
RESIDUAL = ("dncnn", "conv_lstm")
OF_HOLES = ("partial unet", "drunet of holes")
ANY_SIZE = (
    *("dncnn", "dncnn of blocks", "drunet", "drunet of holes"),
    *("unet", "gated unet", "partial unet", "transposed unet", "conv_lstm"),
)
SHAPES = [(12, 20, 1), (13, 9, 3), (8, 31, 1)]  # neither square nor multiples of 8


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture(params=BUILDERS)
def name(request):
    return request.param


def inputs_of(name, shape, count=2, seed=0):
    """Return what a network takes: latents, pictures or sequences."""
    rng = np.random.default_rng(seed)
    if name in FROM_LATENTS:
        return 5 * rng.standard_normal((count, 3)).astype("float32")
    frames = (3,) if name == "conv_lstm" else ()
    pictures = rng.random((count, *frames, *shape), "float32")
    if name not in OF_HOLES:
        return pictures
    known = (rng.random((count, *shape[:2], 1)) < 0.7).astype("float32")
    return np.concatenate([pictures * known, known], axis=-1)


def outputs_of(model, inputs, **options):
    return [keras.ops.convert_to_numpy(x) for x in keras.tree.flatten(model(inputs, **options))]


def randomised(model):
    """Give every weight a value, so that no bias is 0 and no normalisation is neutral."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        values = 0.3 * rng.standard_normal(weight.shape)
        weight.assign(np.abs(values) if "variance" in weight.path else values)
    return model


def test_the_list_is_complete():
    # These take more than pictures, or none, or are a layer: see test_diffusion.py,
    # test_vae_bounds.py and test_sequences.py.
    elsewhere = {"diffusion_unet", "FlowPrior", "ConvLSTM"}
    assert {name for name in BUILDERS if " " not in name} == set(networks.__all__) - elsewhere


# What every network promises


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_sides_and_channels(name, shape):
    model = BUILDERS[name](shape)
    inputs = inputs_of(name, shape)
    expected = {
        "dcgan_discriminator": [(2, 1)],
        "resnet_discriminator": [(2, 1)],
        "conv_lstm": [(2, 3, *shape)],
    }.get(name, [(2, *shape)])
    if name.endswith("vae_encoder"):
        expected = [(2, 3), (2, 3)]
    outputs = outputs_of(model, inputs)
    assert [output.shape for output in outputs] == expected
    symbolic = keras.tree.flatten(model.outputs)
    for output, spec in zip(outputs, symbolic, strict=True):
        assert len(spec.shape) == output.ndim
        assert all(a in (None, b) for a, b in zip(spec.shape, output.shape, strict=True))


@pytest.mark.parametrize("name", IN_RANGE)
def test_outputs_lie_in_the_range_whatever_the_weights(name):
    model = randomised(BUILDERS[name]((12, 20, 1)))
    for scale in (1.0, 100.0):
        (pictures,) = outputs_of(model, scale * inputs_of(name, (12, 20, 1)))
        assert 0.0 <= pictures.min() < pictures.max() <= 1.0


def test_outputs_are_float32_under_every_policy(name):
    for policy in ("mixed_bfloat16", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = BUILDERS[name]((12, 20, 1))
            outputs = outputs_of(model, inputs_of(name, (12, 20, 1)))
        finally:
            keras.config.set_dtype_policy("float32")
        assert [output.dtype for output in outputs] == ["float32"] * len(outputs)
        assert all(np.all(np.isfinite(output)) for output in outputs)
        assert {spec.dtype for spec in keras.tree.flatten(model.outputs)} == {"float32"}


def test_survives_being_saved(name, tmp_path):
    model, inputs = randomised(BUILDERS[name]((12, 20, 1))), inputs_of(name, (12, 20, 1))
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    assert loaded.name == model.name
    for output, again in zip(outputs_of(model, inputs), outputs_of(loaded, inputs), strict=True):
        np.testing.assert_array_equal(again, output)


def test_every_weight_is_trained_by_some_gradient(name):
    model, inputs = BUILDERS[name]((12, 20, 1)), inputs_of(name, (12, 20, 1), count=4)
    weights, reached = model.trainable_weights, set()
    for seed in range(5):  # so small, all units of a layer may be off at once
        for weight in weights:
            # Where the last kernel begins with zeros, no gradient gets past it.
            weight.assign(0.3 * keras.random.normal(weight.shape, seed=seed))
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(model(inputs, training=True))
            wishes = [tf.random.stateless_normal(tf.shape(output), (0, 1)) for output in outputs]
            pairs = zip(outputs, wishes, strict=True)
            loss = sum(tf.reduce_sum(output * wish) for output, wish in pairs)
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        for weight, gradient in zip(weights, gradients, strict=True):
            assert gradient is not None, weight.path
            assert np.all(np.isfinite(gradient)), weight.path
            reached |= {weight.path} if np.any(np.abs(gradient) > 0.0) else set()
    assert {weight.path for weight in weights} == reached


def test_pictures_of_a_batch_do_not_see_each_other(name):
    model, inputs = randomised(BUILDERS[name]((12, 20, 1))), inputs_of(name, (12, 20, 1), count=3)
    for together, alone in zip(
        outputs_of(model, inputs), outputs_of(model, inputs[1:2]), strict=True
    ):
        np.testing.assert_allclose(alone, together[1:2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "wrong", [(28, 28), (28, 28, 0), (28, 28, None), (0, 28, 1), (28.0, 28, 1), 28, None]
)
def test_wrong_shapes_are_explained(name, wrong):
    with pytest.raises(
        ValueError, match=r"\(height, width, channels\) of one picture, for example"
    ):
        BUILDERS[name](wrong)


def test_free_sides_are_for_networks_that_take_any_size(name):
    if name in ANY_SIZE:
        assert BUILDERS[name]((None, 20, 1)).input_shape[-3:-1] == (None, 20)
    else:
        with pytest.raises(ValueError, match=r"for example \(28, 28, 1\). Received.*None"):
            BUILDERS[name]((None, None, 1))


# Networks that generate


@pytest.mark.parametrize(
    "name",
    [
        *("dcgan_generator", "dcgan_discriminator", "vae_encoder", "vae_decoder"),
        *("resnet_vae_encoder", "resnet_vae_decoder"),
    ],
)
def test_pictures_too_small_to_halve_are_refused(name):
    with pytest.raises(
        ValueError, match=r"at least 8 x 8 pixels. Received: image_shape=\(7, 20, 1\)"
    ):
        BUILDERS[name]((7, 20, 1))
    assert BUILDERS[name]((8, 8, 1)).built


@pytest.mark.parametrize(
    "build", [networks.dcgan_generator, networks.vae_encoder, networks.vae_decoder]
)
def test_latents_are_counted_from_1(build):
    with pytest.raises(ValueError, match="`latent_dim` must be .* number of latent variables"):
        build((12, 20, 1), latent_dim=0)
    assert build((12, 20, 1), latent_dim=1, filters=2).built


@pytest.mark.parametrize("name", FROM_LATENTS)
def test_every_pixel_depends_on_the_latents(name):
    model = BUILDERS[name]((13, 9, 1))
    inputs = inputs_of(name, (13, 9, 1), count=64)
    (pictures,) = outputs_of(model, inputs)
    assert pictures.std(axis=0).min() > 0


def test_scores_are_logits():
    model = randomised(BUILDERS["dcgan_discriminator"]((12, 20, 1)))
    (values,) = outputs_of(model, inputs_of("dcgan_discriminator", (12, 20, 1), count=64))
    assert values.min() < 0 or values.max() > 1
    assert model.layers[-1].activation is keras.activations.linear


def test_dropout_acts_in_training_only():
    discriminator = networks.dcgan_discriminator((12, 20, 1), 2, dropout=0.5)
    inputs = inputs_of("dcgan_discriminator", (12, 20, 1))
    (first,), (second,) = (outputs_of(discriminator, inputs, training=True) for _ in range(2))
    assert np.any(first != second)
    (first,), (second,) = (outputs_of(discriminator, inputs, training=False) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_with_batch_normalisation_scores_see_the_batch_in_training(batch_norm):
    discriminator = networks.dcgan_discriminator((12, 20, 1), 2, batch_norm=batch_norm)
    inputs = inputs_of("dcgan_discriminator", (12, 20, 1), count=4)
    with_others = [
        outputs_of(discriminator, np.concatenate([inputs[:1], others]), training=True)[0][0]
        for others in (inputs[1:], inputs[1:2].repeat(3, 0))
    ]
    assert (abs(with_others[0] - with_others[1]).max() > 1e-3) == batch_norm


# Networks that restore


@pytest.mark.parametrize("name", ANY_SIZE)
def test_the_result_does_not_depend_on_how_the_network_is_called(name):
    free = randomised(BUILDERS[name]((None, None, 1)))
    compiled = tf.function(lambda x: free(x, training=False))
    for shape in ((13, 9, 1), (12, 20, 1), (1, 1, 1), (3, 7, 1)):
        fixed = BUILDERS[name](shape)
        fixed.set_weights(free.get_weights())
        inputs = inputs_of(name, shape, count=3)
        (expected,) = outputs_of(fixed, inputs)
        for result in (
            outputs_of(free, inputs)[0],
            np.asarray(compiled(inputs)),
            free.predict(inputs, batch_size=2, verbose=0),
        ):
            np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["dncnn", "unet", "conv_lstm"])
def test_extra_channels_are_taken_and_not_returned(name):
    options = {"depth": 3} if name == "dncnn" else {}
    model = getattr(networks, name)((12, 20, 3), extra_channels=2, filters=4, **options)
    assert model.input_shape[-1] == 5
    assert model.output_shape[-1] == 3
    randomised(model)
    inputs = inputs_of(name, (12, 20, 5))
    (before,) = outputs_of(model, inputs)
    inputs[..., -1] = 1.0 - inputs[..., -1]
    assert np.any(outputs_of(model, inputs)[0] != before)


def influence(model, side, size):
    """Return which outputs move when the middle pixel of a picture changes."""
    picture = np.full((1, size, size, 1), 0.5, "float32")
    changed = picture.copy()
    changed[0, side, side, 0] += 0.25
    (before,), (after,) = outputs_of(model, picture), outputs_of(model, changed)
    return np.argwhere(np.abs(after - before)[0, ..., 0] > 0)


@pytest.mark.parametrize("depth", [3, 6])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_dncnn_sees_twice_its_depth_plus_one(depth, batch_norm):
    model = networks.dncnn(depth=depth, filters=4, batch_norm=batch_norm)
    for weight in model.weights:  # positive, so that no ReLU hides a path
        weight.assign(np.full(weight.shape, 0.1))
    moved = influence(model, side=15, size=31)
    assert moved.min(axis=0).tolist() == [15 - depth] * 2
    assert moved.max(axis=0).tolist() == [15 + depth] * 2
    assert len(moved) == (2 * depth + 1) ** 2


def without_change(model):
    """Let the last convolution, which predicts the change, predict none."""
    *_, last = (v for v in model.trainable_weights if v.path.endswith("kernel"))
    last.assign(keras.ops.zeros(last.shape))
    return model


@pytest.mark.parametrize("name", RESIDUAL)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_networks_that_predict_the_change_keep_the_picture_exactly(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = without_change(BUILDERS[name]((12, 20, 1)))
    finally:
        keras.config.set_dtype_policy("float32")
    pictures = inputs_of(name, (12, 20, 1))
    np.testing.assert_array_equal(outputs_of(model, pictures)[0], pictures)


def test_conv_lstm_begins_with_the_observed_frame():
    """Before training nothing is changed: the first error is that of the observed frames."""
    network = networks.conv_lstm((12, 20, 1), extra_channels=1, filters=2)
    observed = np.random.default_rng(0).random((2, 3, 12, 20, 2), "float32")
    np.testing.assert_array_equal(outputs_of(network, observed)[0], observed[..., :1])


def test_dncnn_normalises_where_the_paper_does():
    def normalisations(**options):
        model = networks.dncnn(depth=5, filters=2, **options)
        return [layer.name for layer in model.layers if "normalization" in layer.name]

    assert len(normalisations(batch_norm=True)) == 3
    assert not normalisations()
    assert networks.dncnn(depth=17, filters=2, batch_norm=True).count_params() == sum(
        (9 * 2 + 2, 15 * (9 * 2 * 2 + 4 * 2), 9 * 2 + 1)  # first, inner with BatchNorm, last
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_unet_sees_further_with_every_level(depth):
    model = networks.unet(depth=depth, filters=2)
    for weight in model.weights:
        weight.assign(np.full(weight.shape, 0.1))
    reach = np.ptp(influence(model, side=32, size=65)[:, 0])
    # Two or more convolutions of 3 x 3 at the coarsest level, whose pixels are 2^depth wide.
    assert 4 * 2**depth <= reach <= 14 * 2**depth


def test_blocks_see_twice_as_far_with_a_quarter_of_the_places():
    model = networks.dncnn(depth=4, filters=4, batch_norm=False, block_size=2)
    for weight in model.weights:
        weight.assign(np.full(weight.shape, 0.1))
    moved = influence(model, side=20, size=40)
    assert moved.min(axis=0).tolist() == [20 - 8] * 2
    assert moved.max(axis=0).tolist() == [21 + 8] * 2  # the whole of a block that is touched
    shapes = {
        layer.output.shape[1:3]
        for layer in networks.dncnn((40, 60, 1), depth=4, filters=4, block_size=2).layers
        if isinstance(layer, keras.layers.Conv2D)
    }
    assert shapes == {(20, 30)}


def test_blocks_lose_nothing():
    from keras_imgen.networks.layers import DepthToSpace, SpaceToDepth

    for shape, size in (((2, 6, 9, 3), 3), ((1, 5, 7, 2), 2)):
        x = np.random.default_rng(0).random(shape, "float32")
        blocks = SpaceToDepth(size)(x)
        sides = [-(-side // size) for side in shape[1:3]]
        assert blocks.shape == (shape[0], *sides, shape[3] * size**2)
        back = np.asarray(DepthToSpace(size)(blocks))
        np.testing.assert_array_equal(back[:, : shape[1], : shape[2]], x)
        # What was added mirrors what is before the last row and column.
        missing = [(0, 0), *((0, -side % size) for side in shape[1:3]), (0, 0)]
        np.testing.assert_array_equal(back, np.pad(x, missing, mode="reflect"))


def test_drunet_has_no_bias_and_scales_with_its_input():
    model = networks.drunet((13, 9, 2), filters=(4, 6), num_blocks=1, extra_channels=1)
    assert not any("bias" in weight.path for weight in model.weights)
    kernel = model.get_layer("noise").kernel  # which begins with zeros
    kernel.assign(0.1 * np.random.default_rng(1).standard_normal(kernel.shape))
    inputs = inputs_of("drunet", (13, 9, 3))
    (once,), (thrice,) = outputs_of(model, inputs), outputs_of(model, 3.0 * inputs)
    assert np.abs(once - inputs[..., :2]).max() > 0.1
    np.testing.assert_allclose(thrice, 3.0 * once, rtol=1e-4, atol=1e-5)


def test_drunet_of_the_paper_has_33_million_weights():
    model = networks.drunet(extra_channels=1, filters=(64, 128, 256, 512), num_blocks=4)
    assert model.count_params() == 32_638_656  # as counted from the tables of Zhang et al.


def test_gates_scale_what_passes():
    from keras_imgen.networks.layers import GatedConv2D

    layer = GatedConv2D(1, 1)
    x = np.linspace(-2.0, 2.0, 9, dtype="float32").reshape(1, 3, 3, 1)
    layer.build(x.shape)
    layer.set_weights([np.array([[[[2.0, 3.0]]]]), np.array([0.0, 1.0])])
    expected = np.maximum(2 * x, 0) / (1 + np.exp(-(3 * x + 1)))
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


def test_a_partial_convolution_does_not_see_into_holes():
    from keras_imgen.networks.layers import PartialConv2D

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    layer = PartialConv2D(3, 3)
    known = (rng.random((1, 9, 11, 1)) < 0.3).astype("float32")
    x = rng.random((1, 9, 11, 2), "float32") * known
    features, now_known = map(np.asarray, layer([x, known]))
    kernel = layer.convolution.get_weights()[0]
    for row, column in np.ndindex(9, 11):
        rows, columns = (slice(max(i - 1, 0), i + 2) for i in (row, column))
        cut = [slice(max(0, 1 - i), 3 - max(0, i + 2 - n)) for i, n in ((row, 9), (column, 11))]
        seen, window = known[0, rows, columns, 0], x[0, rows, columns]
        assert now_known[0, row, column, 0] == seen.any()
        if seen.any():  # equation 1: the sum over what is known, weighted up; the bias is 0 still
            total = np.einsum("ijc,ijcf->f", window, kernel[cut[0], cut[1]])
            expected = np.maximum(total * seen.size / seen.sum(), 0)
            np.testing.assert_allclose(features[0, row, column], expected, rtol=1e-4, atol=1e-6)
        else:
            assert np.all(features[0, row, column] == 0)


def test_drunet_begins_with_the_picture_as_it_is():
    model = networks.drunet((13, 9, 2), filters=(4, 6), num_blocks=1)
    pictures = inputs_of("drunet", (13, 9, 2))
    np.testing.assert_array_equal(outputs_of(model, pictures)[0], pictures)


def filled(picture, known, levels=5):
    from keras_imgen.networks.layers import FillHoles

    observed = np.concatenate([picture * known, known], axis=-1).astype("float32")
    result = np.asarray(FillHoles(levels)(observed))
    np.testing.assert_array_equal(result[..., -1:], known)
    return result[..., :-1]


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (3, 5), (1, 1)])
def test_holes_are_filled_with_means_of_what_is_known(size):
    rng = np.random.default_rng(0)
    known = (rng.random((2, *size, 1)) < 0.3).astype("float32")
    known[:, 0, 0] = 1.0
    picture = rng.random((2, *size, 3), "float32")
    result = filled(picture, known)
    np.testing.assert_array_equal(result * known, picture * known)
    for index in range(2):
        values = picture[index][known[index, ..., 0] == 1]
        assert np.all(result[index] >= values.min(0) - 1e-6)
        assert np.all(result[index] <= values.max(0) + 1e-6)
    # Linear in the picture.
    np.testing.assert_allclose(filled(2 * picture + 1, known), 2 * result + 1, atol=1e-5)
    np.testing.assert_allclose(filled(np.ones_like(picture), known), 1.0, atol=1e-6)


def test_a_hole_in_a_slope_is_filled_with_the_slope():
    slope = np.tile(np.linspace(0.0, 1.0, 64, dtype="float32"), (64, 1))[None, ..., None]
    known = np.ones_like(slope)
    known[:, 24:40, 24:40] = 0.0
    error = np.abs(filled(slope, known) - slope)[known == 0]
    assert error.mean() < 0.03  # of a hole that spans a quarter of the range
    # Where nothing is known within 2**levels pixels, nothing is made up.
    assert np.all(filled(slope, np.zeros_like(slope)) == 0.0)


@pytest.mark.parametrize("name", OF_HOLES)
def test_a_network_of_holes_does_not_look_at_what_lies_in_them(name):
    model = randomised(BUILDERS[name]((24, 20, 1)))
    inputs = inputs_of(name, (24, 20, 1))
    changed = inputs.copy()
    inputs[..., 0] *= inputs[..., 1]
    outputs = outputs_of(model, inputs)[0]
    # Degradations leave 0 in holes; a network that is given something else must not use it.
    changed[..., 0] += 5.0 * (1.0 - changed[..., 1])
    np.testing.assert_allclose(outputs_of(model, changed)[0], outputs, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "advice"),
    [
        (
            lambda: networks.dncnn(depth=2),
            "at least 3. Received: depth=2. .* counts the convolutions; the paper has 17",
        ),
        (lambda: networks.unet(depth=0), "at least 1. Received: depth=0. .* number of halvings"),
        (lambda: networks.dncnn(depth="x"), "`depth` must be a whole number.* depth='x'"),
        (lambda: networks.dncnn(filters=0), "`filters` must be a whole number.* filters=0"),
        (lambda: networks.unet(filters=1.5), "filters=1.5"),
        (lambda: networks.unet(convolution="dense"), "'plain', 'gated', 'partial'.*='dense'"),
        (lambda: networks.unet(upsampling="bilinear"), "'nearest', 'transposed'.*='bilinear'"),
        (
            lambda: networks.unet(convolution="partial"),
            "needs the mask of the holes.*MissingPixels",
        ),
        (lambda: networks.dncnn(block_size=0), "block_size=0. It is the side of a block"),
        (lambda: networks.drunet(filters=64), "feature maps of each level.*filters=64"),
        (lambda: networks.drunet(filters=(8, 0)), "`filters` .* filters=0"),
        (lambda: networks.drunet(num_blocks=0), "num_blocks=0"),
        (lambda: networks.drunet(fill_holes=True), "needs the mask of the holes.*MissingPixels"),
        (lambda: networks.unet(extra_channels=-1), "at least 0. Received: extra_channels=-1"),
        (lambda: networks.conv_lstm((8, 9, 1), filters="x"), "filters='x'"),
        (lambda: networks.conv_lstm((8, 9, 1), extra_channels=True), "extra_channels=True"),
        (lambda: networks.dcgan_generator((8, 9, 1), None), "latent_dim=None"),
        (lambda: networks.dcgan_generator((8, 9, 1), filters=[]), r"filters=\[\]"),
        (lambda: networks.dcgan_discriminator((8, 9, 1), filters={}), "filters={}"),
        (lambda: networks.dcgan_discriminator((8, 9, 1), dropout=30), "for 30 % pass 0.3"),
        (lambda: networks.vae_encoder((8, 9, 1), filters=float("nan")), "filters=nan"),
        (lambda: networks.vae_decoder((8, 9, 1), latent_dim=float("inf")), "latent_dim=inf"),
        (lambda: networks.vae_decoder((8, 9, 1), variance="all"), "None, .one. or .each."),
        (
            lambda: networks.dense_vae_encoder((8, 9, 1), units=300),
            "units of each.*units=300",
        ),
        (lambda: networks.dense_vae_decoder((8, 9, 1), units=(8, 0)), "`units` .* units=0"),
        (lambda: networks.FlowPrior(1), "`latent_dim` must be .*One half changes the other"),
        (lambda: networks.FlowPrior(2, num_layers=1), "num_layers=1"),
    ],
)
def test_sizes_are_explained(build, advice):
    with pytest.raises(ValueError, match=advice):
        build()


def sequence_outputs(causal, change):
    """Return outputs for a sequence of five frames, before and after changing some of them."""
    model = randomised(networks.conv_lstm((13, 9, 1), filters=2, causal=causal))
    frames = np.random.default_rng(2).random((1, 5, 13, 9, 1), "float32")
    changed = frames.copy()
    changed[:, change] = 1.0 - changed[:, change]
    (before,), (after,) = outputs_of(model, frames), outputs_of(model, changed)
    return np.abs(after - before).max(axis=(0, 2, 3, 4))


def test_a_causal_network_does_not_look_ahead():
    moved = sequence_outputs(causal=True, change=slice(3, None))
    np.testing.assert_array_equal(moved[:3], 0.0)
    assert np.all(moved[3:] > 0)


def test_a_causal_network_remembers():
    assert np.all(sequence_outputs(causal=True, change=slice(0, 1)) > 0)


def test_by_default_every_frame_sees_past_and_future():
    for change in (slice(0, 1), slice(4, None)):
        assert np.all(sequence_outputs(causal=False, change=change) > 0)


@pytest.mark.parametrize("causal", [False, True])
def test_sequences_of_any_length(causal):
    model = networks.conv_lstm((13, 9, 1), filters=2, causal=causal)
    for length in (1, 2, 7):
        frames = np.zeros((2, length, 13, 9, 1), "float32")
        assert outputs_of(model, frames)[0].shape == frames.shape


def test_a_causal_network_can_be_fed_frame_by_frame():
    model = randomised(networks.conv_lstm((13, 9, 1), filters=2, causal=True))
    frames = inputs_of("conv_lstm", (13, 9, 1), count=1)
    (whole,) = outputs_of(model, frames)
    for length in (1, 2, 3):
        (part,) = outputs_of(model, frames[:, :length])
        np.testing.assert_allclose(part, whole[:, :length], atol=5e-6)  # other sums of 32 bits


# Labels

PAIRS = {
    "dcgan": (networks.dcgan_generator, networks.dcgan_discriminator),
    "resnet": (networks.resnet_generator, networks.resnet_discriminator),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_without_classes_a_network_takes_one_input(pair):
    for build in PAIRS[pair]:
        assert len(build((8, 9, 1), filters=2).inputs) == 1
        assert [i.shape[1:] for i in build((8, 9, 1), filters=2, num_classes=5).inputs][1] == (5,)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_generator_draws_each_class_from_latents_of_its_own(pair):
    model = randomised(PAIRS[pair][0]((8, 9, 1), latent_dim=4, filters=2, num_classes=3))
    latents, rows = np.zeros((3, 4), "float32"), np.eye(3, dtype="float32")
    pictures = outputs_of(model, [latents, rows])[0]
    assert min(np.abs(pictures[i] - pictures[i - 1]).max() for i in range(3)) > 1e-4
    # A tenth as long as the latents: as long as they, each class would have one picture only.
    fresh = PAIRS[pair][0]((8, 9, 1), latent_dim=4000, filters=1, num_classes=3)
    lengths = np.linalg.norm(fresh.get_layer("class_latents").kernel, axis=1)
    np.testing.assert_allclose(lengths, 0.1 * np.sqrt(4000), rtol=0.05)  # 4.5 standard errors


@pytest.mark.parametrize("pair", PAIRS)
def test_a_conditional_score_is_a_projection(pair):
    # Miyato and Koyama 2018, equation 5: the score of the picture, plus its features along the
    # direction of the class.
    model = randomised(PAIRS[pair][1]((8, 9, 1), filters=2, num_classes=3))
    pictures = np.random.default_rng(0).random((3, 8, 9, 1), "float32")
    [directions] = [  # in its normalisation, or as it is
        layer
        for layer in model.layers
        if "class_directions" in (layer.name, getattr(getattr(layer, "layer", None), "name", ""))
    ]
    direction_of = keras.Model(model.inputs, directions.output)
    features_of = keras.Model(model.inputs, model.get_layer("features").output)
    rows = np.eye(3, dtype="float32")
    found = outputs_of(model, [pictures, rows])[0] - outputs_of(model, [pictures, 0 * rows])[0]
    features = outputs_of(features_of, [pictures, rows])[0]
    expected = np.sum(
        features * outputs_of(direction_of, [pictures, rows])[0], axis=1, keepdims=True
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_whole_numbers_of_classes_may_be_floats():
    for build in (*PAIRS["dcgan"], *PAIRS["resnet"]):
        assert build((8, 8, 1), filters=2, num_classes=2.0).inputs[1].shape == (None, 2)


@pytest.mark.parametrize("wrong", [-1, 2.5, "ten", None])
def test_wrong_numbers_of_classes_are_explained(wrong):
    for build in (*PAIRS["dcgan"], *PAIRS["resnet"]):
        with pytest.raises(ValueError, match="`num_classes` must be .* It counts the classes"):
            build((8, 8, 1), filters=2, num_classes=wrong)


# Spectral normalisation


@pytest.mark.parametrize("pair", PAIRS)
def test_spectral_normalisation_bounds_every_layer(pair):
    rng = np.random.default_rng(0)
    model = PAIRS[pair][1]((16, 17, 1), filters=4, num_classes=3, spectral_norm=True)
    inputs = [np.zeros((2, 16, 17, 1), "float32"), np.eye(3, dtype="float32")[:2]]
    for _ in range(30):  # one step of the power iteration each
        model(inputs, training=True)
    normed = [x for x in model.layers if isinstance(x, SpectralNormalization)]
    assert len(normed) >= 4
    for layer in normed:
        kernel = layer.layer.kernel.numpy()
        largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        assert largest != pytest.approx(1.0, abs=0.02)  # it stays what it was
        seen = rng.random((3, *layer.input.shape[1:])).astype("float32")
        answer = layer(seen).numpy()
        layer.layer.kernel.assign(kernel / largest)
        np.testing.assert_allclose(
            answer, layer.layer(seen), rtol=0, atol=0.02 * np.abs(answer).max()
        )
        layer.layer.kernel.assign(7.0 * kernel)
        np.testing.assert_allclose(layer(seen), answer, rtol=1e-4, atol=1e-5)
    plain = PAIRS[pair][1]((16, 17, 1), filters=4, spectral_norm=False)
    assert not any(isinstance(x, SpectralNormalization) for x in plain.layers)
