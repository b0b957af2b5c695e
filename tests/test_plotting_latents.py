"""Pictures of latents: what is drawn is what the model answers, each at its place."""

from statistics import NormalDist

import keras
import numpy as np
import pytest

from keras_imgen import GAN, VAE, networks
from keras_imgen.data import to_uint8
from keras_imgen.inference import on_arc, on_line
from keras_imgen.metrics import psnr
from keras_imgen.plotting import (
    image_grid,
    plot_interpolations,
    plot_latent_map,
    plot_manifold,
    plot_reconstructions,
    plot_traversals,
)
from keras_imgen.plotting.figures import figure_pixels

SHAPE = (8, 11, 1)
PICTURES = np.random.default_rng(0).random((6, *SHAPE), "float32")
LABELS = [2, 0, 1, 1, 0, 2]


def make(latent_dim=2, num_classes=0, channels=1):
    keras.utils.set_random_seed(0)
    shape, sizes = (*SHAPE[:2], channels), {"units": (6,), "num_classes": num_classes}
    encoder = networks.dense_vae_encoder(shape, latent_dim, **sizes)
    vae = VAE(encoder, networks.dense_vae_decoder(shape, latent_dim, **sizes), seed=0)
    vae.compile()
    return vae


def gan():
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2)
    return GAN(generator, networks.dcgan_discriminator(SHAPE, filters=2))


@pytest.fixture(autouse=True)
def no_state_of_pyplot():
    """Fail if a function opens a figure of pyplot's."""
    import matplotlib.pyplot as plt

    yield
    assert plt.get_fignums() == []


def shown(ax):
    """Return the pixels that axes show, and their grid in 8 bits as it should be."""
    return ax.images[0].get_array()


