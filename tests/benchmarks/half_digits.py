"""Complete the lower half of test digits: by generators, and by a network trained for it.

    python tests/benchmarks/generators.py --minutes 5 --out runs/generators --data-dir DIR
    python tests/benchmarks/half_digits.py runs/generators --minutes 5 --data-dir DIR [--out DIR]

The generators are those that the first command left, one of each kind. None of them is told the
label: a GAN with labels seeks among all ten of them. A `Restorer` (U-Net) trains on digits whose
lower half is missing, for so many minutes. Of each answer: PSNR of the lower half, and the share of
digits that `DigitFeatures` reads as what they were.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as keras_imgen does when it comes first

import keras
import numpy as np
from generators import BATCH, SHAPE, train_for

import keras_imgen as ki
from keras_imgen.cli.pace import plain_pace
from keras_imgen.degradations import WithMask


@keras.saving.register_keras_serializable("benchmarks")
class LowerHalf(WithMask):
    """Hide the lower half."""

    def known(self, shape, seeds):
        """Return 1 for the upper half."""
        return keras.ops.arange(shape[-3])[:, None, None] < shape[-3] // 2


def restorer(data, args):
    """Return a network that was trained for it."""
    seed = args.seed
    keras.utils.set_random_seed(seed)
    network = ki.networks.unet(SHAPE, extra_channels=1, depth=2, filters=32)
    model = ki.Restorer(network, LowerHalf(seed=seed), keep_known=True, seed=seed)
    model.compile()
    steps = args.steps or plain_pace(model, data).steps_within(60.0 * args.minutes)
    print(f"restorer: {train_for(model, data, steps)}", flush=True)
    return model


def sought(model, digits, known, seed):
    """Return what a generator finds; with classes, the best of all labels."""
    if not model.num_classes:
        return model.undo(digits, known=known, seed=seed)
    answers = [
        model.undo(digits, known=known, seed=seed, labels=k, tries=1)
        for k in range(model.num_classes)
    ]
    # What it found for the upper half is overwritten, so it is judged by the discriminator.
    scores = [np.asarray(model.score(x, np.repeat(k, len(x)))) for k, x in enumerate(answers)]
    best = np.argmax(np.stack(scores)[..., 0], axis=0)
    return np.stack(answers)[best, np.arange(len(digits))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, help="folder that generators.py has left")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training of the Restorer")
    parser.add_argument("--steps", type=int, help="so many instead")
    parser.add_argument("--count", type=int, default=200, help="test digits")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--out", type=Path, help="folder for the pictures")
    args = parser.parse_args()
    options = {"batch_size": BATCH, "data_dir": args.data_dir}
    test = ki.load("mnist", "test", labels=True, **options)
    digits, labels = test.take(args.count), np.asarray(test.labels[: args.count])
    known = np.zeros((1, *SHAPE), "float32")
    known[:, : SHAPE[0] // 2] = 1.0
    answers, reader = {}, ki.metrics.DigitFeatures()
    for name in ("gan", "vae", "diffusion"):
        if (path := args.models / f"{name}_{args.seed}.keras").exists():
            model, begin = ki.load_model(path), time.monotonic()
            if name == "diffusion":
                answers[name] = model.undo(digits, known=known, seed=args.seed)
                several = model.undo(
                    np.repeat(digits, 8, axis=0), known=known, seed=args.seed + 1
                ).reshape(args.count, 8, *SHAPE)
                answers["diffusion, mean of eight"] = several.mean(axis=1)
            else:
                answers[name] = sought(model, digits, known, args.seed)
            print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)
    if args.minutes:
        train = ki.load("mnist", "train", **options)
        model = restorer(train, args)
        answers["restorer"] = model.restore(digits * known, known=known)
    print("| answer | PSNR of the lower half, dB | read as what it was |")
    print("| --- | --- | --- |")
    print(f"| the digits themselves | | {np.mean(reader.labels(digits) == labels):.1%} |")
    for name, found in {"nothing": digits * known, **answers}.items():
        error = np.mean(np.square(found - digits)[:, SHAPE[0] // 2 :], axis=(1, 2, 3))
        psnr = float(np.mean(-10.0 * np.log10(np.maximum(error, 1e-10))))
        right = np.mean(reader.labels(found) == labels)
        print(f"| {name} | {psnr:.1f} | {right:.1%} |")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        rows = [digits[:10], (digits * known)[:10], *(found[:10] for found in answers.values())]
        ki.plotting.save_grid(args.out / "half.png", np.concatenate(rows), 10, scale=3)
        if "diffusion" in answers:
            ki.plotting.save_grid(
                args.out / "eight.png", several[:8].reshape(-1, *SHAPE), 8, scale=3
            )


if __name__ == "__main__":
    main()
