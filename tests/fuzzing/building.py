"""Networks, degradations, callbacks, models and figures: made or called with odd arguments."""

import keras
import numpy as np
from hypothesis import strategies as st

from fuzzing.inputs import NAN, SHAPE, TIME, mostly, numbers, options, pictures, small_numbers
from fuzzing.judge import outcome
from fuzzing.models import check_dataset, model_of
from keras_imgen import (
    GAN,
    VAE,
    Restorer,
    callbacks,
    data,
    degradations,
    load_moving_digits,
    load_moving_photos,
    losses,
    metrics,
    networks,
    plotting,
)

# What is called with one or two odd options; the others have these values. Sizes of networks are
# not drawn enormous: how much memory there is, is not theirs to know.
IMAGE_SHAPES = st.sampled_from(
    [(8, 9, 1), (8, 9), (8, 9, 0), (7, 9, 1), (None, None, 1), (8.0, 9, 1), "x", None, 8, ()]
)
WAYS = [degradations.MissingPixels(seed=0), degradations.MissingBlocks(seed=0)]
REAL = np.random.default_rng(0).random((80, *SHAPE))  # more than their pixels
PIXELS = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()])
COMPARED = {"real": REAL, "extractor": metrics.Features(PIXELS, "pixels")}
GENERATED = {"image_shape": IMAGE_SHAPES, "filters": 2, "num_classes": 0}
PENALTIES = (losses.R1, losses.R2, losses.R1R2, losses.GradientPenalty)

