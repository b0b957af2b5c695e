"""The families as small as they can be, and what tells two models apart."""

import keras
import numpy as np

from keras_imgen import GAN, VAE, Diffusion, Restorer, degradations, networks

SHAPE = (8, 8, 1)


def gan(shape=SHAPE):
    """Return a compiled GAN; the other functions the other families."""
    generator = networks.dcgan_generator(shape, latent_dim=2, filters=2)
    discriminator = networks.dcgan_discriminator(shape, 2, dropout=0.3, batch_norm=False)
    model = GAN(generator, discriminator, seed=0)
    model.compile(loss="hinge")
    return model


def conditional_gan(shape=SHAPE):
    generator = networks.dcgan_generator(shape, latent_dim=2, filters=2, num_classes=3)
    discriminator = networks.dcgan_discriminator(shape, filters=2, num_classes=3)
    model = GAN(generator, discriminator, seed=0)
    model.compile()
    return model


def vae(shape=SHAPE):
    encoder = networks.vae_encoder(shape, latent_dim=2, filters=2)
    model = VAE(encoder, networks.vae_decoder(shape, latent_dim=2, filters=2), seed=0)
    model.compile()
    return model


def diffusion(shape=SHAPE, num_classes=0):
    network = networks.diffusion_unet(shape, (2,), num_classes=num_classes)
    model = Diffusion(network, seed=0)
    model.compile()
    return model


def conditional_diffusion(shape=SHAPE):
    return diffusion(shape, num_classes=3)


def denoiser(shape=SHAPE):
    network = networks.dncnn((None, None, 1), depth=3, filters=2, batch_norm=True)
    return _restorer(network, degradations.AdditiveNoise(0.1, seed=0))


def inpainter(shape=SHAPE):
    network = networks.unet((None, None, 1), extra_channels=1, depth=1, filters=2)
    return _restorer(network, degradations.MissingBlocks(0.3, 3, seed=0), keep_known=True)


def sequence(shape=SHAPE):
    network = networks.conv_lstm(shape, extra_channels=1, filters=2)
    return _restorer(network, degradations.MissingFrames(1, seed=0))


def _restorer(network, degradation, **settings):
    model = Restorer(network, degradation, seed=0, **settings)
    model.compile()
    return model


FAMILIES = {build.__name__: build for build in (gan, vae, diffusion, denoiser, inpainter, sequence)}


def values(model) -> list[np.ndarray]:
    """Return everything that training changes: weights, random states, moments."""
    variables = (*model.variables, *model.optimizer.variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def equal(left, right) -> bool:
    """Return whether two models' values are the same, bit for bit."""
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))
