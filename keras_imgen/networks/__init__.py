"""Networks: functions that return a built functional `keras.Model`.

Every builder takes `image_shape`, the shape `(height, width, channels)` of one picture in [0, 1],
and returns a network whose last layer is float32. Odd sides work everywhere; `dncnn` and `unet`
take pictures of any size when the sides are given as None; `extra_channels` is the number of
channels that the degradation appends to a picture, `degradation.extra_channels`.
"""

from keras_imgen.networks.generation import (
    dcgan_discriminator,
    dcgan_generator,
    vae_decoder,
    vae_encoder,
)
from keras_imgen.networks.restoration import conv_lstm, dncnn, unet

__all__ = [
    "conv_lstm",
    "dcgan_discriminator",
    "dcgan_generator",
    "dncnn",
    "unet",
    "vae_decoder",
    "vae_encoder",
]
