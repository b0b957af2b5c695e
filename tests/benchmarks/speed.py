"""Time a training step on each backend, and what it costs to leave pictures in their files.

    pip install -e ".[test]" torch
    python tests/benchmarks/speed.py backends [--turns 5] [--only gan vae ...]

One process for each backend that is installed; they take turns at `fit` on the same pictures, and
the median of the turns is divided by that of TensorFlow; one that needs more than a minute for
a turn is left out. Float32, all defaults of `compile`. The
shapes are those that others are timed by: DCGAN 28 x 28, batch 64; VAE, batch 128; DnCNN of 17
layers, 40 x 40, batch 32; two ConvLSTM layers of 32 maps, 4 films of 10 frames of 64 x 64.

    python tests/benchmarks/speed.py loops [--turns 5] [--policy mixed_bfloat16]

The same step on the first backend that is installed, of TensorFlow, JAX and PyTorch, against loops
that people write in PyTorch (`torch_loops.py`) on networks of the same layers: as they are, with
memory laid out channels last, and with `torch.compile`. Each feeds its batches from memory; a turn
of ours is an epoch of `fit`, with all that it does before and behind. "Five a call" is
`compile(steps_per_execution=5)`, where steps are so short that a call counts. In
percent, the share of what this machine reaches in products of matrices of 2,048 x 2,048, which
take turns with the others (NumPy; on a GPU PyTorch); how many operations a step has, PyTorch
counts.

    python tests/benchmarks/speed.py growth [--turns 5]

By what the time of a step is multiplied where one thing is doubled: the batch, both sides, the
length of films, or the maps of all layers.

    python tests/benchmarks/speed.py input [--turns 5] [--set cifar10 [--data-dir FOLDER]]

A folder of 48 photographs of 1536 x 1024 (the embedded ones, enlarged), 16 crops of 64 x 64 of
each: an epoch of `dncnn(depth=6, filters=32)` with the pictures in memory, in their files, and
files alone. Of these, or of the training part of a set that TFDS has prepared: the seconds of
processor that it takes to load the pictures and to read an epoch of batches, and the memory.
"""

import argparse
import importlib.util
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as keras_imgen does when it comes first

import numpy as np

BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}  # and their packages
LOOPS = ("eager", "channels last", "compiled")
SHAPES = {
    "gan": (64, 28, 28, 1),
    "vae": (128, 28, 28, 1),
    "diffusion": (64, 28, 28, 1),
    "dncnn": (32, 40, 40, 1),
    "convlstm": (4, 10, 64, 64, 1),
}
STEPS = {"gan": 100, "vae": 100, "diffusion": 6, "dncnn": 2, "convlstm": 2}  # of a turn
CALL, FIVE = 5, "five a call"
DOUBLED = ("batch", "side", "length", "maps")
MATRIX = 2048
PATIENCE, FIRST = 60, 600  # seconds for a turn, and for the first one, in which it compiles


def made(family, how=None):
    """Return a compiled model and the pictures of a turn, of which one thing may be doubled."""
    import keras

    from keras_imgen import GAN, VAE, Diffusion, Restorer, degradations, load_arrays, networks

    keras.utils.set_random_seed(0)
    batch, *length, height, width, channels = SHAPES[family]
    batch *= 2 if how == "batch" else 1
    length = [n * (2 if how == "length" else 1) for n in length]
    sides = [n * (2 if how == "side" else 1) for n in (height, width)]
    maps = 2 if how == "maps" else 1
    shape = (*length, *sides, channels)
    if family == "gan":
        players = networks.dcgan_generator, networks.dcgan_discriminator
        model = GAN(*(build(shape, filters=16 * maps) for build in players), seed=0)
    elif family == "vae":
        parts = networks.vae_encoder, networks.vae_decoder
        model = VAE(*(build(shape, filters=16 * maps) for build in parts), seed=0)
    elif family == "diffusion":
        filters = tuple(maps * n for n in (64, 128))
        model = Diffusion(networks.diffusion_unet(shape, filters=filters), seed=0)
    elif family == "dncnn":
        network = networks.dncnn((None, None, 1), depth=17, filters=64 * maps)
        model = Restorer(network, degradations.AdditiveNoise(25 / 255, seed=0), seed=0)
    else:
        frames = h = keras.Input(shape)
        for _ in range(2):
            h = networks.ConvLSTM(32 * maps)(h)
        network = keras.Model(frames, keras.layers.Conv3D(1, 1)(h))
        model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
    model.compile(steps_per_execution=CALL if how == FIVE else 1)
    pictures = np.random.default_rng(0).random((STEPS[family] * batch, *shape), "float32")
    return model, load_arrays(pictures, batch_size=batch)


