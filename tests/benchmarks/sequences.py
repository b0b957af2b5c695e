"""Train restorers of sequences for equal time, and measure them beside methods that learn nothing.

    pip install -e ".[benchmark]"
    python tests/benchmarks/sequences.py --minutes 30 --seeds 0 1 2 [--out DIR]

Films of two digits that move and bounce, 12 frames of 48 x 48 pixels; noise of standard deviation
0.5 (of white), and 3 of the 12 frames lost. Each network trains for the same wall time, one after
the other, in this one process: how many steps of 4 films that is, is timed first, and the learning
rate warms up and rests over them. The test films show other digits, and are degraded once, with a
fixed seed. The figure is the mean PSNR of all frames with noise and of all lost ones, apart.
`--steps N` takes so many steps instead, `--pace` only tells them, and `--held-out` measures by
other films of the training digits: whatever is chosen must be chosen so. `--out` keeps each
training, and one of as many steps that was cut off goes on.

    python tests/benchmarks/sequences.py predict --minutes 30 --data-dir DIR

Ten frames of 64 x 64 are seen, and the ten that follow are predicted: digits of all of MNIST; the
figures as OpenSTL has them, squared error summed over the pixels of a frame, and SSIM.

    python tests/benchmarks/sequences.py photos [--data FOLDER] [--out DIR]

measures `film-gray`, which ships with the package: 24 films of 12 frames of 128 x 128 that a camera
takes of the embedded test photographs, or of those in a folder; 3 frames lost, noise of three
strengths.

    python tests/benchmarks/sequences.py memory

tells the peak memory of a process that trains `conv_lstm` on films of several lengths, or restores
one, frames of 64 x 64.

    python tests/benchmarks/sequences.py step

takes turns between a training step of our `ConvLSTM` and one of Keras's `ConvLSTM2D`, of one shape.
"""

import argparse
import os
import resource
import statistics
import time
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as keras_imgen does when it comes first

import keras
import numpy as np
from generators import train_for
from keras import layers

import keras_imgen as ki
from keras_imgen.cli.pace import plain_pace
from keras_imgen.networks.layers import FramewiseModel

SIDE, FRAMES, LOST, SIGMA = 48, 12, 3, 0.5
SHAPE, RATE = (SIDE, SIDE, 1), 2e-3


# Methods that learn nothing: from observed frames (time, height, width, 1) and which are lost


def copied(frames, lost):
    """The nearest frame that arrived, in the place of each lost one."""
    arrived = np.flatnonzero(~lost)
    filled = frames.copy()
    for t in np.flatnonzero(lost):
        filled[t] = frames[arrived[np.argmin(np.abs(arrived - t))]]
    return filled


def blended(frames, lost):
    """Between the frames before and behind a gap, more of the nearer one."""
    arrived = np.flatnonzero(~lost)
    filled = frames.copy()
    for t in np.flatnonzero(lost):
        a, b = arrived[arrived < t][-1:], arrived[arrived > t][:1]
        if len(a) and len(b):
            share = (t - a[0]) / (b[0] - a[0])
            filled[t] = (1.0 - share) * frames[a[0]] + share * frames[b[0]]
        else:
            filled[t] = frames[[*a, *b][0]]
    return filled


def over_time(frames, lost, reach, mean):
    """Mean or median of the frames that arrived, at most so many away."""
    seen = np.where(lost[:, None, None, None], np.nan, frames)
    filled = copied(frames, lost)
    for t in range(len(frames)):
        near = seen[max(0, t - reach) : t + reach + 1]
        if not np.all(np.isnan(near)):
            filled[t] = mean(near, axis=0)
    return filled


def compensated(frames, lost):
    """The frames around a gap, moved as one picture to the place between them."""
    from scipy.ndimage import shift
    from skimage.registration import phase_cross_correlation

    arrived = np.flatnonzero(~lost)
    filled = frames.copy()
    for t in np.flatnonzero(lost):
        place = np.clip(np.searchsorted(arrived, t), 1, len(arrived) - 1)
        a, b = arrived[place - 1], arrived[place]
        first, last = frames[a, ..., 0], frames[b, ..., 0]
        way, *_ = phase_cross_correlation(last, first, normalization=None)
        part = way * (t - a) / (b - a)
        filled[t, ..., 0] = (shift(first, part, order=1) + shift(last, part - way, order=1)) / 2
    return filled


