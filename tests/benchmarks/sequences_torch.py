"""Take turns between a training step of two `ConvLSTM` layers and of the same in PyTorch.

    pip install -e ".[benchmark]"
    python tests/benchmarks/sequences_torch.py [--turns 10]

Four films of 10 frames of 64 x 64, two layers of 32 filters of 3 x 3 and a convolution of 1 x 1
behind them, Adam, squared error, float32, the same number of threads. PyTorch's cell is the usual
one, one convolution of frame and memory together in each step, memory laid out channels last. That
both compute the same is tried first, with the same weights.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import torch
from sequences import in_turns, two_layers
from torch import nn
from torch_loops import FILTERS, Stack

SHAPE = (4, 10, 64, 64, 1)


def copied(model, ours):
    """Give PyTorch's layers the weights of ours."""
    kernels = iter(ours.get_weights())
    for layer in model.layers:
        kernel, recurrent, bias = next(kernels), next(kernels), next(kernels)
        kernel = np.concatenate([kernel, recurrent], axis=2).transpose(3, 2, 0, 1)
        layer.gates.weight.data = torch.tensor(kernel)
        layer.gates.bias.data = torch.tensor(bias)
    kernel, bias = kernels
    model.last.weight.data = torch.tensor(
        kernel.reshape(1, 1, FILTERS).transpose(0, 2, 1)[..., None]
    )
    model.last.bias.data = torch.tensor(bias)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rng = np.random.default_rng(0)
    x, y = (rng.random(SHAPE, "float32") for _ in range(2))
    ours, theirs = two_layers("ours"), Stack().to(memory_format=torch.channels_last)
    copied(theirs, ours)
    optimizer = torch.optim.Adam(theirs.parameters(), 1e-3, eps=1e-7)
    film, wanted = (torch.tensor(z.transpose(0, 1, 4, 2, 3)) for z in (x, y))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.mse_loss(theirs(film), wanted)
        loss.backward()
        optimizer.step()
        return loss.item()

    made = theirs(film).detach().numpy().transpose(0, 1, 3, 4, 2)
    print(f"largest difference {np.abs(made - np.asarray(ours(x))).max():.1e}")
    print(f"first loss {ours.evaluate(x, y, verbose=0):.6f} and {step():.6f}")
    in_turns({"ours": lambda: ours.train_on_batch(x, y), "PyTorch": step}, args.turns)


if __name__ == "__main__":
    main()