CONSTRUCTORS = {
    networks.dncnn: {"image_shape": IMAGE_SHAPES, "depth": 3, "filters": 2, "extra_channels": 0},
    networks.drunet: {
        "image_shape": IMAGE_SHAPES,
        "filters": (2, 4),
        "num_blocks": 1,
        "block_size": 1,
        "extra_channels": 0,
    },
    networks.diffusion_unet: {
        "image_shape": IMAGE_SHAPES,
        "filters": (2, 4),
        "num_blocks": 1,
        "block_size": 1,
        "num_classes": 0,
    },
    networks.unet: {"image_shape": IMAGE_SHAPES, "depth": 1, "filters": 2, "extra_channels": 0},
    networks.conv_lstm: {"image_shape": IMAGE_SHAPES, "filters": 2, "extra_channels": 0},
    networks.dcgan_generator: {**GENERATED, "latent_dim": 2},
    networks.resnet_generator: {**GENERATED, "latent_dim": 2},
    networks.dcgan_discriminator: {**GENERATED, "dropout": 0.5, "batch_norm": True},
    networks.resnet_discriminator: {**GENERATED, "spectral_norm": True},
    networks.vae_encoder: {"image_shape": IMAGE_SHAPES, "latent_dim": 2, "filters": 2},
    networks.vae_decoder: {"image_shape": IMAGE_SHAPES, "latent_dim": 2, "filters": 2},
    networks.dense_vae_encoder: {"image_shape": IMAGE_SHAPES, "latent_dim": 2, "units": (2,)},
    networks.dense_vae_decoder: {
        "image_shape": IMAGE_SHAPES,
        "latent_dim": 2,
        "units": (2,),
        "variance": "one",
    },
    networks.resnet_vae_encoder: {"image_shape": IMAGE_SHAPES, "latent_dim": 2, "filters": 2},
    networks.resnet_vae_decoder: {"image_shape": IMAGE_SHAPES, "latent_dim": 2, "filters": 2},
    networks.ConvLSTM: {"filters": 2, "kernel_size": 3, "go_backwards": False},
    networks.FlowPrior: {"latent_dim": 2, "num_layers": 2, "units": 2},
    degradations.AdditiveNoise: {"sigma": 0.1, "seed": 0},
    degradations.PoissonNoise: {"gain": 0.1, "append_level": False, "seed": 0},
    degradations.SaltAndPepper: {"fraction": 0.1, "append_level": False, "seed": 0},
    degradations.Blur: {"sigma": 0.5, "append_level": False, "seed": 0},
    degradations.MotionBlur: {"length": 3.0, "angle": None, "append_level": False, "seed": 0},
    degradations.Mosaic: {"pattern": "RGGB", "seed": 0},
    degradations.Downsample: {"factor": 2, "seed": 0},
    degradations.JpegCompression: {"quality": 30, "append_level": False, "seed": 0},
    degradations.FreeFormHoles: {"fraction": 0.1, "strokes": 2, "seed": 0},
    degradations.TextOverlay: {"text": "word", "size": 8, "seed": 0},
    degradations.MissingPixels: {"fraction": 0.1, "seed": 0},
    degradations.MissingBlocks: {"fraction": 0.1, "block_size": 2, "seed": 0},
    degradations.MissingFrames: {"num_frames": 1, "seed": 0},
    degradations.Flicker: {"strength": 0.1, "append_level": False, "seed": 0},
    degradations.Scratches: {"num_lines": 2, "width": 1.0, "lifetime": 3.0, "seed": 0},
    degradations.Persistent: {"degradation": WAYS[0], "speed": 1.0, "seed": 0},
    degradations.Compose: {"degradations": [degradations.AdditiveNoise()]},
    degradations.OneOf: {"degradations": WAYS, "seed": 0},
    callbacks.SampleGrid: {"n": 2, "scale": 2, "every": 1, "columns": 2, "seed": 0},
    callbacks.BeforeAfter: {"pictures": np.zeros((2, *SHAPE)), "n": 2, "every": 1},
    callbacks.LatentTraversal: {"rows": 2, "columns": 2, "scale": 2, "every": 1, "seed": 0},
    callbacks.EpochFigure: {"function": plotting.plot_manifold, "every": 1},
    callbacks.TrainingHealth: {"patience": 3, "least_diversity": 0.5, "max_rollbacks": 3, "n": 8},
    callbacks.TrainingGif: {"folder": "samples", "seconds": 0.1},
    callbacks.Resume: {"folder": "run"},
    losses.NonSaturating: {"label_smoothing": 0.1},
    losses.Gaussian: {"sigma": 0.1},
    **{penalty: {"weight": 1.0, "every": 2} for penalty in PENALTIES},
    losses.Charbonnier: {"epsilon": 1e-3},
    losses.StructuralL1: {"weight": 0.84},
    metrics.Features: {"network": PIXELS, "name": "pixels", "resize": None},
    metrics.FrechetDistance: COMPARED,
    metrics.KernelDistance: {**COMPARED, "subset_size": 5, "seed": 0},
    metrics.PrecisionRecall: {**COMPARED, "neighbors": 2},
    metrics.ErrorBars: {"coverage": 0.9},
    load_moving_digits: {
        "num_sequences": 2,
        "num_frames": 2,
        "size": 32,
        "num_digits": 1,
        "batch_size": 2,
        "seed": 0,
    },
    load_moving_photos: {
        "num_sequences": 2,
        "num_frames": 2,
        "size": 16,
        "channels": 1,
        "batch_size": 2,
        "seed": 0,
    },
}
SHOWN = (callbacks.SampleGrid, callbacks.LatentTraversal, callbacks.EpochFigure)
MOVING = (load_moving_digits, load_moving_photos)  # which take longer than all the rest
BUILT = tuple(made for made in CONSTRUCTORS if made not in MOVING)
ENORMOUS_TOO = (callbacks.SampleGrid, *MOVING)


@st.composite
def constructions(draw, members):
    """Draw what is to be built, and odd values for one or two of its options."""
    built = draw(st.sampled_from(members))
    usual = CONSTRUCTORS[built]
    values = numbers if built in ENORMOUS_TOO else small_numbers
    odd = {k: v if isinstance(v, st.SearchStrategy) else values for k, v in usual.items()}
    return built, draw(options(**odd))


