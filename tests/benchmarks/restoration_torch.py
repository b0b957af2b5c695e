"""Take turns between a restorer that ships with the package and the same network in PyTorch.

    pip install -e ".[benchmark]"
    python tests/benchmarks/restoration_torch.py [--model denoiser-color] [--side 1024] [--turns 10]

Same weights, same input, same precision (float32), same number of threads, memory laid out as is
best for each (channels last). What both make of the input is compared first.
"""

import argparse
import itertools
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
import torch
from torch import nn

from keras_imgen import load_pretrained
from keras_imgen.matching import conditioned

BLOCK = 2  # block_size of the restorers, and their num_blocks
BLOCKS = 2


class Residual(nn.Sequential):
    """Two convolutions whose result is added to what they are given."""

    def __init__(self, maps):
        super().__init__(convolution(maps, maps), nn.ReLU(inplace=True), convolution(maps, maps))

    def forward(self, x):
        return x + super().forward(x)


def convolution(taken, made):
    return nn.Conv2d(taken, made, 3, padding=1, bias=False)


class DRUNet(nn.Module):
    """`keras_imgen.networks.drunet` for sides that need no padding."""

    def __init__(self, taken, made, filters):
        super().__init__()
        pairs = list(itertools.pairwise(filters))
        self.head = convolution(taken * BLOCK**2, filters[0])
        self.down = nn.ModuleList(
            nn.Sequential(
                *(Residual(fine) for _ in range(BLOCKS)),
                nn.Conv2d(fine, coarse, 2, stride=2, bias=False),
            )
            for fine, coarse in pairs
        )
        self.bottom = nn.Sequential(*(Residual(filters[-1]) for _ in range(BLOCKS)))
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False),
                *(Residual(fine) for _ in range(BLOCKS)),
            )
            for fine, coarse in reversed(pairs)
        )
        self.tail = convolution(filters[0], made * BLOCK**2)
        self.made = made

    def forward(self, observed):
        x = self.head(nn.functional.pixel_unshuffle(observed, BLOCK))
        skips = [x]
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.bottom(x)
        for up in self.up:
            x = up(x + skips.pop())
        noise = self.tail(x + skips.pop())
        return observed[:, : self.made] - nn.functional.pixel_shuffle(noise, BLOCK)


def copied(network):
    """Return a DRUNet with the weights of one of Keras."""
    taken, made = network.input_shape[-1], network.output_shape[-1]
    kernels = [np.transpose(kernel, (3, 2, 0, 1)) for kernel in network.get_weights()]
    # The channels of a block: by place and then by colour there, by colour and then by place here.
    head, tail = kernels[0], kernels[-1]
    kernels[0] = _by_colour(head.swapaxes(0, 1), taken).swapaxes(0, 1)
    kernels[-1] = _by_colour(tail, made)
    filters = [head.shape[0]] + [k.shape[0] for k in kernels if k.shape[-1] == 2]
    model = DRUNet(taken, made, filters[: len(filters) // 2 + 1])
    for parameter, kernel in zip(model.parameters(), kernels, strict=True):
        parameter.data = torch.tensor(kernel)
    return model.to(memory_format=torch.channels_last).eval()


def _by_colour(kernel, colours):
    parts = kernel.reshape(BLOCK**2, colours, *kernel.shape[1:])
    return parts.swapaxes(0, 1).reshape(kernel.shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="denoiser-color")
    parser.add_argument("--side", type=int, default=1024, help="pixels, a multiple of 32")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    restorer = load_pretrained(args.model)
    theirs = copied(restorer.network)
    channels = restorer.image_shape[-1]
    picture = np.random.default_rng(0).random((1, args.side, args.side, channels), "float32")
    observed = conditioned(restorer, picture, None, None)
    as_torch = torch.tensor(np.moveaxis(observed, -1, 1)).to(memory_format=torch.channels_last)

    def by_keras():
        return restorer.restore(picture)  # in tiles, if it is larger than 1,024

    def by_torch():
        with torch.inference_mode():
            return theirs(as_torch).clamp(0.0, 1.0).permute(0, 2, 3, 1).numpy()

    print(f"largest difference: {np.abs(by_keras() - by_torch()).max():.1e}")
    seconds = {by_keras: [], by_torch: []}
    for _ in range(args.turns):
        for restore, times in seconds.items():
            begin = time.perf_counter()
            restore()
            times.append((time.perf_counter() - begin) / (args.side**2 / 1e6))
    for restore, times in seconds.items():
        print(
            f"{restore.__name__}: {statistics.median(times):.2f} s per megapixel, median of ",
            end="",
        )
        print(f"{args.turns} ({min(times):.2f} to {max(times):.2f})")
    ratios = [ours / other for ours, other in zip(*seconds.values(), strict=True)]
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
