"""What is refused at once, before Keras is imported, which takes seconds."""

import os
from pathlib import Path

from keras_imgen import checks
from keras_imgen.cli.command import READY
from keras_imgen.cli.inputs import check_there, existing, find, split_off_collisions


def check(args) -> None:
    """Raise for arguments that can be seen to be wrong without a model or a picture.

    Raises:
        ValueError, FileNotFoundError, FileExistsError: with what to do.
    """
    if args.function in CHECKS:
        CHECKS[args.function](args)


def _train(args):
    for option, value, families in (
        ("labels", args.labels, ("gan", "vae", "diffusion")),
        ("binarize", args.binarize, ("vae",)),
        ("sigma", args.sigma, ("denoise",)),
        ("frames", args.frames, ("sequence",)),
    ):
        if value is not None and args.family not in families:
            *others, last = families
            wanted = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(
                f"--{option} is for `train {wanted}`. Received: it for `train {args.family}`. "
                "Leave it out."
            )
    if args.start is not None:
        checks.model_file(args.start)
    _hosts(args)
    _folder(args.out)


def _hosts(args):
    if (args.hosts is None) != (args.host is None):
        given, missing = ("hosts", "host") if args.host is None else ("host", "hosts")
        raise ValueError(
            f"--hosts says where the processes of a training run, and --host which one this is, "
            f"from 0. Received: --{given} without --{missing}. Pass both, or neither."
        )
    if args.hosts is not None and args.host >= len(args.hosts):
        raise ValueError(
            f"--host is the number of one of the {len(args.hosts)} --hosts, from 0 to "
            f"{len(args.hosts) - 1}. Received: --host {args.host}."
        )


def _demo(args):
    _folder(args.out)


def _sample(args):
    path = Path(args.out)
    if path.suffix.lower() != ".png":
        raise ValueError(
            f"The pictures are written as one PNG file. Received: --out {args.out}. Pass a name "
            "that ends in .png."
        )
    if os.path.lexists(path):
        raise existing(path)
    checks.model_file(args.model)


def _restore(args):
    check_there(args.pictures)
    if not any(map(os.path.isdir, args.pictures)):  # folders are looked into later
        kept, _ = split_off_collisions(find(args.pictures)[0], Path(args.out))
        if all(os.path.lexists(target) for _, target in kept):
            raise existing(*(target for _, target in kept))
    _model(args.model)
    if args.mask is not None and not os.path.lexists(args.mask):
        raise FileNotFoundError(
            f"The mask {args.mask!r} cannot be read as a picture: it does not exist."
        )


def _evaluate(args):
    if args.model in READY:
        check_there([args.data])
    _model(args.model)


def _model(name):
    """Raise unless this may be a model that ships with the package, or one in a file."""
    if name in READY:
        return
    if not name.endswith(".keras") and not os.path.lexists(name):
        raise FileNotFoundError(
            f"There is no model {name!r}. Pass a .keras file, or {', '.join(READY)}."
        )
    checks.model_file(name)


def _folder(out):
    if out is not None and os.path.isfile(out):
        raise FileExistsError(f"{out!r} is a file. Pass a folder as --out.")


CHECKS = {
    "train": _train,
    "demo": _demo,
    "sample": _sample,
    "restore": _restore,
    "evaluate": _evaluate,
}
