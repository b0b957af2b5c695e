"""`keras-imgen sample` and `restore`: what a trained model is used for."""

import os
import sys
from pathlib import Path

import keras
import numpy as np

# Keras finds the classes of a file only after their import, and the command sees a lazy package.
from keras_imgen import (  # noqa: F401
    GAN,
    VAE,
    Diffusion,
    Restorer,
    degradations,
    load_model,
    load_pretrained,
    networks,
    plotting,
)
from keras_imgen.checks import seed_or_new
from keras_imgen.cli import maps, undo
from keras_imgen.cli.command import complain
from keras_imgen.cli.inputs import LeftOut, existing, find, run_config, split_off_collisions
from keras_imgen.data import sources, to_float
from keras_imgen.data.photos import read_photo, read_picture, write_photo
from keras_imgen.files import write_whole
from keras_imgen.pretrained import UNTRAINED
from keras_imgen.sigma import level_to_pass


def sample(args) -> None:
    """Draw new pictures and write them as one PNG file."""
    from PIL import Image

    model = load_model(args.model)
    if not hasattr(model, "sample"):
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__}, which draws no new pictures. "
            "Use `keras-imgen restore`, or pass a GAN, VAE or diffusion model."
        )
    pixels = args.n * np.prod(model.image_shape[:2], dtype=float) * args.scale**2
    if pixels > Image.MAX_IMAGE_PIXELS:
        raise ValueError(
            f"{args.n} pictures at --scale {args.scale} would make one of {pixels / 1e6:.0f} "
            f"million pixels, and at most {Image.MAX_IMAGE_PIXELS / 1e6:.0f} million are written. "
            "Pass a smaller -n or --scale."
        )
    how = {name: getattr(args, name) for name in ("steps", "guidance")}
    how = {name: value for name, value in how.items() if value is not None}
    if how and not isinstance(model, Diffusion):
        raise ValueError(
            f"--{next(iter(how))} is for diffusion models. Received: a {type(model).__name__}. "
            "Leave it out."
        )
    label = _label(args, model)
    seed = seed_or_new(args.seed)
    columns = model.num_classes if label is None and model.num_classes else None
    pictures = model.sample(args.n, labels=label, seed=seed, **how)
    plotting.save_grid(args.out, pictures, columns, scale=args.scale)
    print(f"{args.n} pictures in {args.out} (seed {seed}).")


def _label(args, model):
    """Return the class that is asked for by its number, or by the name that its training knew."""
    if args.label is None:
        return None
    if args.label.isdecimal() and len(args.label) < 10:
        return int(args.label)
    names = run_config(args.model).get("class_names")
    if names is None or len(names) != model.num_classes:
        raise ValueError(
            f"This model's classes have no names here. Received: --label {args.label}. Pass a "
            "number, the first class is 0."
        )
    if args.label not in names:
        raise ValueError(
            f"--label takes a number or one of {', '.join(names[:20])}"
            f"{', ...' if len(names) > 20 else ''}. Received: --label {args.label}."
        )
    return names.index(args.label)


