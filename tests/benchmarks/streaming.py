"""Time what it costs to leave pictures in their files.

    pip install -e ".[test]"
    python tests/benchmarks/streaming.py [--turns 5]

A folder of 48 photographs of 1536 x 1024 (the embedded ones, enlarged), 16 crops of 64 x 64 of
each: an epoch of `dncnn(depth=6, filters=32)` with the pictures in memory, in their files, and
files alone.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np


def photographs(folder):
    """Write large photographs."""
    from PIL import Image

    from keras_imgen.data.sources import ASSETS

    files = sorted((ASSETS / "photos" / "train").glob("*.png"))
    for number in range(48):
        image = Image.open(files[number % len(files)]).convert("RGB")
        image.resize((1536, 1024)).save(folder / f"{number}.jpg", quality=90)


def timed(args):
    """Print the time of an epoch with pictures in memory and in files, in turns."""
    import keras

    from keras_imgen import Restorer, degradations, load_folder, networks

    with tempfile.TemporaryDirectory() as folder:
        photographs(Path(folder))
        options = {"size": 64, "crops": 16, "batch_size": 32}
        network = networks.dncnn((None, None, 3), depth=6, filters=32, batch_norm=False)
        model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
        model.compile()
        memory, stream = (load_folder(folder, stream=s, **options) for s in (False, True))
        seconds = {"in memory": [], "in files": [], "files alone": []}
        for turn in range(args.turns + 1):
            for name, data in (("in memory", memory), ("in files", stream), ("files alone", None)):
                begin = time.perf_counter()
                if data is None:
                    alone = load_folder(folder, stream=True, **options)
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
        print(f"{keras.backend.backend()}, {os.cpu_count()} cores")


def fresh(pictures):
    """Return the same pictures, of which nothing is kept from the epoch before."""
    return pictures.part(range(len(pictures)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    timed(parser.parse_args())


if __name__ == "__main__":
    main()
