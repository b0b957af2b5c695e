"""What `keras-imgen train` and `demo` train: data, model and pictures of each family."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from keras_imgen import (
    GAN,
    VAE,
    Diffusion,
    Restorer,
    callbacks,
    metrics,
    networks,
)
from keras_imgen.data import to_float
from keras_imgen.degradations import AdditiveNoise, Compose, MissingBlocks, MissingFrames


@dataclass(frozen=True)
class Recipe:
    """One family: what it is trained on, how it is built, and how it is shown and measured.

    Attributes:
        title: heading for people.
        text: one sentence on what it does.
        data: name of the set it is trained on by default.
        batch_size: pictures per batch by default.
        epochs: epochs by default.
        build: function `(image_shape, seed, **choices) -> compiled model`, the library's own
            defaults, but for the prior of a VAE.
        watch: function `(test dataset, folder) -> callback that writes a picture per epoch`.
        measure: function `(model, test dataset) -> {name: (before, after)}`.
    """

    title: str
    text: str
    data: str
    batch_size: int
    epochs: int
    build: Callable
    watch: Callable
    measure: Callable


def _gan(image_shape, seed, num_classes=0):
    model = GAN(
        networks.dcgan_generator(image_shape, num_classes=num_classes),
        networks.dcgan_discriminator(image_shape, num_classes=num_classes),
        seed=seed,
    )
    model.compile()
    return model


def _vae(image_shape, seed, num_classes=0, latent_dim=16):
    options = {"latent_dim": latent_dim, "num_classes": num_classes}
    encoder = networks.vae_encoder(image_shape, **options)
    decoder = networks.vae_decoder(image_shape, **options)
    # Without it, most of what is drawn at random lies where no digit does.
    model = VAE(encoder, decoder, networks.FlowPrior(latent_dim), seed=seed)
    model.compile(loss="bernoulli" if image_shape[-1] == 1 else "gaussian")
    return model


def _diffusion(image_shape, seed, num_classes=0):
    network = networks.diffusion_unet(image_shape, num_classes=num_classes)
    model = Diffusion(network, seed=seed)
    model.compile()
    return model


def _denoiser(image_shape, seed, sigma=25 / 255):
    network = networks.dncnn((None, None, image_shape[-1]))
    model = Restorer(network, AdditiveNoise(sigma, seed=seed), seed=seed)
    model.compile()
    return model


def _inpainter(image_shape, seed):
    network = networks.drunet((None, None, image_shape[-1]), extra_channels=1, fill_holes=True)
    model = Restorer(network, MissingBlocks(0.2, 6, seed=seed), keep_known=True, seed=seed)
    model.compile()
    return model


def _sequence_restorer(image_shape, seed):
    degradation = Compose([AdditiveNoise(0.2, seed=seed), MissingFrames(3, seed=seed + 1)])
    network = networks.conv_lstm((None, None, image_shape[-1]), extra_channels=1)
    model = Restorer(network, degradation, seed=seed)
    model.compile()
    return model


def _samples(test, folder):
    return callbacks.SampleGrid(folder)


def _panels(test, folder):
    return callbacks.BeforeAfter(test, folder)


def _measure_samples(model, test):
    """Distance of samples from held-out pictures: of noise, and of what is made of it."""
    real = test.take(1000)
    noise = np.random.default_rng(0).random(real.shape, "float32")
    return {
        "Fréchet distance of pixels (64 components, 1,000 samples)": (
            pixel_frechet_distance(real, noise),
            pixel_frechet_distance(real, model.sample(len(real), seed=0)),
        )
    }


def _measure_vae(model, test):
    """What a grey picture costs: by the mean picture for all, and by the VAE."""
    pictures = test.take(1000)
    mean = np.broadcast_to(pictures.mean(axis=0), pictures.shape)
    error = np.mean(keras.ops.convert_to_numpy(model.loss.nll_of_mean(pictures, mean)))
    loss = model.evaluate(pictures, verbose=0, return_dict=True)["loss"]
    reconstructed = model.reconstruct(pictures)
    return {
        "cross-entropy of grey pictures and KL (which is no likelihood), nats": (
            float(error),
            float(loss),
        ),
        "PSNR of reconstructions, dB": tuple(
            float(keras.ops.mean(metrics.psnr(pictures, x))) for x in (mean, reconstructed)
        ),
    }


def _measure_restorer(model, test):
    """PSNR of observed and restored photographs; of holes inside them, before that of the mean."""
    pairs = []
    for picture in test.pictures:  # whole, one by one: they need not have one size
        clean = to_float(picture[None])
        observed = keras.ops.convert_to_numpy(model.degradation(clean, training=False))
        restored = model.restore(observed)
        before = observed[..., : clean.shape[-1]]
        if model.keep_known:
            hidden = np.broadcast_to(observed[..., -1:] == 0, clean.shape)
            before = np.where(hidden, clean[~hidden].mean(), before)
            pairs.append([_psnr_where(hidden, clean, x) for x in (before, restored)])
        else:
            pairs.append([_mean_psnr(clean, x) for x in (before, restored)])
    where = " inside the holes (before: filled with the mean)" if model.keep_known else ""
    return {f"PSNR{where}, dB": tuple(float(value) for value in np.mean(pairs, axis=0))}


def _measure_sequences(model, test):
    """PSNR of frames with noise and of lost ones: one mean of both would hide the harder part."""
    clean = test.take(64)
    observed = keras.ops.convert_to_numpy(model.degradation(clean, training=False))
    restored = model.restore(observed)
    lost = observed[..., -1].max(axis=(2, 3)) == 0
    return {
        f"PSNR of {name} frames, dB": tuple(
            _mean_psnr(clean[which], pictures[which])
            for pictures in (observed[..., : clean.shape[-1]], restored)
        )
        for name, which in (("noisy", ~lost), ("lost", lost))
    }


def _mean_psnr(clean, pictures):
    return float(keras.ops.mean(metrics.psnr(clean, pictures, clip=True)))


def _psnr_where(chosen, clean, picture):
    return -10.0 * np.log10(np.mean(np.square(picture[chosen] - clean[chosen])))


def pixel_frechet_distance(real, made, components: int = 64) -> float:
    """Fréchet distance of two sets of pictures in the principal components of the real ones.

    Pixels in place of the features of a network: a rough figure that means something for any set
    of pictures, and compares only with figures of the same set.
    """
    real, made = (x.reshape(len(x), -1).astype("float64") for x in (real, made))
    mean = real.mean(axis=0)
    _, _, axes = np.linalg.svd(real - mean, full_matrices=False)
    return metrics.frechet_distance(*((x - mean) @ axes[:components].T for x in (real, made)))


RECIPES = {
    "gan": Recipe(
        title="GAN: digits out of noise",
        text="Two networks that only fight: one draws digits, the other tells them from real ones.",
        data="digits",
        batch_size=32,
        epochs=28,
        build=_gan,
        watch=_samples,
        measure=_measure_samples,
    ),
    "vae": Recipe(
        title="VAE: digits out of 16 numbers",
        text="A digit becomes sixteen numbers and comes back; random numbers become new digits.",
        data="digits",
        batch_size=32,
        epochs=32,
        build=_vae,
        watch=_samples,
        measure=_measure_vae,
    ),
    "diffusion": Recipe(
        title="Diffusion: digits by removing noise, a little at a time",
        text="A network learns to take noise away; asked again and again, it draws digits.",
        data="digits",
        batch_size=64,
        epochs=60,
        build=_diffusion,
        watch=_samples,
        measure=_measure_samples,
    ),
    "denoise": Recipe(
        title="CNN: photographs without their noise",
        text="Gaussian noise of sigma 25 (of 255 grey levels) is predicted and subtracted.",
        data="photos",
        batch_size=8,
        epochs=9,
        build=_denoiser,
        watch=_panels,
        measure=_measure_restorer,
    ),
    "inpaint": Recipe(
        title="CNN: photographs without their holes",
        text="A fifth of the picture is missing in blocks; a network fills in what may have been.",
        data="photos",
        batch_size=8,
        epochs=9,
        build=_inpainter,
        watch=_panels,
        measure=_measure_restorer,
    ),
    "sequence": Recipe(
        title="ConvLSTM: moving digits without noise and gaps",
        text="Three of ten frames are lost, the others noisy: what was lost the others must tell.",
        data="moving_digits",
        batch_size=4,
        epochs=4,
        build=_sequence_restorer,
        watch=_panels,
        measure=_measure_sequences,
    ),
}


def choices(args, data) -> dict:
    """Return what the arguments say of the model, beside its data."""
    if args.labels:
        return {"num_classes": len(data.class_names or range(data.labels.max() + 1))}
    if args.sigma is not None:
        low_and_high = np.divide(args.sigma, 255.0).tolist()
        return {"sigma": tuple(low_and_high) if np.ndim(args.sigma) else low_and_high}
    return {}
