"""Measure `denoiser-color` on JPEG files of noisy photographs, blind and told as the command tells.

    python tests/benchmarks/jpeg_noise.py --data BSD [--pictures 6]
    python tests/benchmarks/jpeg_noise.py --data coffee      # or another embedded example

Noise of a fixed seed is added to the middle 160 x 160 pixels of clean pictures of 8 bits, evenly
spread over the folder, which are then clipped, rounded and saved: as PNG, and as JPEG of three
qualities with full colours (4:4:4), half of them (4:2:2) and a quarter (4:2:0). Prints mean PSNR of
the file, of what the denoiser makes of it when it is told nothing, and of what the command makes of
it; the worst gain of a picture; and of how many pictures the command told a level.
"""

import argparse
import io
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image

from keras_imgen import load_example, load_pretrained, metrics
from keras_imgen.data import to_float, to_uint8
from keras_imgen.data.photos import read_picture
from keras_imgen.sigma import level_to_pass

SIDE = 160
COLOURS = ("4:4:4", "4:2:2", "4:2:0")
SAVED = [None, *((quality, colours) for quality in (75, 85, 95) for colours in COLOURS)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--pictures", type=int, default=6)
    args = parser.parse_args()
    if Path(args.data).is_dir():
        files = sorted(Path(args.data).iterdir())
        step = len(files) // args.pictures
        cleans = [read_picture(file) for file in files[step // 2 :: step][: args.pictures]]
    else:
        cleans = [to_uint8(load_example(args.data))]
    model = load_pretrained("denoiser-color")
    for sigma in (0, 10, 15, 25, 40):
        for saved in SAVED:
            rows = [measured(model, *pair) for pair in pairs(map(middle, cleans), sigma, saved)]
            file, blind, told = np.mean([row[:3] for row in rows], axis=0)
            worst = min(row[2] - row[1] for row in rows)
            kind = "PNG" if saved is None else f"JPEG {saved[0]} {saved[1]}"
            print(
                f"sigma {sigma:2d}  {kind:13}  file {file:5.2f}  blind {blind:5.2f}  "
                f"command {told:5.2f}  worst {worst:+5.2f}  told {sum(row[3] for row in rows)}",
                flush=True,
            )


def middle(picture):
    top, left = ((side - SIDE) // 2 for side in picture.shape[:2])
    return picture[top : top + SIDE, left : left + SIDE]


def pairs(cleans, sigma, saved):
    """Yield clean pictures and what a file holds of them in noise."""
    for number, clean in enumerate(cleans):
        noise = np.random.default_rng((number, sigma)).normal(0, sigma, clean.shape)
        noisy = np.rint(np.clip(clean + noise, 0, 255)).astype("uint8")
        if saved is not None:
            stream = io.BytesIO()
            Image.fromarray(noisy).save(stream, "JPEG", quality=saved[0], subsampling=saved[1])
            noisy = np.asarray(Image.open(stream))
        yield to_float(clean)[None], to_float(noisy)[None]


def measured(model, clean, observed):
    """Return PSNR of the file, restored blind, and as the command does; and whether it told."""
    level = level_to_pass(model, observed[0])
    results = [observed, model.restore(observed)]
    results.append(results[1] if level is None else model.restore(observed, level=level))
    return [float(metrics.psnr(clean, result)[0]) for result in results] + [level is not None]


if __name__ == "__main__":
    main()
