"""Measure the restorers that ship with the package, beside classical methods.

    pip install -e ".[benchmark]"
    python tests/benchmarks/restoration.py noise --data SET12
    python tests/benchmarks/restoration.py noise --model denoiser-color --data BSD --last 20
    python tests/benchmarks/restoration.py holes --data SET12
    python tests/benchmarks/restoration.py undo --data SET12
    python tests/benchmarks/restoration.py coverage --data BSD --last 20
    python tests/benchmarks/restoration.py borders --data BSD --last 20
    python tests/benchmarks/restoration.py photo [--megapixels 24]
    python tests/benchmarks/restoration.py settings --data BSD

The first four print a table of PSNR and SSIM, averaged over the pictures of a folder, as DnCNN's
authors measured Set12: clean pictures of 8 bits, noise of a fixed seed added in floating point and
not clipped, results clipped to [0, 1]; of BSD the last photographs by name are those that the
training held out. With `--model denoiser-color` the pictures are in colour, and what is made for
grey ones does with each channel what it does with them. `undo` has blur and too few pixels (sides
are cut to multiples of 4); of the classical filters it prints several settings, of which the best
one on these very pictures may be taken. The fifth fits error bars, for nine tenths of the pixels,
on the photographs that come with the package, as `keras-imgen restore --map` does, and counts what
they cover in others. The sixth compares the errors at the borders of parts of pictures with those
of the same pixels when the whole pictures are restored. The seventh restores one large photograph,
and prints seconds and the memory that it took above that of the model. The last one shows how the
settings of total variation and non-local means were chosen: on the photographs that the restorers'
training held out.
"""

import argparse
import functools
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from PIL import Image

import keras_imgen as ki
from keras_imgen import degradations, metrics
from keras_imgen.cli import maps
from keras_imgen.data import folders, photos, sources, to_float


def bm3d(noisy, sigma):
    import bm3d

    method = bm3d.bm3d if noisy.shape[-1] == 1 else bm3d.bm3d_rgb
    return method(noisy.astype("float64"), sigma).reshape(noisy.shape)


def total_variation(noisy, sigma, weight=0.7):
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(noisy, weight=weight * sigma, channel_axis=-1)


def non_local_means(noisy, sigma, h=0.6):
    from skimage.restoration import denoise_nl_means

    options = {"patch_size": 7, "patch_distance": 11, "h": h * sigma, "sigma": sigma}
    restored = denoise_nl_means(noisy, fast_mode=True, channel_axis=-1, **options)
    return restored.reshape(noisy.shape)  # one channel is dropped


def median(noisy, sigma):
    from scipy.ndimage import median_filter

    return median_filter(noisy, size=(3, 3, 1) if sigma < 0.08 else (5, 5, 1))


def by_channel(method):
    """Return a method that does with each channel what it does with a grey picture."""

    @functools.wraps(method)
    def all_channels(observed, *args, **options):
        channels = np.split(observed, observed.shape[-1], axis=-1)
        return np.concatenate([method(each, *args, **options) for each in channels], axis=-1)

    return all_channels


@by_channel
def biharmonic(observed, known):
    from skimage.restoration import inpaint_biharmonic

    return inpaint_biharmonic(observed[..., 0], known[..., 0] == 0)[..., None]


@by_channel
def telea(observed, known):
    import cv2

    levels = np.rint(255.0 * observed[..., 0]).astype("uint8")
    holes = (known[..., 0] == 0).astype("uint8")
    return to_float(cv2.inpaint(levels, holes, 3, cv2.INPAINT_TELEA))[..., None]


def wiener(observed, degradation, balance):
    from skimage.restoration import wiener

    return deconvolved(
        observed, degradation, lambda x, point: wiener(x, point, balance, clip=False)
    )


def richardson_lucy(observed, degradation, steps):
    from skimage.restoration import richardson_lucy

    return deconvolved(
        observed,
        degradation,
        lambda x, point: richardson_lucy(np.clip(x, 1e-3, 1.0), point, steps),
    )


@by_channel
def deconvolved(observed, degradation, method, margin=32):
    """Undo a blur by a classical method, the picture mirrored at its borders."""
    dot = np.zeros((1, 65, 65, 1), "float32")
    dot[0, 32, 32, 0] = 1.0
    point = np.asarray(degradation.operator().forward(dot))[0, ..., 0]
    wide = np.pad(observed[..., 0], margin, mode="symmetric").astype("float64")
    return method(wide, point)[margin:-margin, margin:-margin, None]


