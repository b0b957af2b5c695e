"""`keras-imgen sample` and `restore`: what a trained model is used for."""

import os
import secrets
from pathlib import Path

import keras
import numpy as np

# Keras finds the classes of a file only after their import, and the command sees a lazy package.
from keras_imgen import GAN, VAE, Restorer, load_model, networks, plotting  # noqa: F401
from keras_imgen.cli import complain
from keras_imgen.data import sources, to_float, to_uint8
from keras_imgen.files import write_whole


def sample(args) -> None:
    """Draw new pictures and write them as one PNG file."""
    from PIL import Image

    path = Path(args.out)
    if path.suffix.lower() != ".png":
        raise ValueError(
            f"The pictures are written as one PNG file. Received: --out {args.out}. Pass a name "
            "that ends in .png."
        )
    if os.path.lexists(path):
        raise _existing(path)
    model = load_model(args.model)
    if not hasattr(model, "sample"):
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__}, which draws no new pictures. "
            "Use `keras-imgen restore`, or pass a GAN or VAE."
        )
    pixels = args.n * np.prod(model.picture_shape[:2], dtype=float) * args.scale**2
    if pixels > Image.MAX_IMAGE_PIXELS:
        raise ValueError(
            f"{args.n} pictures at --scale {args.scale} would make one of {pixels / 1e6:.0f} "
            f"million pixels, and at most {Image.MAX_IMAGE_PIXELS / 1e6:.0f} million are written. "
            "Pass a smaller -n or --scale."
        )
    seed = secrets.randbits(24) if args.seed is None else args.seed
    columns = model.num_classes if args.label is None and model.num_classes else None
    pictures = model.sample(args.n, labels=args.label, seed=seed)
    plotting.save_grid(path, pictures, columns, scale=args.scale)
    print(f"{args.n} pictures in {path} (seed {seed}).")


def restore(args) -> int:
    """Restore every picture given; a model of sequences takes them as the frames of one.

    What cannot be read, and what has a result already, is named and left out, so that one bad
    picture does not hold up a thousand, and the same command goes on where it was cut off.
    """
    files, folder = _files(args.pictures), Path(args.out)
    targets = [folder / f"{file.stem}.png" for file in files]
    if len({str(target).casefold() for target in targets}) < len(targets):
        raise ValueError(
            "Two of the pictures have the same name, so one would overwrite the other. "
            "Restore them in two runs with different --out."
        )
    if all(map(os.path.lexists, targets)):
        raise _existing(*targets)
    mask = None if args.mask is None else _read_mask(args.mask)
    model = load_model(args.model)
    _check_restorer(model, args)
    if len(model.picture_shape) == 4:
        frames = _stack_frames([_read(file) for file in files], model.picture_shape[-1])
        sequence = _restore(model, frames[None], mask, args.degrade)[0]
        restored = dict(zip(files, sequence, strict=True))
    left_out = 0
    for file, target in zip(files, targets, strict=True):
        try:
            if os.path.lexists(target):
                raise _existing(target)
            if len(model.picture_shape) == 4:
                picture = restored[file]
            else:
                picture = _restore_any(model, _read(file), mask, args.degrade)
        except (ValueError, FileExistsError) as error:
            complain(error)
            left_out += 1
            continue
        with write_whole(target) as unfinished:
            sources.as_image(to_uint8(picture)).save(unfinished)
        print(f"{file} -> {target}", flush=True)
    if not left_out:
        return 0
    return 1 if left_out < len(files) else 2


def _read(file):
    return to_float(sources.read_picture(file))


def _files(paths):
    files = []
    for path in map(Path, paths):
        if os.path.isdir(path):
            found = sources.list_pictures(path)
            if not found:
                raise FileNotFoundError(f"There is no PNG or JPEG file in {str(path)!r}.")
            files += found
        elif os.path.lexists(path):
            files.append(path)
        else:
            raise FileNotFoundError(f"There is no picture {str(path)!r}.")
    return files


def _existing(path, *others):
    more = f" and {len(others)} more exist and are" if others else " exists and is"
    return FileExistsError(f"{str(path)!r}{more} not overwritten. Pass another --out.")


def _check_restorer(model, args):
    """Raise if a model restores nothing, or not with what it is told of holes."""
    if not hasattr(model, "restore"):
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__}, which restores nothing. "
            "Use `keras-imgen sample`, or pass a model trained to denoise, inpaint or restore."
        )
    if args.mask is not None and model.degradation.extra_channels != 1:
        raise ValueError("This model takes no mask. Leave out --mask.")
    if args.mask is None and model.degradation.extra_channels and not args.degrade:
        raise ValueError(
            "This model fills holes and must know where they are. Pass --mask PICTURE, white where "
            "pixels are missing, or --degrade to try it on holes of its own."
        )


def _restore_any(model, picture, mask, degrade):
    """Restore one picture; a grey model restores the channels of a coloured one one by one."""
    channels = model.picture_shape[-1]
    if channels == 1 and picture.shape[-1] == 3:
        planes = np.moveaxis(picture, -1, 0)[..., None]
        restored = [_restore(model, plane[None], mask, degrade)[0] for plane in planes]
        return np.concatenate(restored, axis=-1)
    if channels == 3 and picture.shape[-1] == 1:
        picture = np.repeat(picture, 3, axis=-1)
    return _restore(model, picture[None], mask, degrade)[0]


def _restore(model, pictures, mask, degrade):
    """Restore a batch, after spoiling it or marking its holes if need be."""
    if degrade:
        pictures = keras.ops.convert_to_numpy(model.degradation(pictures, training=False))
    elif mask is not None:
        if mask.shape[:2] != pictures.shape[-3:-1]:
            raise ValueError(
                "The mask must be as large as the picture, "
                f"{pictures.shape[-3]} x {pictures.shape[-2]} pixels. "
                f"Received: {mask.shape[0]} x {mask.shape[1]}."
            )
        known = np.broadcast_to(1.0 - mask, (*pictures.shape[:-1], 1))
        pictures = np.concatenate([pictures * known, known], axis=-1).astype("float32")
    return model.restore(pictures)


def _read_mask(path):
    """Return 1 where a picture is white, else 0, shape `(height, width, 1)`."""
    return (sources.with_channels(to_uint8(_read(path)), 1) > 127).astype("float32")


def _stack_frames(pictures, channels):
    frames = [to_float(sources.with_channels(to_uint8(picture), channels)) for picture in pictures]
    if len({frame.shape for frame in frames}) > 1:
        raise ValueError("The frames of a sequence must have equal sizes.")
    return np.stack(frames)
