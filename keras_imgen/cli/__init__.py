"""The command `keras-imgen`: reads arguments, and turns errors into one sentence."""

import argparse
import importlib
import os
import sys

from keras_imgen import __version__

FAMILIES = ("gan", "vae", "denoise", "inpaint", "sequence")


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 2 for a wrong argument, 1 for a failed run."""
    args = _parser().parse_args(argv)
    try:
        command = _import_quietly(f"keras_imgen.cli.{args.module}")
        return getattr(command, args.function)(args) or 0
    except KeyboardInterrupt:
        print("\nkeras-imgen: interrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        wrong_argument = ValueError | TypeError | FileNotFoundError | FileExistsError
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"keras-imgen: {reason}", file=sys.stderr)
        return 2 if isinstance(error, wrong_argument) else 1


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-imgen",
        description="Train, sample and restore with GAN, VAE, convolutional and ConvLSTM networks.",
    )
    parser.add_argument("--version", action="version", version=f"keras-imgen {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, module, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        sub.set_defaults(module=module, function=name)
        return sub

    demo = command("demo", "demo", "Train all five models on embedded pictures, a few minutes.")
    demo.add_argument("--out", default="runs/demo", help="folder of the results [%(default)s]")
    demo.add_argument("--seed", type=_count(0), default=0, help="random seed [%(default)s]")
    demo.add_argument("--epochs", type=_count(1), help="epochs of each model [as fits 5 minutes]")

    train = command("train", "runs", "Train one model on your pictures or on a set by name.")
    train.add_argument("family", choices=FAMILIES, help="what to train")
    train.add_argument("--data", help="embedded set, TFDS name or folder [the family's own]")
    train.add_argument(
        "--size", type=_count(8), help="side of the pictures in pixels [as they are]"
    )
    train.add_argument("--crops", type=_count(0), help="random crops per picture; 0 resizes")
    train.add_argument("--channels", type=int, choices=(1, 3), help="1 grey, 3 colour")
    train.add_argument("--epochs", type=_count(1), help="epochs [the family's own]")
    train.add_argument("--batch-size", type=_count(1), help="pictures per batch [the family's own]")
    train.add_argument("--seed", type=_count(0), default=0, help="random seed [%(default)s]")
    train.add_argument("--out", help="folder of the results [runs/FAMILY]")

    sample = command("sample", "apply", "Draw new pictures with a trained GAN or VAE.")
    sample.add_argument("model", help="the .keras file")
    sample.add_argument("-n", type=_count(1), default=64, help="number of pictures [%(default)s]")
    sample.add_argument("--seed", type=_count(0), help="random seed [another one every time]")
    sample.add_argument("--scale", type=_count(1), default=2, help="enlargement [%(default)s]")
    sample.add_argument("--out", default="samples.png", help="PNG file [%(default)s]")

    restore = command("restore", "apply", "Restore pictures of any size with a trained model.")
    restore.add_argument("model", help="the .keras file")
    restore.add_argument("pictures", nargs="+", help="PNG or JPEG files, or folders of them")
    restore.add_argument("--mask", help="picture that is white where pixels are missing")
    restore.add_argument(
        "--degrade", action="store_true", help="spoil the pictures first, as in training"
    )
    restore.add_argument("--out", default="restored", help="folder of the results [%(default)s]")

    notebooks = command("tutorials", "tutorials", "Copy the tutorials' notebooks into a folder.")
    notebooks.add_argument("folder", help="where to; made if it is missing")
    notebooks.add_argument(
        "--solutions", action="store_true", help="the teacher's copies, exercises solved"
    )

    command("doctor", "doctor", "Show versions, devices and what can be reached.")
    return parser


def _count(least: int):
    """Return a converter to whole numbers that are at least `least`."""

    def convert(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {value}")
        return value

    convert.__name__ = "whole number"
    return convert


def _import_quietly(name: str):
    """Import a module without the notices that TensorFlow's C++ part prints while it loads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            return importlib.import_module(name)
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