def restore(args) -> int:
    """Restore every picture given; a model of sequences takes them as the frames of one.

    What cannot be read, and what has a result already, is named and left out, so that one bad
    picture does not hold up a thousand, and the same command goes on where it was cut off.
    """
    (found, notes), left_out = find(args.pictures, args.out, args.map), LeftOut()
    kept, refused = split_off_collisions(found, Path(args.out))
    there = [target for _, target in kept if os.path.lexists(target)]
    if len(there) == len(kept):
        raise existing(*there)
    model = named(args.model)
    parts = undo.read(args.undo) if args.undo else []
    options = {"self_ensemble": args.self_ensemble, "tile": args.tile}
    options = options if parts else _options(model, args)
    mask = None if args.mask is None else _read_mask(args.mask)
    if parts:
        undo.check(model, parts, mask, args.degrade)
    if args.map is not None:
        maps.check(model, args)
        options["return_std"] = True
    filler = load_pretrained("inpainter") if parts and mask is not None else None
    of_sequences = len(model.image_shape) == 4
    if of_sequences:
        if refused:  # without one of its frames it is another sequence
            raise ValueError(refused[0][1])
        frames = _stack_frames([read_picture(file) for file, _ in kept], model.image_shape[-1])
        sequence = _restore(model, frames[None], mask, args.degrade, options)[0][0]
        restored = dict(zip([file for file, _ in kept], sequence, strict=True))
    for note in notes:
        complain(note)
    for file, reason in refused:
        left_out.add(file, reason)
    if there:
        complain(existing(*there))
        left_out.count += len(there)
    for file, target in kept:
        if target in there:
            continue
        try:
            chart_file = maps.file(args.map, target, args.out)
            photo, chart = read_photo(file), None
            if photo.frames > 1:
                complain(
                    f"{str(file)!r} is an animation of {photo.frames} pictures. The first one is "
                    "restored."
                )
            if of_sequences:
                picture, said = restored[file], ""
            else:
                picture, chart, said = _restored(
                    model, photo.picture, parts, mask, filler, options, args
                )
                photo = undo.as_large(photo, picture)
        except (FileExistsError, ValueError) as error:
            left_out.add(file, error)
            continue
        if chart is not None:
            plotting.save_grid(chart_file, chart[None], padding=0)
            said += f" (map: {chart_file})"
        with write_whole(target) as unfinished:
            write_photo(unfinished, photo._replace(picture=picture))
        print(f"{file} -> {target}{said}", flush=True)
    left_out.close()
    if not left_out.count:
        return 0
    return 1 if left_out.count < len(found) else 2


def _restored(model, picture, parts, mask, filler, options, args):
    """Return a restored picture, its map of errors or None, and a word on the noise."""
    said, degrade = "", args.degrade
    if parts:
        level = undo.level_of(picture, parts, args.sigma)
        said = f" (noise: --sigma {255 * level:.0f})" if args.sigma == "auto" else ""
        picture = undo.as_observed(picture, parts)

        def answer(seen, holes):
            start = None
            if filler is not None:
                start = _restore_any(filler, seen, holes, False, {"tile": args.tile})[0]
            return undo.undone(model, seen, parts, level, mask=holes, start=start, **options)

    else:
        level = options.get("level")
        if args.sigma == "auto" and not degrade:
            level = level_to_pass(model, picture)
            if level is not None:
                options = {**options, "level": level}
                said = f" (given: --sigma {255 * level:.0f})"

        def answer(seen, holes):
            return _restore_any(model, seen, holes, degrade, options)

    found, *std = answer(picture, mask)
    if not std:
        return found, None, said
    alone = not (parts[1:] or level) if parts else model.keep_known
    kept = mask is not None and alone  # known pixels stand as they were observed
    shape = (*model.image_shape[:2], picture.shape[-1])
    degradation = maps.went_through(model, parts, level, picture, mask)
    errors = maps.error_bars(answer, shape, degradation, mask, kept)(std[0])
    return found, maps.drawn(errors * mask if kept else errors), said


def named(name: str):
    """Return a model that ships with the package, by its name, or one from a file."""
    return load_pretrained(name) if name in UNTRAINED else load_model(name)


def check_colors(model, pictures):
    """Refuse pictures without colours if a model would not see the noise of them."""
    if not isinstance(model.degradation, degradations.AdditiveNoise) or pictures.shape[-1] == 1:
        return
    if np.all(pictures[..., :1] == pictures):
        raise ValueError(
            "The picture is grey, and this model knows noise that differs from colour to colour. "
            "Use denoiser-gray, or train one with --channels 1."
        )


