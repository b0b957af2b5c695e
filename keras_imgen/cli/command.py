"""Reads the arguments of `keras-imgen`, and turns errors into one sentence."""

import argparse
import contextlib
import errno
import importlib
import importlib.util
import logging
import os
import re
import sys
import warnings
from pathlib import Path

from keras_imgen import __version__
from keras_imgen.cli import options, ranges
from keras_imgen.interrupts import deferred
from keras_imgen.processor import choose_convolutions

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
FAMILIES = ("gan", "vae", "diffusion", "denoise", "inpaint", "sequence")

# What `load_pretrained` knows.
READY = ("denoiser-gray", "denoiser-color", "inpainter", "film-gray")
RESTORER = f"{', '.join(READY)}, or a .keras file"
SELF_ENSEMBLE = "restore each picture in eight positions: a little better, eight times as slow"

SEED = {
    "type": options.count(0, options.MAX_SEED),
    "default": 0,
    "help": "random seed [%(default)s]",
}

# What to do when the operating system refuses a path, by the name of its error.
ADVICE = {
    "ENOSPC": "Free some space, then give the same command again.",
    "EDQUOT": "Free some space, then give the same command again.",
    "EACCES": "Pass another path, or get the right to use this one.",
    "EPERM": "Pass another path, or get the right to use this one.",
    "EROFS": "Pass a path on another disk.",
    "ENAMETOOLONG": "Pass a shorter name.",
    "ENOTDIR": "A part of this path is a file: pass another one.",
    "EISDIR": "This is a folder: pass a file.",
    "EEXIST": "Something else is there: pass another path.",
    "ENOENT": "It is not there and cannot be made: pass another path.",
    "ELOOP": "A link leads back to itself: pass another path.",
}
FAILED = ("ENOSPC", "EDQUOT", "EIO")  # a failed run; with the other errors, an argument was wrong
WRONG_ARGUMENT = (
    ValueError,
    TypeError,
    FileExistsError,
    FileNotFoundError,
    NotADirectoryError,
    PermissionError,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 2 for a wrong argument, 1 for a failed run."""
    if hasattr(sys.stdout, "reconfigure"):  # a file's name may hold what cannot be printed
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = _parser()
    args = parser.parse_args(argv)
    if not hasattr(args, "module"):
        parser.print_help(sys.stderr)
        return 2
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *where: complain(f"warning: {message}")
        return _run(args)


def _run(args):
    try:
        if hasattr(args, "out"):
            _check_writable(Path(args.out or "runs"))
        from keras_imgen.cli import early  # and NumPy, which the help does without

        early.check(args)
        if args.function in ("train", "demo"):  # of a single picture the others are quicker
            choose_convolutions()
        with deferred() as check_interrupt:  # TensorFlow, while it loads, makes an error of it
            command = _import_quietly(f"keras_imgen.cli.{args.module}")
        check_interrupt()
        for name in ("tensorflow", "absl"):  # notices for those who write networks
            logging.getLogger(name).setLevel(logging.ERROR)
        status = getattr(command, args.function)(args) or 0
        sys.stdout.flush()
        return status
    except KeyboardInterrupt as error:
        goes_on = args.function in ("train", "demo")
        print(file=sys.stderr)  # behind what was being printed
        complain(str(error) or "interrupted." + " The same command goes on from here." * goes_on)
        return 130
    except BrokenPipeError:  # whoever read what is printed has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush
        return 1
    except Exception as error:
        if args.debug:
            raise
        sentence, status = _explain(error, getattr(args, "out", None))
        complain(sentence)
        return status


def _explain(error, out):
    """Return what an error says to people, and the exit status."""
    if isinstance(error, OSError) and error.strerror:  # the operating system's own
        name = errno.errorcode.get(error.errno, "")
        path = str(error.filename2 or error.filename or out)
        path = re.sub(r"\.unfinished-\d+-", "", path)  # as `write_whole` calls what it is writing
        advice = ADVICE.get(name, "Look after its cause, then give the same command again.")
        return f"{path!r} cannot be used: {error.strerror}. {advice}", 1 if name in FAILED else 2
    if isinstance(error, ModuleNotFoundError) and error.name in BACKENDS:
        there = next(filter(importlib.util.find_spec, BACKENDS), None)
        instead = f", or set KERAS_BACKEND={there}: that one is" if there else ""
        return f"Keras computes by {error.name}, which is not installed. Install it{instead}.", 1
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "there is not enough memory. Pass fewer or smaller pictures or batches.", 1
    return str(error) or type(error).__name__, 2 if isinstance(error, WRONG_ARGUMENT) else 1


def complain(text):
    """Print one line on stderr; what it says of a function's arguments, it says of options."""
    text = re.sub(
        r"`?\b(size|crops|channels|batch_size|binarize|tile|num_frames|labels)(=True`|=True|=`|`|=)",
        lambda match: (
            f"--{match[1].removeprefix('num_').replace('_', '-')}{' ' * (match[2] == '=')}"
        ),
        " ".join(str(text).split()),
    )
    print(f"keras-imgen: {text}", file=sys.stderr, flush=True)


def _check_writable(path):
    """Raise, before any work is done, if nothing could be written to a path."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.lstat(path)  # which the operating system refuses if it can be no path at all
    there = next(place for place in (path, *path.absolute().parents) if os.path.exists(place))
    if there != path and not os.path.isdir(there):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if not os.access(there, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message):
        message = " ".join(message.split())  # it repeats what was typed, whatever that is
        message = message if len(message) <= 300 else f"{message[:300]}..."
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help.\n")


def _parser():
    parser = _Parser(
        prog="keras-imgen",
        description="Train, sample and restore: GAN, VAE, diffusion, CNN and ConvLSTM.",
    )
    parser.add_argument("--version", action="version", version=f"keras-imgen {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name, module, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        sub.set_defaults(module=module, function=name)
        return sub

    demo = command("demo", "demo", "Train five models on embedded pictures, in five minutes.")
    demo.add_argument(
        "--out", type=options.path, default="runs/demo", help="folder of the results [%(default)s]"
    )
    demo.add_argument("--seed", **SEED)
    demo.add_argument(
        "--minutes",
        type=options.minutes,
        default=5.0,
        help="how long it takes in all [%(default)g]",
    )

    train = command("train", "runs", "Train one model on your pictures or on a set by name.")
    train.add_argument("family", choices=FAMILIES, help="what to train")
    train.add_argument("--data", help="embedded set, TFDS name or folder [the family's own]")
    train.add_argument(
        "--size", type=options.count(8), help="side of the pictures in pixels [as they are]"
    )
    train.add_argument("--crops", type=options.count(0), help="random crops per picture; 0 resizes")
    train.add_argument("--channels", type=int, choices=(1, 3), help="1 grey, 3 colour")
    more = "larger than memory: read what a batch needs from the files"
    train.add_argument("--stream", action="store_true", default=None, help=more)
    train.add_argument(
        "--frames",
        type=options.count(4),
        help="frames of a sequence in a folder, of which three are lost in training [10]",
    )
    train.add_argument(
        "--labels",
        action="store_true",
        default=None,
        help="gan, vae, diffusion: learn the classes of the set, or of the folder's subfolders",
    )
    train.add_argument(
        "--binarize",
        choices=("static", "dynamic"),
        help="vae: learn from pictures in black and white, as likelihoods of digits are published: "
        "each grey drawn once, or anew in every epoch",
    )
    train.add_argument(
        "--sigma",
        type=options.range_of_grey_levels,
        help="denoise: noise to learn from in grey levels of 8 bits, 0 to 255, or a range "
        "such as 0-50 [25]",
    )
    train.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        type=options.path,
        help="begin with the weights of this .keras file, of a run with the same options",
    )
    train.add_argument("--epochs", type=options.count(1), help="epochs [the family's own]")
    train.add_argument(
        "--batch-size", type=options.count(1), help="pictures per batch [the family's own]"
    )
    train.add_argument("--seed", **SEED)
    train.add_argument(
        "--hosts",
        type=options.hosts,
        help="train one model on several machines, on JAX: give each the same command with these "
        "addresses, the first with a free port, such as 10.0.0.1:1234,10.0.0.2, and its --host; "
        "srun says both",
    )
    train.add_argument(
        "--host", type=options.count(0), help="which of the --hosts this one is; the first is 0"
    )
    train.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="compute in half precision, quicker on processors with AMX (bfloat16) and on graphics "
        "cards; auto times a few steps and keeps the quickest [%(default)s]",
    )
    train.add_argument("--out", type=options.path, help="folder of the results [runs/FAMILY]")

    sample = command("sample", "apply", "Draw new pictures with a trained model that draws.")
    sample.add_argument("model", type=options.path, help="the .keras file")
    sample.add_argument(
        "-n", type=options.count(1), default=64, help="number of pictures [%(default)s]"
    )
    sample.add_argument(
        "--label", help="class to draw, its number or name [each in turn, by column]"
    )
    other = {"default": None, "help": "random seed [another one every time]"}
    sample.add_argument("--seed", **{**SEED, **other})
    sample.add_argument(
        "--steps", type=options.count(1), help="diffusion: steps from noise to picture [18]"
    )
    sample.add_argument(
        "--guidance", type=float, help="diffusion: by how much the label counts [1, as learned]"
    )
    sample.add_argument(
        "--scale", type=options.count(1), default=2, help="enlargement [%(default)s]"
    )
    sample.add_argument(
        "--out", type=options.path, default="samples.png", help="PNG file [%(default)s]"
    )

    restore = command("restore", "apply", "Restore pictures and films with a trained model.")
    restore.add_argument("model", type=options.path, help=RESTORER)
    kinds = "PNG, JPEG, GIF or video files, or folders of them or of the frames of films"
    restore.add_argument("pictures", type=options.path, nargs="+", help=kinds)
    holes = restore.add_mutually_exclusive_group()
    holes.add_argument(
        "--mask", type=options.path, help="picture that is white where pixels are missing"
    )
    holes.add_argument(
        "--degrade", action="store_true", help="degrade the pictures first, as in training"
    )
    restore.add_argument(
        "--lost",
        type=ranges.read,
        metavar="FRAMES",
        help="films: which frames are lost, such as 3,7-9; the first is 1 [none]",
    )
    restore.add_argument(
        "--sigma",
        type=options.sigma,
        default="auto",
        help="noise in grey levels of 8 bits, 0 to 255, for pictures of 16 bits too; auto lets the "
        "model see for itself, and helps where it cannot [%(default)s]",
    )
    restore.add_argument(
        "--tile",
        type=options.tile,
        default=1024,
        help="side of the tiles of large pictures in pixels; none: whole [%(default)s]",
    )
    restore.add_argument("--self-ensemble", action="store_true", help=SELF_ENSEMBLE)
    restore.add_argument(
        "--undo",
        action="append",
        metavar="WHAT",
        help="with a denoiser: undo blur=SIGMA or motion=LENGTH,ANGLE (pixels, degrees), "
        "downsample=FACTOR, mosaic=PATTERN or holes (with --mask); again for several, in the order "
        "in which they happened",
    )
    restore.add_argument(
        "--map",
        type=options.path,
        metavar="FOLDER",
        help="write into another folder how far each pixel may be wrong, from black to yellow, 64 "
        "grey levels: nine of ten errors are smaller; takes eight times as long",
    )
    restore.add_argument(
        "--out", type=options.path, default="restored", help="folder of the results [%(default)s]"
    )

    evaluate = command(
        "evaluate", "evaluate", "Measure a restorer on a folder, or the likelihood of a VAE."
    )
    evaluate.add_argument("model", type=options.path, help=f"{RESTORER}, also of a VAE")
    evaluate.add_argument(
        "--data",
        type=options.path,
        required=True,
        help="folder of clean PNG or JPEG files; for a VAE also a set by name, its test pictures",
    )
    evaluate.add_argument(
        "--sigma",
        type=options.grey_levels,
        help="restorers: noise in grey levels of 8 bits, 0 to 255 [as in training]",
    )
    evaluate.add_argument(
        "--self-ensemble", action="store_true", default=None, help=f"restorers: {SELF_ENSEMBLE}"
    )
    evaluate.add_argument("-n", type=options.count(2), help="VAE: at most so many pictures [1000]")
    evaluate.add_argument(
        "--samples",
        type=options.count(1),
        help="VAE: importance samples of each picture; more find a higher likelihood [200]",
    )
    evaluate.add_argument("--seed", **SEED)

    notebooks = command("tutorials", "tutorials", "Copy the tutorials' notebooks into a folder.")
    notebooks.add_argument(
        "out", type=options.path, metavar="folder", help="where to; made if it is missing"
    )
    notebooks.add_argument(
        "--solutions", action="store_true", help="the teacher's copies, exercises solved"
    )

    doctor = command("doctor", "doctor", "Show versions, devices and what can be reached.")
    doctor.add_argument(
        "--time",
        action="store_true",
        help="time training steps, too: by each backend that is installed, in float32 and in "
        "bfloat16; takes some minutes",
    )
    return parser


def _import_quietly(name: str):
    """Import a module without the notices that TensorFlow's C++ part prints while it loads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced(sys.stderr, 2):
        return importlib.import_module(name)


@contextlib.contextmanager
def silenced(stream, number: int):
    """Drop what C++ prints meanwhile on a stream of the process, which has this number."""
    stream.flush()
    kept = os.dup(number)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), number)
        try:
            yield
        finally:
            os.dup2(kept, number)
            os.close(kept)