@by_channel
def resized(picture, size, filter_):
    """Make a picture larger or smaller, as Pillow does; `size` is width and height."""
    return np.asarray(Image.fromarray(picture[..., 0]).resize(size, filter_))[..., None]


def pictures_in(folder, channels, last, multiple=1):
    """Return the pictures of a folder, or the last few, their sides cut to a multiple."""
    files = sorted(folders.list_pictures(folder)[0])[-(last or 0) :]
    read = sources.with_channels([photos.read_picture(file) for file in files], channels)
    sides = [[side - side % multiple for side in picture.shape[:2]] for picture in read]
    return [to_float(x[:height, :width]) for x, (height, width) in zip(read, sides, strict=True)]


def figures(clean, restored):
    """Return PSNR and SSIM of one picture."""
    restored = np.clip(restored, 0.0, 1.0).astype("float32")[None]
    return [float(figure(clean[None], restored)[0]) for figure in (metrics.psnr, metrics.ssim)]


def noise(args):
    """Print the table of denoisers."""
    model = ki.load_pretrained(args.model)
    methods = {
        "observed": lambda noisy, sigma: noisy,
        "median": median,
        "total variation": total_variation,
        "non-local means": non_local_means,
        "BM3D": bm3d,
        f"{args.model}, blind": lambda noisy, sigma: model.restore(noisy[None])[0],
        f"{args.model}, level given": lambda noisy, sigma: model.restore(noisy[None], level=sigma)[
            0
        ],
        f"{args.model}, blind, ensemble": lambda noisy, sigma: model.restore(
            noisy[None], self_ensemble=True
        )[0],
    }
    cases = {f"sigma {sigma:g}": sigma / 255.0 for sigma in args.sigmas}
    table(args, methods, cases, add_noise, model.image_shape[-1])


def holes(args):
    """Print the table of inpainters."""
    model, denoiser = ki.load_pretrained("inpainter"), ki.load_pretrained(args.model)
    channels = denoiser.image_shape[-1]

    def network(observed, known, **options):
        if channels == 3:
            return model.restore(observed[None], known=known, **options)[0]
        colours = np.repeat(observed, 3, axis=-1)[None]
        return model.restore(colours, known=known, **options)[0].mean(axis=-1, keepdims=True)

    def asked(observed, known):
        start = network(observed, known)[None]
        return denoiser.undo(observed[None], known=known[None], start=start)[0]

    def asked_alone(observed, known):
        return denoiser.undo(observed[None], known=known[None])[0]

    methods = {
        "observed": lambda observed, known: observed,
        "biharmonic": biharmonic,
        "Telea": telea,
        "inpainter": network,
        "inpainter, ensemble": functools.partial(network, self_ensemble=True),
        f"smooth, then {args.model}, undo": asked_alone,
        f"inpainter, then {args.model}, undo": asked,
    }
    cases = {
        "25 % of pixels": functools.partial(degradations.MissingPixels, 0.25),
        "50 % of pixels": functools.partial(degradations.MissingPixels, 0.5),
        "20 % in blocks of 16": functools.partial(degradations.MissingBlocks, 0.2, 16),
        "20 % in strokes": functools.partial(degradations.FreeFormHoles, 0.2),
        "text": functools.partial(degradations.TextOverlay, size=16),
    }

    def spoil(clean, degradation, seed):
        observed = keras.ops.convert_to_numpy(degradation(seed=seed)(clean[None]))[0]
        return observed[..., :-1], observed[..., -1:]

    table(args, methods, cases, spoil, channels)