def bm3d(frames, lost):
    """BM3D of every frame that arrived, and the rest by motion between those."""
    from bm3d import bm3d

    restored = frames.copy()
    for t in np.flatnonzero(~lost):
        restored[t] = bm3d(frames[t].astype("float64"), SIGMA).reshape(SHAPE)
    return compensated(restored, lost)


CLASSICAL = {
    "observed": lambda frames, lost: frames,
    "nearest frame copied": copied,
    "neighbours blended": blended,
    "mean of 3 over time": lambda frames, lost: over_time(frames, lost, 1, np.nanmean),
    "mean of all": lambda frames, lost: over_time(frames, lost, FRAMES, np.nanmean),
    "median of 5 over time": lambda frames, lost: over_time(frames, lost, 2, np.nanmedian),
    "motion compensated": compensated,
    "BM3D, motion compensated": bm3d,
}


# Networks: from observed sequences with the mask


def conv_lstm(shape=SHAPE, **options):
    return ki.networks.conv_lstm(shape, extra_channels=1, **options)


def frame_by_frame(shape=SHAPE):
    """A U-Net without a memory, with about as many weights as `conv_lstm`."""
    options = {"filters": (24, 36, 44), "num_blocks": 2, "block_size": 2}
    network = ki.networks.drunet(shape, extra_channels=1, **options)
    observed = keras.Input((None, *shape[:2], shape[2] + 1))
    return keras.Model(observed, FramewiseModel(network)([observed]))


def stacked(shape=SHAPE, frames=FRAMES):
    """A U-Net that takes all frames at once, as channels (as SimVP does)."""
    height, width, _ = shape
    observed = keras.Input((frames, height, width, 2))
    x = layers.Reshape((height, width, 2 * frames))(layers.Permute((2, 3, 1, 4))(observed))
    network = ki.networks.unet((height, width, frames), extra_channels=frames, depth=3, filters=16)
    x = layers.Permute((3, 1, 2))(network(x))
    return keras.Model(observed, layers.Reshape((frames, height, width, 1))(x))


NETWORKS = {
    "conv_lstm": conv_lstm,
    "causal": lambda **options: conv_lstm(causal=True, **options),
    "frame by frame": frame_by_frame,
    "frames as channels": stacked,
}


def films(split, count, seed, **options):
    size = {"num_frames": FRAMES, "size": SIDE, "batch_size": 4}
    return ki.load_moving_digits(split, num_sequences=count, seed=seed, **{**size, **options})


def degradation():
    parts = [
        ki.degradations.AdditiveNoise(SIGMA, seed=1),
        ki.degradations.MissingFrames(LOST, seed=2),
    ]
    return ki.degradations.Compose(parts)


def made(network, degradation, seed):
    model = ki.Restorer(network, degradation, seed=seed)
    # A gradient through many frames can explode (Pascanu et al. 2013): it is cut to this norm,
    # which it exceeds in the first few hundred steps only.
    model.compile(keras.optimizers.Adam(RATE, global_clipnorm=1.0))
    return model


def trained(build, degradation, data, seed, args, name):
    """Return a model trained for the time or the steps asked for, and what was done."""
    keras.utils.set_random_seed(seed)
    data.seed = seed
    steps = args.steps
    if steps is None:
        model = made(build(), degradation, seed)
        steps = plain_pace(model, data).steps_within(60.0 * args.minutes)
        keras.utils.set_random_seed(seed)
    model = made(build(), degradation, seed)
    if args.pace:
        return model, f"{steps} steps"
    return model, train_for(model, data, steps, args.out and args.out / f"{name}_{seed}")


def row(name, weights, clean, results, lost):
    """Print one row: PSNR of frames with noise and of lost ones, apart, and flicker."""
    noisy, gone = np.array([figures(clean, restored, lost) for restored in results]).T
    jitter = np.mean([np.mean(ki.metrics.flicker(clean, np.clip(r, 0, 1))) for r in results])
    spread = [f" ± {np.std(x, ddof=1):.2f}" if len(x) > 1 else "" for x in (noisy, gone)]
    noisy, gone = f"{noisy.mean():.2f}{spread[0]}", f"{gone.mean():.2f}{spread[1]}"
    print(f"| {name} | {weights:,} | {noisy} | {gone} | {jitter:.3f} |", flush=True)