def as_shown(grid):
    return to_uint8(grid).repeat(3 // grid.shape[-1], axis=-1)


def texts(labels):
    return [label.get_text() for label in labels]


# The plane


@pytest.mark.parametrize("build", [make, gan, lambda: make(num_classes=3)])
def test_each_place_of_the_plane_is_an_equal_share_of_the_prior(build):
    model = build()
    label = 1 if model.num_classes else None
    ax = plot_manifold(model, n=3, label=label).axes[0]
    third = NormalDist().inv_cdf(1 / 6)  # the middle of the first of three equal shares
    places = [(x, y) for y in (-third, 0.0, third) for x in (third, 0.0, -third)]
    labels = [np.ones(9, int)] * (label is not None)
    drawn = np.asarray(model.predict_latents(np.array(places, "float32"), *labels))
    np.testing.assert_array_equal(shown(ax), as_shown(image_grid(drawn, 3, padding=0)))


def test_the_plane_is_marked_where_its_latents_are():
    ax = plot_manifold(make(), n=4).axes[0]
    assert (
        texts(ax.get_xticklabels())
        == texts(ax.get_yticklabels())
        == ["-1", "-0.5", "0", "0.5", "1"]
    )
    width, height = 4 * SHAPE[1], 4 * SHAPE[0]
    assert ax.get_xticks()[2] == pytest.approx(width / 2 - 0.5)  # 0 is in the middle
    assert ax.get_xticks()[4] == pytest.approx(NormalDist().cdf(1.0) * width - 0.5)
    assert ax.get_yticks()[4] == pytest.approx(NormalDist().cdf(-1.0) * height - 0.5)  # upwards


def test_a_learned_prior_makes_the_plane():
    encoder = networks.dense_vae_encoder(SHAPE, 2, (6,))
    prior = networks.FlowPrior(2, num_layers=2, units=4)
    for network in prior.networks:
        network.weights[-1].assign(keras.ops.ones((2,)))  # it shifts and stretches all
    vae = VAE(encoder, networks.dense_vae_decoder(SHAPE, 2, (6,)), prior, ema_momentum=0.0)
    ax = plot_manifold(vae, n=2).axes[0]
    quarter = NormalDist().inv_cdf(0.25)
    normal = np.array([(x, y) for y in (-quarter, quarter) for x in (quarter, -quarter)])
    drawn = vae.decode(np.asarray(prior(normal)))
    np.testing.assert_array_equal(shown(ax), as_shown(image_grid(drawn, 2, padding=0)))
    assert ax.get_xlabel() == "first normal number"


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_more_or_fewer_latents_are_no_plane(latent_dim):
    advice = f"with two latents. Received: a model of {latent_dim}. For more latents take plot_trav"
    with pytest.raises(ValueError, match=advice):
        plot_manifold(make(latent_dim))


# Walks


@pytest.mark.parametrize("num_classes", [0, 3])
def test_of_each_latent_a_walk_is_drawn_the_most_active_first(num_classes):
    vae = make(3, num_classes)
    labels = LABELS if num_classes else None
    ax = plot_traversals(vae, PICTURES, labels, rows=2, columns=3).axes[0]
    mean, log_variance = vae.encode(PICTURES, labels)
    activity = mean.var(axis=0)
    order = np.argsort(-activity)[:2]
    walks = []
    for latent in order:
        spread = np.sqrt(np.var(mean[:, latent]) + np.exp(log_variance[:, latent]).mean())
        for step in (-2.0, 0.0, 2.0):
            walks.append(mean[0].copy())
            walks[-1][latent] = mean[:, latent].mean() + step * spread
    drawn = vae.decode(np.stack(walks), 2 if num_classes else None)
    np.testing.assert_allclose(shown(ax), as_shown(image_grid(drawn, 3)), atol=1)
    marks = [f"latent {i}, activity {activity[i]:.2f}" for i in order]
    assert texts(ax.get_yticklabels()) == marks
    np.testing.assert_allclose(ax.get_yticks(), [3.5, 13.5])  # the middles of 8 rows, 2 between
    np.testing.assert_allclose(ax.get_xticks(), [5, 11.5, 18, 24.5, 31])


def test_a_walk_needs_pictures_to_compare():
    with pytest.raises(ValueError, match=r"Received: one picture. Pass a hundred or more"):
        plot_traversals(make(), PICTURES[:1])


# Ways and pairs


@pytest.mark.parametrize(("along", "between"), [("arc", on_arc), ("line", on_line)])
def test_ways_lead_from_one_picture_to_the_other(along, between):
    vae = make(3)
    figure = plot_interpolations(vae, PICTURES[:2], PICTURES[2:4], steps=4, along=along)
    first, way, second = figure.axes
    np.testing.assert_array_equal(shown(first), as_shown(image_grid(PICTURES[:2], 1)))
    np.testing.assert_array_equal(shown(second), as_shown(image_grid(PICTURES[2:4], 1)))
    starts, ends = (vae.encode(x)[0] for x in (PICTURES[:2], PICTURES[2:4]))
    latents = [between(start, end, 4) for start, end in zip(starts, ends, strict=True)]
    expected = as_shown(image_grid(vae.decode(np.concatenate(latents)), 4))
    np.testing.assert_allclose(shown(way), expected, atol=1)
    assert way.get_title() == f"the way, on the {along}"


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_stand_above_their_reconstructions(channels):
    vae = make(channels=channels)
    pictures = np.random.default_rng(0).random((3, *SHAPE[:2], channels), "float32")
    figure = plot_reconstructions(vae, pictures, columns=2)
    again = vae.reconstruct(pictures)
    assert len(figure.axes) == 4
    for ax, picture, reconstruction in zip(figure.axes, pictures, again, strict=False):
        pair = image_grid(np.stack([picture, reconstruction]), 1)
        np.testing.assert_array_equal(shown(ax), as_shown(pair))
        value = float(psnr(picture[None], reconstruction[None])[0])
        assert ax.get_title() == f"{value:.1f} dB"
    assert not figure.axes[3].images


def test_conditional_models_are_told_the_labels():
    vae = make(num_classes=3)
    ax = plot_reconstructions(vae, PICTURES, LABELS).axes[1]
    pair = np.stack([PICTURES[1], vae.reconstruct(PICTURES, LABELS)[1]])
    np.testing.assert_array_equal(shown(ax), as_shown(image_grid(pair, 1)))
    ends = {"labels": LABELS[:2], "second_labels": LABELS[2:4]}
    way = plot_interpolations(vae, PICTURES[:2], PICTURES[2:4], steps=4, **ends).axes[1]
    drawn = vae.interpolate(PICTURES[:2], PICTURES[2:4], 4, **ends).reshape(-1, *SHAPE)
    np.testing.assert_array_equal(shown(way), as_shown(image_grid(drawn, 4)))
    with pytest.raises(ValueError, match="needs a label for each picture"):
        plot_reconstructions(vae, PICTURES)


# Maps


@pytest.mark.parametrize("num_classes", [0, 3])
def test_the_map_shows_where_pictures_lie_in_the_colour_of_their_class(num_classes):
    vae = make(num_classes=num_classes)
    ax = plot_latent_map(vae, PICTURES, LABELS)
    points, *legend = ax.collections
    mean = vae.encode(PICTURES, LABELS if num_classes else None)[0]
    np.testing.assert_allclose(points.get_offsets(), mean, rtol=1e-6)
    colours = points.get_facecolors()[:, :3]
    by_class = {int(entry.get_label()): entry.get_facecolors()[0, :3] for entry in legend}
    assert list(by_class) == [0, 1, 2]
    np.testing.assert_allclose(colours, [by_class[label] for label in LABELS])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("first latent", "second latent")


def test_of_more_latents_the_map_shows_where_they_differ_most():
    vae = make(5)
    mean = vae.encode(PICTURES)[0].astype("float64")
    ax = plot_latent_map(vae, PICTURES, LABELS)
    points = np.asarray(ax.collections[0].get_offsets())
    centred = mean - mean.mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:2].T
    signs = np.sign(np.sum(points * expected, axis=0))
    np.testing.assert_allclose(points, signs * expected, rtol=1e-4, atol=1e-6)
    shares = lengths**2 / np.sum(lengths**2)
    assert ax.get_xlabel() == f"first principal component ({shares[0]:.0%} of the variance)"
    assert ax.get_ylabel() == f"second principal component ({shares[1]:.0%} of the variance)"


