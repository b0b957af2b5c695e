"""The command as tests run it: on a few small pictures, in steps that nobody compiles."""

import numpy as np

from keras_imgen import cli, load, load_moving_digits
from keras_imgen.data import PictureDataset


def small_sets(args, recipe):
    """Stand in for `load_data`: a few small pictures, so that a training takes a second."""
    if recipe.data == "moving_digits":
        data = load_moving_digits(
            num_sequences=6, num_frames=5, size=28, batch_size=3, seed=args.seed
        )
        return data, load_moving_digits("test", num_sequences=3, num_frames=5, size=28)
    name = recipe.data
    pictures = [p[:24, :24] for p in load(name).pictures[:6]]
    options = {"batch_size": 3, "seed": args.seed}
    if name == "photos":
        options |= {"crop_size": (16, 16), "crops": 2}
    else:
        pictures = np.stack(pictures)
    return (
        PictureDataset(pictures, **options),
        PictureDataset(pictures[:3], shuffle=False, **options),
    )


def contents(folder):
    """Return every file of a folder and what is in it."""
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def run(*argv):
    """Run the command and return its exit status."""
    return cli.main([str(arg) for arg in argv])


def fail(error):
    """Return a function that raises."""

    def raise_it(*args, **kwargs):
        raise error

    return raise_it