def undo(args):
    """Print the table of what a denoiser undoes without a training of its own."""
    model = ki.load_pretrained(args.model)
    channels = model.image_shape[-1]
    blurs = {
        f"Wiener filter, {balance:g}": functools.partial(wiener, balance=balance)
        for balance in (0.003, 0.01, 0.03, 0.1)
    }
    blurs |= {
        f"Richardson-Lucy, {steps} steps": functools.partial(richardson_lucy, steps=steps)
        for steps in (5, 10, 20, 40)
    }

    def asked(observed, degradation, **options):
        return model.undo(observed[None], degradation, **options)[0]

    def blurred(clean, degradation, seed):
        noise = degradations.AdditiveNoise(args.noise, seed=seed)
        both = degradations.Compose([degradation, noise])
        return keras.ops.convert_to_numpy(both(clean)), both

    def shrunk(clean, degradation, seed):
        few = [-(-side // degradation.factor) for side in clean.shape[1::-1]]
        small = resized(clean, few, Image.Resampling.BICUBIC)
        large = degradation.enlarge(small[None])
        return keras.ops.convert_to_numpy(large)[0], degradation

    def lanczos(observed, degradation):
        few = [-(-side // degradation.factor) for side in observed.shape[1::-1]]
        small = resized(observed, few, Image.Resampling.BICUBIC)
        return resized(small, observed.shape[1::-1], Image.Resampling.LANCZOS)

    ours = {"observed": lambda observed, degradation: observed}
    undone = {f"{args.model}, undo": asked}
    cases = {
        "blur 1.6": degradations.Blur(1.6),
        "blur 3": degradations.Blur(3.0),
        "motion 9": degradations.MotionBlur(9.0, angle=30),
    }
    table(args, ours | blurs | undone, cases, blurred, channels, 4)
    sizes = {f"1/{factor} of the sides": degradations.Downsample(factor) for factor in (2, 4)}
    table(args, ours | {"Lanczos": lanczos} | undone, sizes, shrunk, channels, 4)


def coverage(args, side=96):
    """Print which share of errors the error bars hold that were fitted on other photographs."""
    model, filler = (ki.load_pretrained(name) for name in ("denoiser-gray", "inpainter"))
    noise = degradations.AdditiveNoise(0.01, seed=args.seed)
    cases = {
        "noise 15, told": degradations.AdditiveNoise(15 / 255, seed=args.seed),
        "noise 50, told": degradations.AdditiveNoise(50 / 255, seed=args.seed),
        "50 % of pixels": degradations.MissingPixels(0.5, seed=args.seed),
        "20 % in blocks of 16": degradations.MissingBlocks(0.2, 16, seed=args.seed),
        "20 % in strokes": degradations.FreeFormHoles(0.2, seed=args.seed),
        "blur 1.6": degradations.Compose([degradations.Blur(1.6), noise]),
        "1/2 of the sides": degradations.Downsample(2),
    }
    examples = [ki.load_example(name) for name in maps.EXAMPLES]
    examples = [np.float32(x @ [0.299, 0.587, 0.114])[..., None] for x in examples]
    known, others = (
        np.stack([middle(x, side) for x in pictures])
        for pictures in (examples, pictures_in(args.data, 1, args.last))
    )

    def answers(clean, degradation):
        seen = keras.ops.convert_to_numpy(degradation(clean))
        seen, mask = seen[..., :1], seen[..., 1:] if seen.shape[-1] > 1 else None
        if isinstance(degradation, degradations.AdditiveNoise):
            level = degradation.range[1]
            return *model.restore(seen, level=level, return_std=True), None
        if mask is None:
            return *model.undo(seen, degradation, return_std=True), None
        colours = np.repeat(seen, 3, axis=-1)
        start = filler.restore(colours, known=mask).mean(axis=-1, keepdims=True)
        return *model.undo(seen, known=mask, start=start, return_std=True), mask == 0.0

    print(
        f"| {len(others)} pictures, seed {args.seed} | covered | least, most of a picture ", end=""
    )
    print("| bars, grey levels | error | spread | error where the bars are widest (tenth) |")
    print("| --- " * 7 + "|")
    for name, degradation in cases.items():
        found, std, where = answers(known, degradation)
        bars = metrics.ErrorBars().fit(known, found, std, where)
        found, std, where = answers(others, degradation)
        holes = np.ones(found.shape, bool) if where is None else where
        each = [
            bars.covered(*(x[i : i + 1] for x in (others, found, std, holes)))
            for i in range(len(others))
        ]
        wrong, wide = np.abs(found - others)[holes], bars(std)[holes]
        widest = wide >= np.quantile(wide, 0.9)
        rms = [255 * np.sqrt(np.mean(x**2)) for x in (wide, wrong, std[holes], wrong[widest])]
        print(
            f"| {name} | {bars.covered(others, found, std, holes):.0%} | {min(each):.0%}, "
            f"{max(each):.0%} | " + " | ".join(f"{x:.1f}" for x in rms) + " |",
            flush=True,
        )


def middle(picture, side):
    y, x = ((n - side) // 2 for n in picture.shape[:2])
    return picture[y : y + side, x : x + side]


def borders(args, begin=32, band=8):
    """Print how much larger errors are at the borders of a picture than inside a larger one."""
    model = ki.load_pretrained(args.model)
    pictures = pictures_in(args.data, model.image_shape[-1], args.last)
    bands = {"top": np.s_[:band], "left": np.s_[:, :band]}
    bands |= {"bottom": np.s_[-band:], "right": np.s_[:, -band:], "inside": np.s_[16:-16, 16:-16]}
    print(f"| {len(pictures)} pictures, seed {args.seed} | {' | '.join(bands)} |")
    print("| --- " * (len(bands) + 1) + "|")
    for sigma in args.sigmas:
        for told in (False, True):
            level = sigma / 255.0 if told else None
            alone, there = (dict.fromkeys(bands, 0.0) for _ in range(2))
            for index, clean in enumerate(pictures):
                noisy, _ = add_noise(clean, sigma / 255.0, 100 * args.seed + index)
                whole = model.restore(noisy[None], level=level)[0]
                side = 160 + index % 16  # all rests
                part = np.s_[begin : begin + side, begin : begin + side + 7]
                restored = model.restore(noisy[part][None], level=level)[0]
                for errors, picture in ((alone, restored), (there, whole[part])):
                    squares = (picture - clean[part]) ** 2
                    for name, where in bands.items():
                        errors[name] += squares[where].mean()
            row = " | ".join(f"{alone[name] / there[name]:.2f}" for name in bands)
            print(f"| sigma {sigma:g}, {'level given' if told else 'blind'} | {row} |", flush=True)


def settings(args):
    """Print how good two classical methods are with several settings."""
    cases = {f"sigma {sigma:g}": sigma / 255.0 for sigma in args.sigmas}
    methods = {}
    for weight in (0.5, 0.7, 1.0, 1.4):
        methods[f"total variation, weight {weight:g} sigma"] = functools.partial(
            total_variation, weight=weight
        )
    for h in (0.4, 0.6, 0.8, 1.0):
        methods[f"non-local means, h = {h:g} sigma"] = functools.partial(non_local_means, h=h)
    args.last = 5 if args.last is None else args.last
    table(args, methods, cases, add_noise)


def add_noise(clean, sigma, seed):
    """Return a noisy picture, and how noisy it is."""
    noisy = degradations.AdditiveNoise(sigma, seed=seed)(clean)
    return keras.ops.convert_to_numpy(noisy), sigma


def table(args, methods, cases, spoil, channels=1, multiple=1):
    """Print what each method makes of each case, on average over all pictures."""
    pictures = pictures_in(args.data, channels, args.last, multiple)
    print(f"| {len(pictures)} pictures, seed {args.seed} | {' | '.join(cases)} |")
    print("| --- " * (len(cases) + 1) + "|")
    for method, restore in methods.items():
        if not any(word in method for word in args.only):
            continue
        cells = []
        for case in cases.values():
            rows = []
            for index, clean in enumerate(pictures):  # each has noise or holes of its own
                spoiled = spoil(clean, case, seed=100 * args.seed + index)
                rows.append(figures(clean, restore(*spoiled)))
            psnr, ssim = np.mean(rows, axis=0)
            cells.append(f"{psnr:.2f} dB, {ssim:.4f}")
        print(f"| {method} | {' | '.join(cells)} |", flush=True)


def photo(args):
    """Print how long a large photograph takes, and how much memory."""
    model = ki.load_pretrained("denoiser-color")
    side = round((args.megapixels * 1e6 / 1.5) ** 0.5)
    small = ki.load("photos", "test", channels=3).pictures[0]
    shape = (side, round(1.5 * side))
    times = [-(-a // b) for a, b in zip(shape, small.shape[:2], strict=True)]
    picture = to_float(np.tile(small, (*times, 1))[: shape[0], : shape[1]])[None]
    model.restore(picture[:, :300, :300])  # the model's own memory, and TensorFlow's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    model.restore(picture, tile=args.tile)
    seconds = time.perf_counter() - begin
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    megapixels = np.prod(shape) / 1e6
    print(
        f"{megapixels:.1f} megapixels in {seconds:.1f} s, {seconds / megapixels:.2f} s each; "
        f"{more:.2f} GiB above the model's own ({os.cpu_count()} cores, tiles of {args.tile})"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for function in (noise, holes, undo, coverage, borders, settings):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.add_argument("--data", type=Path, required=True, help="folder of test pictures")
        if function is undo:
            command.add_argument("--noise", type=float, default=0.01, help="behind the blur")
        if function in (noise, holes, undo, borders):
            command.add_argument("--model", default="denoiser-gray", help="or denoiser-color")
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--sigmas", type=float, nargs="+", default=[15.0, 25.0, 50.0])
        command.add_argument("--last", type=int, help="use the last few by name")
        command.add_argument("--only", nargs="+", default=[""], help="rows that hold these words")
        command.set_defaults(function=function)
    command = commands.add_parser("photo", help=photo.__doc__)
    command.add_argument("--megapixels", type=float, default=24.0)
    command.add_argument("--tile", type=int, default=1024)
    command.set_defaults(function=photo)
    args = parser.parse_args()
    args.function(args)


if __name__ == "__main__":
    main()