def show(file, observed, restored, clean, scale):
    """Write three films below each other: observed, restored, clean."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [np.concatenate(list(part[:3]), axis=1) for part in (observed, restored, clean)]
    pages = ki.plotting.side_by_side(*np.clip(rows, 0.0, 1.0))
    ki.plotting.save_gif(file, pages, 0.25, scale=scale)


HEADER = """| method | weights | frames with noise, dB | lost frames, dB | dtSSD |
| --- | --- | --- | --- | --- |"""


def figures(clean, restored, lost):
    """Return the mean PSNR of frames with noise, and of lost ones, in dB."""
    values = np.asarray(ki.metrics.psnr(clean, restored, clip=True))
    return [float(np.mean(values[which])) for which in (~lost, lost)]


def restore(args):
    """Print the table of restorers."""
    train = films("train", 2000, 0)
    test = films("train", 64, 99) if args.held_out else films("test", 64, 0)
    clean = test.take(64)
    observed = np.asarray(degradation()(clean))
    lost = observed[..., -1].max(axis=(2, 3)) == 0
    print(HEADER)
    for name, method in CLASSICAL.items() if not args.only else ():
        pairs = zip(observed[..., :1], lost, strict=True)
        results = [np.stack([method(*pair) for pair in pairs]).astype("float32")]
        row(name, 0, clean, results, lost)
    for name in args.only or NETWORKS:
        results, notes = [], []
        for seed in args.seeds:
            file = name.replace(" ", "_")
            model, done = trained(NETWORKS[name], degradation(), train, seed, args, file)
            notes.append(done)
            if args.pace:
                continue
            results.append(model.restore(observed))
            if args.out:
                show(args.out / f"{file}_{seed}.gif", observed[..., :1], results[-1], clean, 3)
                model.save(args.out / f"{file}_{seed}.keras")
        print(f"{name}: {', '.join(notes)}", flush=True)
        if results:
            row(name, model.count_params(), clean, results, lost)


def photos(args):
    """Print how well `film-gray` restores films of photographs, beside what each frame gives."""
    options = {"num_frames": 12, "size": 128, "source": args.data}
    clean = ki.load_moving_photos("test", num_sequences=24, **options).take(24)
    alone, film = (ki.load_pretrained(name) for name in ("denoiser-gray", "film-gray"))
    for sigma in (15, 25, 50):
        print(f"Noise of {sigma} grey levels, {LOST} of 12 frames lost:\n{HEADER}")
        noise = ki.degradations.AdditiveNoise(sigma / 255, seed=1)
        damage = [noise, ki.degradations.MissingFrames(LOST, seed=2)]
        observed = np.asarray(ki.degradations.Compose(damage)(clean))
        lost = observed[..., -1].max(axis=(2, 3)) == 0
        single = alone.restore(observed[..., :1].reshape(-1, 128, 128, 1)).reshape(clean.shape)
        weights = alone.count_params()
        for name in ("nearest frame copied", "neighbours blended", "motion compensated"):
            pairs = zip(single, lost, strict=True)
            results = np.stack([CLASSICAL[name](*pair) for pair in pairs])
            row(f"denoiser-gray, {name}", weights, clean, [results], lost)
        guess = keras.Model(film.network.input, film.network.get_layer("align").output)
        guess = guess.predict(observed, batch_size=1, verbose=0)[..., :1]
        row("denoiser-gray, blocks moved", weights, clean, [guess], lost)
        restored = film.restore(observed)
        row("film-gray", film.count_params(), clean, [restored], lost)
        if args.out:
            show(args.out / f"film_gray_{sigma}.gif", observed[..., :1], restored, clean, 1)


def predict(args):
    """Print how well the ten frames that follow are predicted."""
    options = {"size": 64, "num_frames": 20, "source": "mnist", "data_dir": args.data_dir}
    train = films("train", 4000, 0, **options)
    split = "train" if args.held_out else "test"
    clean = films(split, args.count, 99, **options).take(args.count)
    seen, follow = clean[:, :10], clean[:, 10:]
    lost = ki.degradations.MissingFrames(10, at_end=True, seed=0)
    for name in args.only or ["conv_lstm"]:
        for seed in args.seeds:
            file = f"predict_{name.replace(' ', '_')}"
            model, done = trained(
                lambda n=name: NETWORKS[n](shape=(64, 64, 1)), lost, train, seed, args, file
            )
            print(f"{name}, seed {seed}: {done}", flush=True)
            if args.pace:
                continue
            answers = {
                "the last frame again": np.repeat(seen[:, -1:], 10, axis=1),
                "all at once": model.extrapolate(seen, 10),
            }
            for kind, frames in answers.items():
                error = np.mean(np.sum(np.square(frames - follow), axis=(2, 3, 4)), axis=0)
                ssim = float(np.mean(ki.metrics.ssim(follow, frames)))
                print(
                    f"    {kind}: squared error {error.mean():.1f} a frame (first "
                    f"{error[0]:.1f}, last {error[-1]:.1f}), SSIM {ssim:.3f}",
                    flush=True,
                )


def two_layers(whose):
    """Return two layers of a ConvLSTM, ours or Keras's, compiled."""
    keras.utils.set_random_seed(0)
    frames = h = keras.Input((10, 64, 64, 1))
    for _ in range(2):
        if whose == "ours":
            layer = ki.networks.ConvLSTM(32)
        else:
            layer = layers.ConvLSTM2D(32, 3, padding="same", return_sequences=True)
        h = layer(h)
    model = keras.Model(frames, layers.Conv3D(1, 1)(h))
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    return model