def _options(model, args):
    """Return what `restore` is given beside the pictures, or raise if it does not fit the model."""
    if not hasattr(model, "restore"):
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__}, which restores nothing. "
            "Use `keras-imgen sample`, or pass a model trained to denoise, inpaint or restore."
        )
    appends = model.appends
    if args.degrade and model.learns_pairs:
        raise ValueError(
            "This model has learned from pairs and degrades no pictures. Leave out --degrade."
        )
    if args.mask is not None and appends != ("mask",):
        raise ValueError("This model takes no mask. Leave out --mask.")
    if args.mask is None and "mask" in appends and not args.degrade:
        raise ValueError(
            "This model fills holes and must know where they are. Pass --mask PICTURE, white where "
            "pixels are missing, or --degrade to try it on holes of its own."
        )
    options = {
        "self_ensemble": args.self_ensemble,
        "tile": args.tile,
        "progress": sys.stdout.isatty(),
    }
    if args.sigma == "auto":
        return options
    if appends != ("level",) or not isinstance(model.degradation, degradations.AdditiveNoise):
        raise ValueError(
            "This model is not conditioned on a noise level. Leave out --sigma, or use "
            "denoiser-gray or denoiser-color."
        )
    if args.degrade:
        raise ValueError("--degrade draws the noise itself. Leave out --sigma.")
    level, (weakest, strongest) = args.sigma / 255.0, model.degradation.range
    if not weakest <= level <= strongest:
        nearest = 255 * min(max(weakest, level), strongest)
        raise ValueError(
            f"--sigma must lie between {255 * weakest:g} and {255 * strongest:g}, the noise that "
            f"this model has learned from. Received: --sigma {args.sigma:g}. Pass {nearest:g}."
        )
    if level == 0.0 and model.degradation.share_given < 1.0:
        raise ValueError(
            "--sigma 0 would give this model no level. Leave it out, and the model estimates it."
        )
    return {**options, "level": level}


def _restore_any(model, picture, mask, degrade, options):
    """Restore one picture, whatever its channels and the model's; return what `_restore` does."""
    channels = model.image_shape[-1]
    if channels == 1 and picture.shape[-1] == 3:  # one by one
        planes = np.moveaxis(picture, -1, 0)[..., None]
        found = [_restore(model, plane[None], mask, degrade, options) for plane in planes]
        return [np.concatenate(each, axis=-1)[0] for each in zip(*found, strict=True)]
    if channels == 3 and picture.shape[-1] == 1:
        picture = np.repeat(picture, 3, axis=-1)
        found = _restore(model, picture[None], mask, degrade, options)
        return [each[0].mean(axis=-1, keepdims=True) for each in found]
    return [each[0] for each in _restore(model, picture[None], mask, degrade, options)]


def _restore(model, pictures, mask, degrade, options):
    """Restore a batch, after spoiling it or marking its holes if need be; return all in a list."""
    check_colors(model, pictures)
    if degrade:
        pictures = keras.ops.convert_to_numpy(model.degradation(pictures, training=False))
    elif mask is not None:
        if mask.shape[:2] != pictures.shape[-3:-1]:
            raise ValueError(
                "The mask must be as large as the picture, "
                f"{pictures.shape[-2]} x {pictures.shape[-3]} pixels (width x height). "
                f"Received: {mask.shape[1]} x {mask.shape[0]}."
            )
        options = {**options, "known": 1.0 - mask}
    found = model.restore(pictures, **options)
    return list(found) if isinstance(found, tuple) else [found]


def _read_mask(path):
    """Return 1 where a picture is white, else 0, shape `(height, width, 1)`, or raise."""
    try:
        photo = read_photo(path)
    except ValueError as error:
        raise ValueError(f"The mask {error}") from None
    white = photo.picture.mean(axis=-1, keepdims=True)
    if photo.alpha is not None:
        white = white * photo.alpha
    advice = "Paint what is missing white, and everything else black."
    if np.mean((white > 0.1) & (white < 0.9)) > 0.1:  # edges may be soft
        raise ValueError(f"The mask {str(path)!r} is not black and white. {advice}")
    mask = (white > 0.5).astype("float32")
    if mask.min() == mask.max():
        share = "nothing" if mask.max() == 0.0 else "the whole picture"
        raise ValueError(f"The mask {str(path)!r} hides {share}. {advice}")
    return mask


def _stack_frames(pictures, channels):
    frames = [to_float(sources.with_channels(picture, channels)) for picture in pictures]
    if len({frame.shape for frame in frames}) > 1:
        raise ValueError("The frames of a sequence must have equal sizes.")
    return np.stack(frames)