def test_a_map_of_one_picture_or_of_a_collapsed_model_is_drawn():
    plot_latent_map(make(3), PICTURES[:1], [7])
    vae = make(3)
    vae.encode = lambda pictures, labels=None: (np.zeros((len(pictures), 3)), None)
    assert "(0% of the variance)" in plot_latent_map(vae, PICTURES, LABELS).get_xlabel()


def test_given_axes_are_drawn_into():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert plot_latent_map(make(), PICTURES, LABELS, ax=ax) is ax


def test_what_no_map_can_show_is_refused():
    with pytest.raises(ValueError, match="Received: a model of 1. Build encoder and decoder with"):
        plot_latent_map(make(1), PICTURES, LABELS)
    with pytest.raises(ValueError, match="at most 20 of them. Received: 21 different ones"):
        plot_latent_map(make(), np.repeat(PICTURES[:1], 21, axis=0), range(21))
    with pytest.raises(ValueError, match="`labels` must be whole numbers, 6 of them"):
        plot_latent_map(make(), PICTURES, LABELS[:3])


# All of them

DRAWN = {
    "plot_manifold": lambda model: plot_manifold(model, n=3),
    "plot_traversals": lambda model: plot_traversals(model, PICTURES),
    "plot_interpolations": lambda model: plot_interpolations(model, PICTURES[:3], PICTURES[3:]),
    "plot_reconstructions": lambda model: plot_reconstructions(model, PICTURES),
    "plot_latent_map": lambda model: plot_latent_map(model, PICTURES, LABELS),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_notebook_shows_them_and_nothing_is_cut_off(name):
    drawn = DRAWN[name](make())
    assert drawn._repr_png_().startswith(b"\x89PNG")
    pixels = figure_pixels(drawn.figure).astype(int)
    edges = np.concatenate([pixels[[0, -1]].reshape(-1, 3), pixels[:, [0, -1]].reshape(-1, 3)])
    assert np.all(edges == 255)


@pytest.mark.parametrize("name", DRAWN)
def test_other_models_are_refused(name):
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(TypeError, match=rf"{name} draws a VAE.*Received: a Sequential"):
        DRAWN[name](other)