def serve(family, how, policy):
    """Take a turn whenever a line comes, and say how many seconds a step took."""
    if how == "product":
        turn = products(STEPS[family])
    elif how in LOOPS:
        turn = loop(family, how, policy)
    else:
        turn = ours(family, how, policy)
    for _ in sys.stdin:
        begin = time.perf_counter()
        turn()
        print((time.perf_counter() - begin) / STEPS[family], flush=True)


def ours(family, how, policy):
    """Return a function that takes the steps of a turn."""
    import keras

    keras.config.set_dtype_policy(policy)
    model, data = made(family, how)
    return lambda: model.fit(data, epochs=1, verbose=0)


def loop(family, how, policy):
    """Return a function that takes the same steps in a loop of PyTorch's."""
    import torch
    from torch_loops import training_step

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    step = training_step(family, how, half=policy == "mixed_bfloat16")
    batches = channels_first(family, STEPS[family])

    def turn():
        for batch in batches:
            step(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return turn


def channels_first(family, count):
    """Return so many batches as PyTorch has them."""
    import torch

    *shape, height, width, channels = SHAPES[family]
    return torch.rand(count, *shape, channels, height, width)


def products(count):
    """Return a function that multiplies matrices so often."""
    if importlib.util.find_spec("torch"):
        import torch

        if torch.cuda.is_available():
            matrix = torch.rand(MATRIX, MATRIX, device="cuda")

            def multiply():
                for _ in range(count):
                    matrix @ matrix
                torch.cuda.synchronize()

            return multiply
    matrix = np.random.default_rng(0).random((MATRIX, MATRIX), "float32")
    return lambda: [matrix @ matrix for _ in range(count)]


def operations(family):
    """Print how many operations a step has: additions and multiplications of its products."""
    from torch.utils.flop_counter import FlopCounterMode
    from torch_loops import training_step

    step = training_step(family)
    with FlopCounterMode(display=False) as counter:
        step(channels_first(family, 1)[0])
    print(counter.get_total_flops())


def backends(args):
    """Print the time of a step on each backend, and its ratio to the first one's."""
    compare(args, installed(), args.only or STEPS)


def loops(args):
    """Print the time of a step of ours and of PyTorch's loops, and their shares of the peak."""
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("PyTorch is not installed. Try: pip install torch")
    names = [installed()[0], FIVE, *LOOPS, "product"]
    compare(args, names, args.only or [f for f in STEPS if f != "diffusion"])


def growth(args):
    """Print by what the time of a step is multiplied where one thing is doubled."""
    compare(args, [installed()[0], *DOUBLED], args.only or STEPS)


def installed():
    """Return the backends that can be tried."""
    return [name for name, package in BACKENDS.items() if importlib.util.find_spec(package)]


def compare(args, names, families):
    """Print a table of steps, timed in turns, and their ratios to those of the first column."""
    print("| step | " + " | ".join(names) + " |\n| --- |" + " --- |" * len(names), flush=True)
    for family in families:
        seconds = timed(args, [n for n in names if makes_sense(family, n)], family)
        reached = None
        if seconds.get("product"):
            program = [sys.executable, __file__, "operations", "--only", family]
            done = subprocess.run(program, capture_output=True, text=True, check=True)
            peak = 2 * MATRIX**3 / statistics.median(seconds["product"])
            reached = float(done.stdout) / peak
        cells = [cell(seconds, name, names[0], reached) for name in names]
        print(f"| {family} | {' | '.join(cells)} |", flush=True)


def makes_sense(family, name):
    """Return whether something is there that can be doubled, or divided into calls."""
    long, whole = family == "convlstm", STEPS[family] % CALL == 0
    return {"length": long, "side": family != "diffusion", FIVE: whole}.get(name, True)


def cell(seconds, name, first, reached):
    """Return what a table says of a column: milliseconds, ratio, share of the peak."""
    if name not in seconds:
        return ""
    if seconds[name] is None:
        return f"more than {PATIENCE} s a turn, or failed"
    if name == "product":
        return f"{2e-9 * MATRIX**3 / statistics.median(seconds[name]):.0f} GFLOP/s"
    median = statistics.median(seconds[name])
    text = f"{1000 * median:.0f} ms"
    if seconds[first]:
        ratios = np.divide(seconds[name], seconds[first])
        text += f", {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
    return text if reached is None else f"{text}, {100 * reached / median:.0f} %"


def timed(args, names, family):
    """Return for each name the seconds of a step in each turn, or None where it took too long."""
    children, seconds = {}, {name: [] for name in names}
    for name in names:
        program = [sys.executable, __file__, "serve", "--only", family, "--how", name]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        backend = {"KERAS_BACKEND": name} if name in BACKENDS else {}
        options = {"env": os.environ | backend, "stderr": subprocess.DEVNULL, **pipes}
        children[name] = subprocess.Popen([*program, "--policy", args.policy], **options)
    for turn in range(args.turns + 1):
        patience = PATIENCE if turn else FIRST  # in the first one it compiles
        for name, child in list(children.items()):
            child.stdin.write("\n")
            child.stdin.flush()
            ready = select.select([child.stdout], [], [], patience)[0]
            said = child.stdout.readline() if ready else ""
            if not said:
                children.pop(name).kill()
                seconds[name] = None
            elif turn:
                seconds[name].append(float(said))
    for child in children.values():
        child.stdin.close()
        child.wait()
    return seconds


def photographs(folder):
    """Write large photographs."""
    from PIL import Image

    from keras_imgen.data.sources import ASSETS

    files = sorted((ASSETS / "photos" / "train").glob("*.png"))
    for number in range(48):
        image = Image.open(files[number % len(files)]).convert("RGB")
        image.resize((1536, 1024)).save(folder / f"{number}.jpg", quality=90)


def input(args):
    """Print the time of an epoch with pictures in memory and in files, in turns, and the memory."""
    with tempfile.TemporaryDirectory() as folder:
        if args.set is None:
            photographs(Path(folder))
            _times(args, folder)
        for where in ("memory", "files"):
            options = ["--set", args.set] if args.set else []
            options += ["--data-dir", args.data_dir] if args.data_dir else []
            program = [sys.executable, __file__, "peak", "--folder", folder, "--where", where]
            done = subprocess.run([*program, *options], capture_output=True, text=True, check=True)
            print(f"in {where}: {done.stdout.strip()}", flush=True)


def loaded(args, folder, stream):
    """Return the pictures, in memory or in their files."""
    from keras_imgen import load, load_folder

    if args.set is None:
        return load_folder(folder, size=64, crops=16, batch_size=32, stream=stream)
    return load(args.set, data_dir=args.data_dir, batch_size=32, stream=stream)


def peak(args):
    """Print what it costs to load pictures and to read an epoch of batches, which none learns."""
    import resource

    import keras_imgen  # noqa: F401

    begin = time.process_time()
    data = loaded(args, args.folder, args.where == "files")
    between = time.process_time()
    for index in range(len(data)):
        data[index]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    load, read = between - begin, time.process_time() - between
    print(f"load {load:.1f} s, read {read:.1f} s of processor, {memory:.2f} GiB at most")


def _times(args, folder):
    import keras

    from keras_imgen import Restorer, degradations, networks

    memory, stream = (loaded(args, folder, stream) for stream in (False, True))
    network = networks.dncnn((None, None, 3), depth=6, filters=32, batch_norm=False)
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
    model.compile()
    seconds = {"in memory": [], "in files": [], "files alone": []}
    for turn in range(args.turns + 1):
        for name, data in (("in memory", memory), ("in files", stream), ("files alone", None)):
            begin = time.perf_counter()
            if data is None:
                alone = loaded(args, folder, True)
                for index in range(len(alone)):
                    alone[index]
            else:
                data.pictures = data.pictures if name == "in memory" else fresh(data.pictures)
                model.fit(data, epochs=1, verbose=0)
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    for name, values in seconds.items():
        print(f"{name}: {statistics.median(values):.2f} s an epoch of {len(memory)} steps")
    ratios = np.divide(seconds["in files"], seconds["in memory"])
    print(f"ratio {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")
    print(f"{keras.backend.backend()}, {os.cpu_count()} cores", flush=True)


def fresh(pictures):
    """Return the same pictures, of which nothing is kept from the epoch before."""
    return pictures.part(range(len(pictures)))


KINDS = {
    "backends": backends,
    "loops": loops,
    "growth": growth,
    "input": input,
    "peak": peak,
    "serve": serve,
    "operations": operations,  # for children of these
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=STEPS)
    parser.add_argument("--policy", default="float32", help="or mixed_bfloat16")
    parser.add_argument("--set", help="of TFDS, instead of photographs")
    parser.add_argument("--data-dir", help="where TFDS has prepared it")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--how", help=argparse.SUPPRESS)
    parser.add_argument("--where", choices=("memory", "files"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.kind == "serve":
        serve(*args.only, args.how, args.policy)
    elif args.kind == "operations":
        operations(*args.only)
    else:
        KINDS[args.kind](args)


if __name__ == "__main__":
    main()
