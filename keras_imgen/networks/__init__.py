"""Networks: functions that return a built functional `keras.Model`.

Every builder takes `image_shape`, the shape `(height, width, channels)` of one picture in [0, 1],
and returns a network whose last layer is float32. Odd sides work everywhere; `dncnn`, `drunet`,
`unet` and `conv_lstm` take pictures of any size when the sides are given as None; `extra_channels`
is the number of channels that the degradation appends to a picture, `degradation.extra_channels`.
"""

from keras_imgen.networks.conditioned import diffusion_unet
from keras_imgen.networks.flows import FlowPrior
from keras_imgen.networks.gans import (
    dcgan_discriminator,
    dcgan_generator,
    resnet_discriminator,
    resnet_generator,
)
from keras_imgen.networks.recurrent import ConvLSTM, conv_lstm
from keras_imgen.networks.restorers import dncnn, drunet, unet
from keras_imgen.networks.vaes import (
    dense_vae_decoder,
    dense_vae_encoder,
    resnet_vae_decoder,
    resnet_vae_encoder,
    vae_decoder,
    vae_encoder,
)

__all__ = [
    "ConvLSTM",
    "FlowPrior",
    "conv_lstm",
    "dcgan_discriminator",
    "dcgan_generator",
    "dense_vae_decoder",
    "dense_vae_encoder",
    "diffusion_unet",
    "dncnn",
    "drunet",
    "resnet_discriminator",
    "resnet_generator",
    "resnet_vae_decoder",
    "resnet_vae_encoder",
    "unet",
    "vae_decoder",
    "vae_encoder",
]
