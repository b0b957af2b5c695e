"""How far a network sees: derived from its layers, or measured on pictures."""

import keras
import numpy as np
import pytest
from many_networks import NETWORKS, OF_HOLES, STRANGE, positive, strange

from keras_imgen import networks
from keras_imgen.inference import UnknownLayerError, View, derived, measured
from keras_imgen.inference.measured import GRID


def seen_from(network, grid):
    """Return how far the picture changes around a changed pixel, at every place of the grid."""
    farthest, size = 0, 192
    for place in range(96, 96 + grid):
        picture = np.full((1, size, size, 1), 0.5, "float32")
        changed = picture.copy()
        changed[0, place, place] = 1.0
        before, after = (np.asarray(network(x))[0, ..., 0] for x in (picture, changed))
        moved = np.argwhere(before != after)
        farthest = max(farthest, np.abs(moved - place).max())
    return farthest


@pytest.mark.parametrize("name", NETWORKS)
def test_the_view_is_as_far_as_a_changed_pixel_is_seen(name):
    network = NETWORKS[name]()
    view = derived(network)
    assert view.grid == {"dncnn": 1, "dncnn of blocks": 2, "drunet": 8}.get(name, 4)
    assert view.reach == {"dncnn": 5, "dncnn of blocks": 9}.get(name, view.reach)
    # What is far away counts little, and is lost in rounding: a pixel is seen a little less far.
    seen = seen_from(positive(network), view.grid)
    assert 0.6 * view.reach <= seen <= view.reach


def test_the_view_of_a_wide_network_that_is_told_a_level():
    # 2, 4 and 8 pixels a place on its three levels: head and tail see 2 places more on the finest,
    # four or eight 3 x 3 convolutions as many on each, and a place of the last one is 8 pixels.
    network = networks.drunet(extra_channels=1, filters=(64, 96, 128), num_blocks=2, block_size=2)
    assert derived(network) == View(2 * (2 + 8) + 4 * 8 + 8 * 4 + 7, 8)


@pytest.mark.parametrize(
    "build", [*NETWORKS.values(), *OF_HOLES.values()], ids=[*NETWORKS, *OF_HOLES]
)
def test_the_view_does_not_depend_on_precision(build):
    expected = derived(build(extra_channels=1))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = build(extra_channels=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert derived(half) == expected


def test_deriving_leaves_the_network_alone():
    network = networks.unet(depth=2, filters=2)
    before = network.get_config()
    derived(network)
    assert network.get_config() == before
    assert not any(
        layer._outbound_nodes[1:] for layer in network.layers if layer.name == "restored"
    )


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_derived_is_what_is_measured(name):
    network = positive(strange(name))
    found = measured(network, np.random.default_rng(0).random((1, 60, 70, 1), "float32"))
    assert (found is not None) == (STRANGE[name].cut and name not in ("stride of 3",))
    try:
        view = derived(network)
    except UnknownLayerError:
        assert "custom" in name or "own" in name or "operation" in name
        return
    assert (view is not None) == STRANGE[name].cut
    if found:
        assert view.reach <= found.reach
        assert GRID % view.grid == 0


def test_the_views_of_layers_worked_out_by_hand():
    def view(*layers):
        return derived(keras.Sequential([keras.Input((None, None, 1)), *layers]))

    conv, pool, up = keras.layers.Conv2D, keras.layers.MaxPooling2D, keras.layers.UpSampling2D
    assert view(conv(1, 3, padding="same"), conv(1, 5, padding="same")) == View(3, 1)
    assert view(conv(1, (1, 9), padding="same", dilation_rate=2)) == View(8, 1)
    assert view(conv(1, 4, padding="same")) == View(2, 1)  # one before, two behind
    assert view(pool(4), up(4)) == View(3, 4)
    assert view(pool(2), conv(1, 3, padding="same"), up(2)) == View(3, 2)
    assert view(up(2), pool(2)) == View(0, 1)
    assert view(keras.layers.GlobalAveragePooling2D(keepdims=True)) is None
    assert view(conv(1, 3, padding="same", dilation_rate=4000)) is None  # farther than one looks


def test_a_subclass_of_a_known_layer_is_not_known():
    class Normalised(keras.layers.Conv2D):
        def call(self, x):
            return super().call(x - keras.ops.mean(x))

    network = keras.Sequential([keras.Input((None, None, 1)), Normalised(1, 3, padding="same")])
    with pytest.raises(UnknownLayerError, match="Normalised"):
        derived(network)
