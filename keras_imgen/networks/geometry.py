"""Shapes of networks: checks, the sides of each stage, and the way up to a whole picture."""

import math

from keras import layers

from keras_imgen.checks import shown, whole_number


def check_shape(image_shape, *, any_size: bool) -> tuple:
    """Return `image_shape` as a tuple, or say what is wrong with it."""
    shape = tuple(image_shape) if hasattr(image_shape, "__iter__") else ()
    sides_ok = len(shape) == 3 and all(
        (side is None and any_size) or (isinstance(side, int) and side > 0) for side in shape[:2]
    )
    if not sides_ok or not isinstance(shape[2], int) or shape[2] < 1:
        example = "(28, 28, 1) or (None, None, 3)" if any_size else "(28, 28, 1)"
        raise ValueError(
            "`image_shape` must be (height, width, channels) of one picture, for example "
            f"{example}. Received: image_shape={shown(image_shape)}."
        )
    return shape


def check_generated(image_shape) -> tuple:
    """Return the shape of pictures that are generated, or say what is wrong with it."""
    image_shape = check_shape(image_shape, any_size=False)
    if min(image_shape[:2]) < 8:
        raise ValueError(
            "This network needs pictures of at least 8 x 8 pixels. "
            f"Received: image_shape={image_shape}. Enlarge the pictures, or build your own network."
        )
    return image_shape


def check_levels(sizes, example: tuple, name: str = "filters") -> list[int]:
    """Return the sizes of a network's levels, one after the other, or say what is wrong."""
    what = {"filters": "feature maps of each level", "units": "units of each layer"}[name]
    if not hasattr(sizes, "__iter__") or isinstance(sizes, str) or not len(sizes):
        raise ValueError(
            f"`{name}` must be the {what}, such as {example}. Received: {name}={shown(sizes)}."
        )
    return [whole_number(name, size, 1) for size in sizes]


def check_classes(num_classes) -> int:
    """Return a number of classes, or say what is wrong with it."""
    return whole_number("num_classes", num_classes, 0, "It counts the classes; 0 is for none.")


def check_latent_dim(latent_dim) -> int:
    """Return a number of latent variables, or say what is wrong with it."""
    return whole_number("latent_dim", latent_dim, 1, "It is the number of latent variables.")


def halvings(image_shape) -> list[tuple[int, int]]:
    """Return the sides after 0, 1, 2, ... halvings, rounded up, until the shorter is below 6."""
    sides = [tuple(image_shape[:2])]
    while min(sides[-1]) >= 6:
        sides.append(tuple(math.ceil(side / 2) for side in sides[-1]))
    return sides


def grow(
    x,
    sides,
    filters: int,
    channels: int,
    *,
    batch_norm: bool,
    activation="sigmoid",
    name=None,
    between=None,
):
    """Double a small stack of feature maps stage by stage up to the picture's own size.

    Args:
        x: the stack.
        sides: what `halvings` returned.
        filters: feature maps of the last stage before the picture.
        channels: of the picture.
        batch_norm: whether all stages but the last are normalised.
        activation: of the last stage.
        name: of its layer.
        between: function of features that follows each stage but the last; by default a ReLU.
    """
    for stage in reversed(range(len(sides) - 1)):
        last = stage == 0
        width = channels if last else filters * 2 ** (stage - 1)
        # A kernel of 4 with stride 2 covers every output pixel equally often: no checkerboard.
        x = layers.Conv2DTranspose(
            width,
            4,
            strides=2,
            padding="same",
            use_bias=last or not batch_norm,
            activation=activation if last else None,
            dtype="float32" if last else None,
        )(x)
        height, width = sides[stage]
        extra = ((0, x.shape[1] - height), (0, x.shape[2] - width))
        options = {"dtype": "float32", "name": name} if last else {}
        x = layers.Cropping2D(extra, **options)(x)
        if not last:
            x = layers.BatchNormalization()(x) if batch_norm else x
            x = layers.ReLU()(x) if between is None else between(x)
    return x