def in_turns(steps, turns):
    """Print the time of two steps, functions without arguments that take turns, and their ratio."""
    seconds = {name: [] for name in steps}
    for turn in range(turns + 1):
        for name, one in steps.items():
            begin = time.perf_counter()
            one()
            if turn:  # the first one is compiled
                seconds[name].append(time.perf_counter() - begin)
    for name, values in seconds.items():
        print(f"{name}: {1000 * statistics.median(values):.0f} ms")
    ratios = np.divide(*seconds.values())
    print(f"ratio {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")


def step(args):
    """Print the time of a training step of both layers, in turns."""
    rng = np.random.default_rng(0)
    x, y = (rng.random((4, 10, 64, 64, 1), "float32") for _ in range(2))
    ours, theirs = two_layers("ours"), two_layers("Keras")
    in_turns(
        {"ours": lambda: ours.train_on_batch(x, y), "Keras": lambda: theirs.train_on_batch(x, y)}, 7
    )


def peak(job, frames):
    """Return the peak memory, in GiB, of a process that trains on or restores so many frames."""
    film = np.random.default_rng(0).random((1, frames, 64, 64, 1), "float32")
    model = made(conv_lstm((64, 64, 1)), degradation(), 0)
    if job == "train":
        model.fit(np.repeat(film, 8, axis=0), batch_size=4, verbose=0)
    else:
        model.restore(film, known=1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def memory(args):
    """Print the peak memory of training and of restoring, each in a process of its own."""
    jobs = [("train", 10), ("train", 20), ("train", 40), ("restore", 100), ("restore", 1000)]
    for job, frames in jobs:
        with get_context("spawn").Pool(1) as pool:
            print(f"{job}, {frames} frames: {pool.apply(peak, (job, frames)):.2f} GiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = {each.__name__: each for each in (restore, predict, photos, memory, step)}
    parser.add_argument("kind", nargs="?", choices=kinds, default="restore")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training for each")
    parser.add_argument("--steps", type=int, help="steps for each instead")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=NETWORKS, help="these networks alone")
    parser.add_argument("--held-out", action="store_true", help="never look at a test digit")
    parser.add_argument("--pace", action="store_true", help="only tell the steps in that time")
    parser.add_argument("--count", type=int, default=1000, help="films that are predicted")
    parser.add_argument("--data", default="photos", help="folder of photographs to film")
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--out", type=Path, help="folder for films and the models")
    args = parser.parse_args()
    kinds[args.kind](args)


if __name__ == "__main__":
    main()