def fuzz_construct(case):
    """Networks, degradations, callbacks and moving digits are built and work, or are refused."""
    built, chosen = case
    usual = {
        name: SHAPE if isinstance(value, st.SearchStrategy) else value
        for name, value in CONSTRUCTORS[built].items()
    }

    def call():
        made = built(**{**usual, **chosen})
        if isinstance(made, degradations.Degradation):
            made(np.zeros((2, TIME, *SHAPE), "float32"))
        elif isinstance(made, keras.losses.Loss):
            made(*np.zeros((2, 2, 12, 13, 1), "float32"))
        elif isinstance(made, metrics.Features):
            made(REAL)
        elif isinstance(made, metrics.ErrorBars):
            made.fit(REAL, REAL[::-1], np.ones_like(REAL))
        elif type(made).__module__.startswith("keras_imgen.metrics"):
            made(REAL[::-1])
        elif isinstance(made, data.PictureDataset):
            check_dataset(made)
        elif isinstance(made, SHOWN):
            made.set_model(model_of("gan"))
            made.on_train_begin()
            made.on_epoch_end(0)

    return outcome(call)


@st.composite
def compilations(draw):
    """Draw a model with odd settings and odd arguments of `compile`."""
    kind = draw(st.sampled_from(["gan", "vae", "denoiser"]))
    odd = st.sampled_from(["x", 3, keras.optimizers.Adam, None, "adam", [], NAN, -1.0])
    names = ("generator_optimizer", "discriminator_optimizer") if kind == "gan" else ("optimizer",)
    flags = ("run_eagerly", "jit_compile", "steps_per_execution")
    settings = {
        "gan": {"ema_momentum": numbers}
        | dict.fromkeys(("generator", "discriminator", "augmentation"), odd),
        "vae": dict.fromkeys(("kl_weight", "kl_warm_up", "free_bits", "ema_momentum"), numbers)
        | {"num_importance_samples": small_numbers}
        | dict.fromkeys(("encoder", "decoder", "prior"), odd),
        "denoiser": {"keep_known": numbers, "network": odd, "degradation": odd},
    }
    arguments = dict.fromkeys((*names, "loss"), odd) | dict.fromkeys(flags, small_numbers)
    if kind == "gan":
        arguments["critic_steps"] = small_numbers
        arguments["loss"] = arguments["penalty"] = mostly(st.sampled_from(ADVERSARIAL), odd)
    chosen = draw(options(1, seed=numbers, name=st.sampled_from(["a/b", "x", 3]), **settings[kind]))
    return kind, chosen, draw(options(**arguments))


ADVERSARIAL = [*losses.ADVERSARIAL, *losses.PENALTIES]
PARTS = {
    "gan": (GAN, ("generator", "discriminator"), {}),
    "vae": (VAE, ("encoder", "decoder"), {}),
    "denoiser": (Restorer, ("network", "degradation"), {}),
}


def fuzz_compile(case):
    """Models are made and compiled, or refused."""
    kind, chosen, arguments = case
    cls, names, _ = PARTS[kind]
    # Fresh networks: an optimizer must never meet those of another model.
    parts = {name: getattr(model_of(kind), name) for name in names}
    return outcome(lambda: cls(**{**parts, **chosen}).compile(**arguments))


FORMULAS = (
    *(metrics.psnr, metrics.ssim, metrics.flicker, losses.bernoulli_nll, losses.gaussian_nll),
    *(data.check_pictures, data.to_float, data.to_uint8),
)


def fuzz_formula(case):
    """A figure is a finite number per picture, or refused."""
    formula, first, second = case
    given = [first.made(), second.made()][: 1 if formula in FORMULAS[5:] else 2]
    return outcome(lambda: formula(*given))


formulas = st.tuples(
    st.sampled_from(FORMULAS), pictures((12, 13, 1)), mostly(pictures((12, 13, 1)), pictures())
)
