# %% [markdown]
# # 17 · Tools and data
#
# **You will be able to**
#
# - say what a picture is in Pillow, OpenCV, scikit-image, PyTorch and Keras, and find a mix-up;
# - compare tools fairly, quality beside processor time;
# - read a training step in PyTorch and in Keras, line by line;
# - run the same restoration on two backends, and load a set by its name;
# - train a network on a folder of your own, and split it without a leak;
# - choose a tool for a job, and say who has to agree to the data.
#
# **You need** [tutorial 01](01_generation_and_restoration.ipynb), and [tutorial
# 05](05_cnn_denoising.ipynb) up to section 7; sections 3 and 4 recall 02, 04, 07 and 08.
#
# **Time** on two CPU cores: 3 minutes of computing, 75 minutes with reading and exercises.

# %%
# If the package is missing, this installs it: SOURCE, the wheel beside it, or the checkout around.
import importlib.util
import subprocess
import sys
from pathlib import Path

SOURCE = ""  # in Colab, for example: "git+" and the address of the package's repository

if importlib.util.find_spec("keras_imgen") is None:
    folders = [Path.cwd(), *Path.cwd().parents]
    found = [SOURCE] if SOURCE else []
    found += [wheel for f in folders for wheel in sorted(f.glob("keras_imgen-*.whl"))[-1:]]
    found += [folder for folder in folders if (folder / "keras_imgen" / "__init__.py").exists()]
    if not found:
        raise ModuleNotFoundError(
            "keras_imgen is not installed. Put its wheel beside this notebook, or set SOURCE above "
            "to the path or the address of its repository, and run this cell again."
        )
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", str(found[0])], check=True)
importlib.import_module("keras_imgen")  # before TensorFlow, whose quickest convolutions it chooses

if "get_ipython" in globals():  # the check of an exercise says what it found, and nothing else
    tell = lambda shell, kind, error, trace, tb_offset=None: print(f"Not yet: {error}")
    get_ipython().set_custom_exc((AssertionError,), tell)  # noqa: F821

# %% [markdown]
# ## One night, two cores, ten thousand photographs
#
# An archive has 10,000 noisy photographs of 12 megapixels each, and one computer with two cores,
# free from 8 in the evening to 8 in the morning. Here is what four tools make of a small
# photograph, two of them by two methods, each with its best setting:
#
# ![A cup of coffee, noisy, restored by six methods, and clean](attachment:cover)
#
# Above each stand its quality, over the whole photograph of which a part is shown, and its
# **processor time**, as a multiple of what Pillow needs. **Which should the archive run tonight?**
# Write it down; section 2 computes the hours.
#
# OpenCV, scikit-image and JAX do not come with `keras_imgen`. If one is missing, the notebook runs
# without its rows.

# %% tags=["setup"]
import contextlib
import io
import os
import tempfile
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops
from PIL import Image, ImageFilter

import keras_imgen as ki

to_float, to_uint8 = ki.data.to_float, ki.data.to_uint8
try:
    import cv2
except ImportError:
    cv2 = None
try:
    import skimage
    from skimage import restoration
except ImportError:
    skimage = None

SEED, SIGMA = 0, 25 / 255
REPEATS, SIDE = 3, None  # of each timing; of the pictures in pixels, None for all of them
DETAIL = np.s_[60:300, 190:470]  # rows and columns that are shown
BACKENDS = ("tensorflow", "jax")
EPOCHS, CROPS = 12, 24  # of the training; pieces of each file in every epoch
DEPTH, FILTERS = 7, 32  # of its network
if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":  # quick test: its figures mean nothing
    REPEATS, SIDE, BACKENDS, EPOCHS, CROPS = 1, 64, ("torch",), 1, 1
    DETAIL, DEPTH, FILTERS = np.s_[:64, :64], 3, 4

keras.utils.set_random_seed(SEED)
folder = Path(tempfile.mkdtemp())  # for all files that this notebook writes
if cv2 is None or skimage is None:
    print("To see every row: pip install opencv-python-headless scikit-image")

# %% [markdown]
# ## 1. What a picture is
#
# Tools differ in three things: the **type** of the numbers and their range, the order of the
# **colours**, and the order of the **axes** (height H, width W, channels C, number of pictures N).
# The same file, read by each, and its pixel in row 250, column 60:

# %%
coffee = ki.load_example("coffee")[:SIDE, :SIDE]
file, row, column = folder / "coffee.png", min(250, len(coffee) - 1), 60
Image.fromarray(to_uint8(coffee)).save(file)
image = Image.open(file)
print(f"Pillow's image: size {image.size}, pixel {image.getpixel((column, row))}")

arrays = {"NumPy, from Pillow": np.asarray(image)}
if cv2 is not None:
    arrays["OpenCV, imread"] = cv2.imread(str(file))
if skimage is not None:
    arrays["scikit-image, img_as_float"] = skimage.util.img_as_float(skimage.io.imread(file))
arrays["Keras, img_to_array"] = keras.utils.img_to_array(keras.utils.load_img(file))
arrays["keras_imgen"] = to_float(np.asarray(image))[None]
for name, array in arrays.items():
    pixel = array.reshape(-1, *array.shape[-3:])[0, row, column]
    shown = ", ".join(f"{value:.3g}" for value in pixel)
    print(f"{name:27} {array.dtype!s:8} {array.shape!s:17} pixel ({shown})")

# %% [markdown]
# OpenCV's colours are **BGR**. Keras leaves 0 to **255**. Pillow puts the width first, in sizes and
# pixels, and so does OpenCV in sizes. Networks want a first axis for the number of pictures: (N, H,
# W, C) here, **(N, C, H, W)** in PyTorch, whose `ToTensor` (of torchvision) gives 0 to 1.
#
# Each of the five mistakes below is one line away from right. **First predict** what each looks
# like, from the code alone.

# %%
tower = np.ascontiguousarray(to_uint8(ki.load_example("tower")[:256, 200:456]))
channels_first = np.moveaxis(tower, -1, 0)  # (C, H, W), as PyTorch wants it
mistakes = {
    "BGR read as RGB": tower[..., ::-1],
    "channels first: reshape, not moveaxis": channels_first.reshape(tower.shape),
    "60 added to uint8: 255 + 1 is 0": tower + np.uint8(60),
    "[0, 1] cast to uint8": to_float(tower).astype("uint8"),
    "0 to 255 taken for [0, 1]": np.clip(tower.astype("float32"), 0, 1),
}


def as_floats(picture):
    """The picture with a first axis, its uint8 turned to floats."""
    return (to_float(picture) if picture.dtype == np.uint8 else picture)[None]


def psnr(clean, picture):
    """PSNR in dB of a picture, uint8 or float in [0, 1]."""
    return float(np.mean(ki.metrics.psnr(as_floats(clean), as_floats(picture), clip=True)))


def show(panels, rows=1):
    """Draw pictures below their titles."""
    n = -(-len(panels) // rows)  # in a row, rounded up
    _, axes = plt.subplots(rows, n, figsize=(12, rows * (0.5 + 10.2 / n)), layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for ax, (title, picture) in zip(axes.flat, panels.items(), strict=False):
        ki.plotting.plot_images(as_floats(picture), title=title, ax=ax)
    plt.show()


titled = {f"{name}\n{psnr(tower, x):.1f} dB": x for name, x in mistakes.items()}
show({"right": tower} | titled, rows=2)

# %% [markdown]
# - **Blue walls, orange sky**: BGR. `picture[..., ::-1]` turns it round.
# - **Nine small towers**: the numbers were only cut anew. Axes are *moved*: `np.moveaxis(x, 0, -1)`
#   in NumPy, `x.permute(1, 2, 0)` in PyTorch.
# - **A bright sky turned dark**: above 255 uint8 begins again at 0. Compute in floats, clip, round,
#   and only then convert.
# - **Black, or white**: the range. Divide by 255, or multiply.
#
# These five can be seen. What does each tool say to a strength in the wrong unit, to 8 bits where
# floats are wanted, to BGR where RGB is wanted?

# %%
denoiser = ki.load_pretrained("denoiser-color")


def noisy(picture):
    """A clean picture with noise, as a file holds it."""
    noise = ki.degradations.AdditiveNoise(SIGMA, seed=SEED)
    return to_uint8(np.clip(np.asarray(noise(picture[None]))[0], 0, 1))


def skimage_means(x, h, sigma=SIGMA):
    """Non-local means of floats; patches may differ by about h times sigma."""
    return restoration.denoise_nl_means(x, 5, 6, h * sigma, sigma=sigma, channel_axis=-1)


def opencv_means(x, h):
    """Non-local means of 8 bits; patches may differ by about h grey levels."""
    return cv2.fastNlMeansDenoising(x, None, h, 3, 13)


observed = noisy(to_float(tower))
floats, restore = to_float(observed)[None], denoiser.restore
attempts = {
    "observed": lambda: observed,
    "keras_imgen, right": lambda: restore(floats, level=SIGMA)[0],
    "keras_imgen, sigma in grey levels": lambda: restore(floats, level=25)[0],
    "keras_imgen, 8 bits": lambda: restore(observed[None], level=SIGMA)[0],
    "keras_imgen, (N, C, H, W)": lambda: restore(np.moveaxis(floats, -1, 1), level=SIGMA)[0],
    "keras_imgen, BGR, turned back": lambda: restore(floats[..., ::-1], level=SIGMA)[0, ..., ::-1],
}
if skimage is not None:
    attempts["scikit-image, right"] = lambda: skimage_means(floats[0], 0.5)
    attempts["scikit-image, sigma in grey levels"] = lambda: skimage_means(floats[0], 0.5, 25)
if cv2 is not None:
    attempts["OpenCV, right"] = lambda: opencv_means(observed, 26)
    attempts["OpenCV, h as a share of 1"] = lambda: opencv_means(observed, 26 / 255)
for name, attempt in attempts.items():
    try:
        print(f"{name:35} {psnr(tower, attempt()):.2f} dB")
    except (TypeError, ValueError) as error:
        print(f"{name:35} refused: {str(error).split('. ')[0]}.")

# %% [markdown]
# `keras_imgen` refuses wrong units, types and axes. In the wrong unit scikit-image blurs all,
# OpenCV does nothing, and neither says so. BGR nobody can notice: it costs less than 0.1 dB. *A
# tool that refuses costs a minute. One that answers may cost a project.*
#
# ## 2. Four tools, one restoration
#
# The archive's noise is known: $\sigma = 25/255$ in each colour, then rounded to 8 bits. Every tool
# gets the same file and may be told $\sigma$:
#
# - **Pillow**: a Gaussian blur, four times as wide for the colours (of YCbCr) as for the
#   brightness, in which the eye sees more detail.
# - **OpenCV**: the **bilateral filter**, a blur that spares what differs much in value; **non-local
#   means** (tutorial 05) in two versions, one made for colour pictures, the other for any picture.
# - **scikit-image**: **wavelet** shrinkage, which sets small differences between neighbouring
#   regions to 0; non-local means.
# - **`keras_imgen`**: `denoiser-color`, which learned from 379 other photographs. It takes $\sigma$
#   and no other setting.
#
# Settings are chosen on two *other* pictures, a cat and a part of the tower: a radius (Pillow), or
# which difference still counts as alike, in grey levels (OpenCV) or multiples of $\sigma$
# (scikit-image's means). **First predict**: who wins, by how much, at which price? **About 20
# seconds.**


# %%
def pillow_gaussian(pixels, radius):
    """Blur the colours four times as widely as the brightness."""
    parts = Image.fromarray(pixels).convert("YCbCr").split()
    radii = (radius, 4 * radius, 4 * radius)
    parts = [p.filter(ImageFilter.GaussianBlur(r)) for p, r in zip(parts, radii, strict=True)]
    return np.asarray(Image.merge("YCbCr", parts).convert("RGB"))


def opencv_colored(pixels, h):
    """Non-local means for colour pictures: wants BGR."""
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    return cv2.fastNlMeansDenoisingColored(bgr, None, h, h, 3, 13)[..., ::-1]


def of_floats(function):
    """Make a function of floats one of 8 bits."""
    return lambda x, setting: to_uint8(
        np.clip(function(to_float(x), setting), 0, 1).astype("float32")
    )


def wavelet(x, ycbcr):
    """Wavelet shrinkage, in RGB or YCbCr."""
    options = {"channel_axis": -1, "convert2ycbcr": ycbcr == "YCbCr", "rescale_sigma": True}
    return restoration.denoise_wavelet(x, SIGMA, **options)


METHODS = {  # what it is called: a function of pixels and a setting, and the settings to try
    "Pillow, YCbCr blur": (pillow_gaussian, (0.5, 0.7, 0.9, 1.2)),
}
if cv2 is not None:
    METHODS["OpenCV, bilateral"] = lambda x, s: cv2.bilateralFilter(x, -1, s, 3), (70, 90, 110, 130)
    METHODS["OpenCV, means, coloured"] = opencv_colored, (12, 15, 18, 22)
    METHODS["OpenCV, means"] = opencv_means, (20, 23, 26, 29)
if skimage is not None:
    METHODS["scikit-image, wavelet"] = of_floats(wavelet), ("RGB", "YCbCr")
    METHODS["scikit-image, means"] = of_floats(skimage_means), (0.4, 0.5, 0.6)
network_told = of_floats(lambda x, sigma: denoiser.restore(x[None], level=sigma)[0])
METHODS["keras_imgen, network"] = network_told, (round(SIGMA, 3),)


def processor_time(function, *given):
    """The answer, and the seconds that the processor spent: all cores added, best of several."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        answer = function(*given)
        seconds.append(time.process_time() - start)
    return answer, min(seconds)


# crops=0: the whole picture, made smaller
cat = ki.load("photos", "test", size=(200, 300), channels=3, crops=0, shuffle=False).take(1)[0]
tuning = [picture[:SIDE, :SIDE] for picture in (cat, to_float(tower))]
judged = [coffee, ki.load_example("mountains")[:SIDE, :SIDE]]

best, answers, results = {}, {}, {}
for name, (function, settings) in METHODS.items():
    tuned = [np.mean([psnr(x, function(noisy(x), s)) for x in tuning]) for s in settings]
    best[name] = settings[int(np.argmax(tuned))]
    answers[name], seconds = processor_time(function, noisy(coffee), best[name])
    values = [psnr(x, function(noisy(x), best[name])) for x in judged]
    results[name] = max(tuned), *values, seconds


def rounded(value):
    """One digit that counts: times differ from run to run."""
    return f"{float(f'{value:.1g}'):g}"


second_of_pillow = results["Pillow, YCbCr blur"][-1]
times = {name: rounded(row[-1] / second_of_pillow) for name, row in results.items()}
print("                           setting  tuning  coffee  mountains     time")
print(f"{'observed':42}", *(f"{psnr(x, noisy(x)):7.1f}" for x in judged))
for name, (*values, _) in results.items():
    print(f"{name:26} {best[name]!s:>7}", *(f"{value:7.1f}" for value in values), end="")
    print(f"      x {times[name]:>5}")

# %% tags=["cover"]
panels = {f"observed\n{psnr(coffee, noisy(coffee)):.1f} dB": noisy(coffee)}
for name, row in results.items():
    if name != "OpenCV, means, coloured":  # the worse version of the same
        panels[f"{name}\n{row[1]:.1f} dB · time x {times[name]}"] = answers[name]
panels["clean"] = to_uint8(coffee)
show({title: picture[DETAIL] for title, picture in panels.items()}, rows=2)

# %%
megapixels = coffee.shape[0] * coffee.shape[1] / 1e6
print("10,000 photographs of 12 megapixels on two cores, in hours:")
for name, (*_, seconds) in results.items():
    print(f"{name:26} {rounded(10_000 * 12 * seconds / megapixels / 2 / 3600):>5}")

# %% [markdown]
# - **Quality**: the network leads on both pictures, by about one decibel. Who is second depends on
#   the picture.
# - **Price**: the bilateral filter needs two or three times as long as Pillow's blur, the network
#   twenty or thirty times as long as the filter, for 1.7 dB more on the coffee and 0.8 on the
#   mountains.
# - **The function made for colour pictures loses to the plain one.** It denoises brightness and
#   colour each by itself; the plain one compares all three channels at once, and this noise is
#   equally strong in each.
# - **Within one tool** methods differ by one decibel and more.
#
# For the archive only OpenCV's means rival the bilateral filter. They win on the coffee, lose on
# the mountains, and would fill most of the night even in half these hours. So *bilateral tonight,
# for all; the network, which needs several nights, for those that will be printed*. (If time grows
# with the pixels and both cores are busy. Times and hours are rounded to one digit.)
#
# ## 3. Another job, another winner
#
# Now something is missing: a quarter of the pixels, or what lies under strokes. OpenCV has two
# methods, scikit-image one, we have `inpainter` (tutorial 07). Decibels are
# counted inside the holes and averaged over details of three photographs. **First predict**: does
# the network win again? **About 10 seconds.**

# %%
inpainter = ki.load_pretrained("inpainter")
details = [coffee[DETAIL], tuning[1], tuning[0]]
HOLES = {
    "25 % of pixels": ki.degradations.MissingPixels(0.25, seed=SEED),
    "strokes": ki.degradations.FreeFormHoles(seed=SEED),
}
FILLS = {}  # functions of floats and of where the holes are
if cv2 is not None:
    for name, kind in (("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS)):
        FILLS[f"OpenCV, {name}"] = lambda x, hole, kind=kind: to_float(
            cv2.inpaint(to_uint8(x), hole.astype("uint8"), 3, kind)
        )
if skimage is not None:
    FILLS["scikit-image, biharmonic"] = lambda x, hole: restoration.inpaint_biharmonic(
        x, hole, channel_axis=-1
    )
FILLS["keras_imgen, inpainter"] = lambda x, hole: inpainter.restore(
    x[None], known=1.0 - hole[None, ..., None]
)[0]

print(f"{'inside the holes, dB':26}", *(f"{kind:>15}" for kind in HOLES))
for name, fill in FILLS.items():
    means = []
    for degradation in HOLES.values():
        found = []
        for clean in details:
            hole = np.asarray(degradation(clean[None]))[0, ..., -1] == 0
            filled = fill(np.where(hole[..., None], 0, to_float(to_uint8(clean))), hole)
            errors = (np.clip(filled, 0, 1) - clean)[hole] ** 2
            found.append(10 * np.log10(1 / np.mean(errors)))
        means.append(np.mean(found))
    print(f"{name:26}", *(f"{value:15.1f}" for value in means))

# %% [markdown]
# Where holes are small, scikit-image's biharmonic fill is ahead by half a decibel: it bends a
# smooth surface through the neighbours, and there that is nearly all there is to know. In wide
# strokes the network is ahead: something has to be guessed.
#
# ## 4. Four skeletons, in PyTorch and in Keras
#
# Textbooks and papers mostly show PyTorch. These skeletons are to be read only; `nn` is `torch.nn`,
# and `F` is `torch.nn.functional`.
#
# ### VAE: a whole step
#
# ```python
# mean, log_variance = encoder(x).chunk(2, dim=1)
# latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
# nll = F.binary_cross_entropy_with_logits(decoder(latents), x, reduction="none")
# kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(dim=1)
# loss = (nll.flatten(1).sum(dim=1) + kl).mean()
# optimizer.zero_grad(); loss.backward(); optimizer.step()
# ```
#
# In Keras on TensorFlow a `tf.GradientTape` records what is computed inside `with`, and
# `tape.gradient` plays it backwards:


# %%
def vae_step(encoder, decoder, optimizer, x):
    """One step of training, and the loss before it."""
    with tf.GradientTape() as tape:
        mean, log_variance = encoder(x, training=True)
        noise = keras.random.normal(ops.shape(mean), seed=SEED)
        latents = mean + ops.exp(0.5 * log_variance) * noise
        nll = ops.binary_crossentropy(x, decoder(latents, training=True), from_logits=True)
        kl = 0.5 * ops.sum(mean**2 + ops.exp(log_variance) - log_variance - 1, axis=1)
        loss = ops.mean(ops.sum(nll, axis=(1, 2, 3)) + kl)
    weights = encoder.trainable_variables + decoder.trainable_variables
    gradients = tape.gradient(loss, weights)
    optimizer.apply(gradients, weights)
    return float(loss)


digits = ki.load("digits").take(64)
vae = ki.VAE(ki.networks.vae_encoder((28, 28, 1)), ki.networks.vae_decoder((28, 28, 1)), seed=SEED)
vae.compile()
# With the same seed it draws the same noise.
by_library = vae.evaluate(digits, batch_size=64, verbose=0, return_dict=True)["loss"]
averaged = float(keras.losses.BinaryCrossentropy(from_logits=True)(digits, vae(digits)[0]))
adam = keras.optimizers.Adam()
steps = [vae_step(vae.encoder, vae.decoder, adam, digits) for _ in range(2)]
print(f"loss, here {steps[0]:.2f}, by ki.VAE {by_library:.2f}; after a step {steps[1]:.2f}")
print(f"Keras's own cross-entropy, of the same answers: {averaged:.3f}")

# %% [markdown]
# Line by line the same. The trap is the **reduction**: pixels must be *summed*. The losses of both
# frameworks *average* unless told otherwise, and KL would weigh 28 x 28 = 784 times as much.
#
# ### GAN: whose step?
#
# ```python
# fake = generator(torch.randn(len(real), 32))
# real_scores, fake_scores = discriminator(real), discriminator(fake.detach())
# loss = F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()
# d_optimizer.zero_grad(); loss.backward(); d_optimizer.step()
#
# loss = F.softplus(-discriminator(fake)).mean()
# g_optimizer.zero_grad(); loss.backward(); g_optimizer.step()
# ```
#
# `F.softplus(-s)` is $-\log \sigma(s)$. In Keras each loss has a tape, and inside the second the
# generator draws again:
#
# | PyTorch | Keras |
# | --- | --- |
# | `loss.backward()` | `gradients = tape.gradient(loss, weights)` |
# | `optimizer.step()` | `optimizer.apply(gradients, weights)` |
# | `zero_grad()`, since `backward` *adds* to `.grad` | no need: every call returns new gradients |
# | `fake.detach()` leaves the generator out | no need: `weights` says whose |
#
# ### CNN: residual learning
#
# ```python
# class Denoiser(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.noise = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(),
#                                    nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
#                                    nn.Conv2d(32, 3, 3, padding=1))
#     def forward(self, observed):  # (N, 3, H, W)
#         return observed - self.noise(observed)
# ```

# %%
given = keras.Input((None, None, 3))
x = layers.Conv2D(32, 3, padding="same", activation="relu")(given)
x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
residual = keras.Model(given, given - layers.Conv2D(3, 3, padding="same")(x))

dncnn = ki.networks.dncnn((None, None, 3), depth=3, filters=32)
residual.set_weights(dncnn.get_weights())
print("as ki.networks.dncnn:", np.allclose(residual(floats), dncnn(floats), atol=1e-5))

# %% [markdown]
# `nn.Module` is a class whose `forward` computes. This `keras.Model` is **functional**: layers are
# called on `Input`, and the model is what lies between input and output.
#
# ### RNN: one step of a ConvLSTM
#
# ```python
# def step(conv, frame, hidden, cell):  # conv = nn.Conv2d(1 + 16, 4 * 16, 3, padding=1)
#     i, f, g, o = conv(torch.cat([frame, hidden], dim=1)).chunk(4, dim=1)
#     cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
#     hidden = torch.sigmoid(o) * torch.tanh(cell)
#     return hidden, cell
# ```

# %%
recurrent = layers.ConvLSTM2D(16, 3, padding="same")
recurrent.build((None, None, 28, 28, 1))  # pictures, frames, height, width, channels
print(*(f"{weight.name:17} {weight.shape}" for weight in recurrent.weights), sep="\n")
print("momentum of BatchNormalization:", layers.BatchNormalization().momentum)

# %% [markdown]
# PyTorch has no ConvLSTM: one writes the step and the loop over time. Keras has both in one layer;
# its two kernels read the 1 and the 16 maps that `conv` reads together. What else differs,
# silently:
#
# | | PyTorch | Keras |
# | --- | --- | --- |
# | training or use | `net.train()`, `net.eval()`: a state that stays | each call: `training=True` |
# | momentum of batch normalisation | 0.1, the share of the *new* | 0.99, the share of the *old* |
# | weights of a convolution | (out, in, height, width) | (height, width, in, out) |
#
# Left in `train()`, dropout answers by chance and batch normalisation by the batch.
#
# ## 5. The same three lines on two backends
#
# Keras computes with TensorFlow, JAX or PyTorch, its **backend**. `KERAS_BACKEND` chooses it before
# Keras is imported, so each gets a process of its own. `keras_imgen` is made for TensorFlow and
# JAX (which has no tape), not for PyTorch. Here it restores the detail alone. **First predict** the
# largest difference between the two answers. **About 30 seconds.**

# %%
SCRIPT = """
import keras, keras_imgen as ki, numpy as np
clean, observed = np.load("pair.npy")
model = ki.load_pretrained("denoiser-color")
restored = model.restore(observed, level=25 / 255)
print(f"{ki.metrics.psnr(clean, restored)[0]:.5f} dB")
np.save(keras.backend.backend(), restored)
"""
np.save(folder / "pair.npy", [coffee[DETAIL][None], to_float(noisy(coffee)[DETAIL])[None]])
paths = os.pathsep.join(path for path in sys.path if path)
done = []
for backend in BACKENDS:
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": paths}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True
    )
    if ran.returncode == 0:
        done.append(backend)
        print(f"{backend:10} {ran.stdout.splitlines()[-1]}")
    else:
        print(f"{backend:10} does not do it: {ran.stderr.splitlines()[-1]}")
restored = [np.load(folder / f"{backend}.npy") for backend in done]
largest = max((np.abs(x - restored[0]).max() for x in restored[1:]), default=0.0)
print(f"largest difference between {len(done)} backends: {largest:.0e} of 1")

# %% [markdown]
# Less than a millionth: sums in another order.
#
# ## 6. Data by name
#
# | | pictures, to learn from + to test | may be used |
# | --- | --- | --- |
# | MNIST | 60,000 + 10,000 digits, 28 x 28, grey | CC BY-SA 3.0 |
# | CIFAR-10 | 50,000 + 10,000 thumbnails, 32 x 32, colour | no licence named |
# | ImageNet's challenge | 1,281,167 + 100,000 photographs, any size | on request, without profit |
#
# TensorFlow Datasets (TFDS) knows these and hundreds more. `ki.load("mnist")` gives batches in our
# format.
#
# This notebook must run offline. So we write two **stand-ins** into a folder, in TFDS's own format
# and under the true names: ten digits of MNIST, and pieces of a photograph of a cat.

# %%
import logging

import tensorflow_datasets as tfds

tfds.disable_progress_bar()
logging.getLogger("absl").setLevel(logging.ERROR)


def stand_in(name, version, **columns):
    """Write a few pictures as TFDS would write the whole set, all of them in both splits."""
    data = tf.data.Dataset.from_tensor_slices(columns)
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            features=tfds.builder(name).info.features,
            split_datasets={"train": data, "test": data},
            data_dir=folder / "tfds",
        )


ten, labels = next(iter(ki.load("digits", labels=True, batch_size=10, shuffle=False)))
stand_in("mnist", "3.0.1", image=to_uint8(ten), label=np.asarray(labels, "int64"))
pieces = np.stack([cat[80:112, c : c + 32] for c in range(0, 256, 32)])
ids = [f"stand-in {n}" for n in range(len(pieces))]
is_cat = np.full(len(pieces), 3)  # the class "cat"
stand_in("cifar10", "3.0.2", id=ids, image=to_uint8(pieces), label=is_cat)

mnist = ki.load("mnist", data_dir=folder / "tfds")  # leave out data_dir for the true ones
cifar = ki.load("cifar10", "test", data_dir=folder / "tfds")
small = ki.load("cifar10", size=16, channels=1, data_dir=folder / "tfds")
for name, data in (("mnist", mnist), ("cifar10", cifar), ("cifar10, small and grey", small)):
    batch = np.asarray(data[0][0])
    print(f"{name:24} {data.num_pictures} pictures, a batch {batch.shape} {batch.dtype}", end="")
    print(f", {batch.min():.2f} to {batch.max():.2f}")

# %% [markdown]
# Without `data_dir` the first call downloads 11 MB for MNIST and 162 MB for CIFAR-10. The same line
# takes `split="train[:10%]"`, `crops`, `labels`.
#
# ## 7. A folder of your own
#
# More often pictures lie in a folder. We write one: four pieces of odd sizes, PNG and JPEG, out of
# each of six pictures, none of them the coffee. `ki.load_folder` reads it. `size` makes all alike,
# here by `crops`: random pieces of that size, new in each epoch.

# %%
scenes = list(ki.load("photos", size=256, channels=3, crops=0, shuffle=False).take(4))
scenes = {f"photo{n}": scene for n, scene in enumerate(scenes, start=1)}
scenes |= {name: ki.load_example(name) for name in ("tower", "mountains")}
(folder / "own").mkdir()
rng = np.random.default_rng(SEED)
for scene, picture in scenes.items():
    for number in range(4):
        height, width = rng.integers(96, 200, size=2)
        top, left = rng.integers(picture.shape[0] - height), rng.integers(picture.shape[1] - width)
        piece = Image.fromarray(to_uint8(picture[top : top + height, left : left + width]))
        ending = ("png", "jpg")[number % 2]
        piece.save(folder / "own" / f"{scene}_{number}.{ending}", quality=95)

files = sorted((folder / "own").iterdir())
for file in files[:3]:
    print(file.name, "width and height:", Image.open(file).size)
own = ki.load_folder(folder / "own", size=48, crops=CROPS, batch_size=8, seed=SEED)
print(len(files), "files,", own.num_pictures, "pieces in an epoch, a batch:", own[0][0].shape)

# %% [markdown]
# Now a small network for the archive's noise, trained on this folder, saved, and loaded again.
# **First predict** its place in the table of section 2. **About 40 seconds.**

# %%
network = ki.networks.dncnn((None, None, 3), depth=DEPTH, filters=FILTERS)
model = ki.Restorer(network, ki.degradations.AdditiveNoise(SIGMA, seed=SEED), seed=SEED)
steps = EPOCHS * len(own)
rate = keras.optimizers.schedules.CosineDecay(
    1e-4, steps - steps // 20, warmup_target=2e-3, warmup_steps=max(1, steps // 20), alpha=0.01
)
model.compile(keras.optimizers.Adam(rate))
model.fit(own, epochs=EPOCHS, verbose=0)

model.save(folder / "own.keras")
again = ki.load_model(folder / "own.keras")
observed = to_float(noisy(coffee))[None]
answer, seconds = processor_time(lambda: to_uint8(again.restore(observed)[0]))
same = np.array_equal(answer, to_uint8(model.restore(observed)[0]))
print("the loaded model answers as the saved one:", same)
beside = "OpenCV, means" if cv2 is not None else "Pillow, YCbCr blur"
compared = {"own network": answer, **{n: answers[n] for n in (beside, "keras_imgen, network")}}
print(f"processor time of the own network: x {rounded(seconds / second_of_pillow)}")
show({f"{n} · {psnr(coffee, x):.1f} dB": x[DETAIL] for n, x in compared.items()})

# %% [markdown]
# A network of your own, from 24 files: just ahead of the bilateral filter (28.6 dB), but behind
# OpenCV's means, which need no training and no more time, and behind the ready-made network, which
# learned from far more pictures for far longer. So *training your own pays where no ready-made tool
# fits*: another noise, another kind of picture, another licence.
#
# ## 8. Which tool for which job
#
# | job | take | licence |
# | --- | --- | --- |
# | open, resize, convert, save files | Pillow | MIT-CMU |
# | cameras, films, little time | OpenCV | Apache 2.0 (since 4.5) |
# | science: published methods | scikit-image | BSD |
# | quality first; holes to be guessed | `keras_imgen` | Apache 2.0 |
# | to write and train networks | Keras, TensorFlow, JAX; PyTorch | Apache 2.0; BSD |
#
# A program's licence says nothing about its **weights**: those of `denoiser-color` and `inpainter`
# are for research and teaching, not for commerce, like the photographs that they learned from. An
# archive that sells its pictures has to train its own.
#
# > **Who answers for it**
# >
# > - **A set has a licence, and so has each picture in it.** CIFAR-10 was collected from the web
# >   and names none. ImageNet owns none of its photographs: they stay their authors'.
# > - **Two have to agree**: whoever holds the rights in a picture, and whoever is shown in it, by
# >   their **consent** to this purpose. ImageNet holds faces of people who were not asked; in 2021
# >   they were blurred. Tiny Images, from which CIFAR-10 was taken, was withdrawn in 2020 for
# >   offensive labels.
# > - **A test is one only if nothing leaks.** A **leak** is a test picture, or a near copy of it,
# >   among those learned from. Of CIFAR-10's test pictures 3 % have such a near copy. In our
# >   folder, four files show one scene: split by *scene*, not by file (exercise 3).
# > - **Write down** where pictures come from, their licences, who agreed, how they were split.
# >   Whoever publishes the model answers for it.
#
# ## What to remember
#
# 1. Ask three things of every array: type and range, order of colours, order of axes.
# 2. Tune on other pictures than those you judge by. Write quality and price side by side.
# 3. The method matters more than the tool; the job decides.
# 4. `zero_grad`, `backward`, `step` are a gradient and an `apply`. What differs silently:
#    reduction, `training`, momentum, axes.
# 5. A split is by scene, by person, by day: by whatever makes pictures alike.
#
# **In papers this is called:** our pictures for tuning are the *validation set*, those judged by
# the *test set*; a leak is *data leakage* or *contamination*; "channels first" is *NCHW*, "channels
# last" *NHWC*.

# %% [markdown]
# ## You should see / if not
#
# Measured with three values of `SEED`, on two CPU cores:
#
# - **Mistakes**: nine towers, a black square, a white one. *If not*, and the second picture looks
#   right: was it turned round twice?
# - **The race**, coffee: 20.8 dB observed, Pillow 27.4, the bilateral filter 28.6 or 28.7,
#   non-local means 29.2 and 29.3, the network 30.3 or 30.4; mountains 20.3, 22.7, 24.6, 23.5 and
#   22.9, 25.3 or 25.4. Times are another matter: twice as much or half as much is no surprise, on
#   another processor more. *If not*, and a row is missing: install its package and start the kernel
#   anew.
# - **Holes**: biharmonic ahead of the network by 0.4 to 0.6 dB in pixels, the network ahead of it
#   by 0.7 to 1.9 in strokes.
# - **Backends**: equal to four decimals, a difference below 1e-5. *If not*, one of them is missing.
# - **Own network**: 28.8 to 29.0 dB. *If not*, below 28: was the training cut short?
#
# ## Read on
#
# - C. Tomasi and R. Manduchi, *Bilateral Filtering for Gray and Color Images*, ICCV 1998.
# - O. Russakovsky and others, *ImageNet Large Scale Visual Recognition Challenge*, 2015, [arXiv
#   1409.0575](https://arxiv.org/abs/1409.0575).
# - K. Yang and others, *A Study of Face Obfuscation in ImageNet*, 2021, [arXiv
#   2103.06191](https://arxiv.org/abs/2103.06191).
# - B. Barz and J. Denzler, *Do We Train on Test Data? Purging CIFAR of Near-Duplicates*, 2020,
#   [arXiv 1902.00423](https://arxiv.org/abs/1902.00423).
#
# The coffee is by R. Michetti, the cat by S. van der Walt (both CC0), the tower by danielbuechele
# ([CC BY 2.0](https://creativecommons.org/licenses/by/2.0/), cut and damaged here), the mountains
# by NASA. The digits are from MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0).

# %% [markdown]
# ## Exercises
#
# Replace each `...`, or mend what is wrong, and run the cell, then the check below it. The check
# prints `Right`, or says what it found and gives a hint.
#
# ### Exercise 1: from OpenCV and back
#
# A camera gives pictures as OpenCV does: uint8, 0 to 255, **BGR**, (H, W, C). A network wants
# float32, 0 to 1, RGB, (1, H, W, C). Both functions run, and both are wrong, in two places each.
# Mend them. (No OpenCV is needed. What a network answers may lie a little outside of 0 to 1.)


# %% tags=["exercise"]
def from_opencv(pixels):
    """A picture of OpenCV as a batch of one for a network."""
    return pixels[None].astype("float32")


def to_opencv(pictures):
    """The first picture of a network's answer, for OpenCV."""
    return np.round(255 * pictures[0]).astype("uint8")


# %% tags=["solution"]
def from_opencv(pixels):  # noqa: F811
    """A picture of OpenCV as a batch of one for a network."""
    return pixels[None, ..., ::-1].astype("float32") / 255


def to_opencv(pictures):  # noqa: F811
    """The first picture of a network's answer, for OpenCV."""
    return np.round(255 * np.clip(pictures[0, ..., ::-1], 0, 1)).astype("uint8")


# %% tags=["check"]
one_pixel = np.array([[[255, 51, 0]]], "uint8")  # BGR: a strong blue, a little green, no red
found = np.asarray(from_opencv(one_pixel))
assert (found.shape, found.dtype) == ((1, 1, 1, 3), np.float32), (
    f"from_opencv should return float32 of shape (1, 1, 1, 3). It returned {found.dtype} of shape "
    f"{found.shape}. Hint: pixels[None] adds the first axis, .astype('float32') the type."
)
assert found.max() <= 1, (
    f"White is 1 for a network. Yours has values up to {found.max():.0f}. Hint: divide by 255."
)
assert np.allclose(found[0, 0, 0], [0, 0.2, 1]), (
    "The pixel (255, 51, 0) in BGR is (0, 0.2, 1) in RGB. "
    f"Yours: {np.round(found[0, 0, 0], 2)}. Hint: turn the last axis round with [..., ::-1]."
)
assert np.allclose(from_opencv(tower), to_float(tower[..., ::-1])[None], atol=1e-6), (
    "Of a whole picture, rows and columns should stay where they are. Hint: [..., ::-1] turns the "
    "last axis round, and no other."
)
back = np.asarray(to_opencv(np.array([[[[-0.1, 0.1999, 1.1]]]], "float32")))
assert (back.shape, back.dtype) == ((1, 1, 3), np.uint8), (
    f"to_opencv should return uint8 of shape (1, 1, 3). It returned {back.dtype} of shape "
    f"{back.shape}. Hint: pictures[0], and .astype('uint8') at the end."
)
assert {0, 255} <= set(back[0, 0].tolist()), (
    f"-0.1 should become 0, and 1.1 should become 255. Found {back[0, 0]}: uint8 has no number "
    "below 0 or above 255, and begins again. Hint: np.clip(..., 0, 1) before the multiplication."
)
assert back[0, 0, 1] == 51, (
    f"255 * 0.1999 is 50.97 and should become 51. Yours: {back[0, 0, 1]}. "
    "Hint: np.round before the conversion to uint8, which cuts off."
)
assert np.array_equal(back[0, 0], [255, 51, 0]), (
    f"OpenCV wants blue first: 255, 51, 0. Yours: {back[0, 0]}. Hint: [..., ::-1] once more."
)
assert np.array_equal(to_opencv(from_opencv(tower)), tower), (
    "There and back should change nothing. Hint: turn the last axis round, and no other."
)
print("Right: there and back changes nothing.")

# %% [markdown]
# ### Exercise 2: one step, without zero_grad
#
# In PyTorch one step of a training is
#
# ```python
# loss = ((network(observed) - clean) ** 2).mean()
# optimizer.zero_grad(); loss.backward(); optimizer.step()
# ```
#
# Write it in Keras on TensorFlow, with `training=True`.


# %% tags=["exercise"]
def keras_step(network, optimizer, observed, clean):
    """Take one step, and return the loss before it."""
    ...


# %% tags=["solution"]
def keras_step(network, optimizer, observed, clean):  # noqa: F811
    """Take one step, and return the loss before it."""
    with tf.GradientTape() as tape:
        loss = ops.mean((network(observed, training=True) - clean) ** 2)
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply(gradients, network.trainable_variables)
    return loss


# %% tags=["check"]
one_weight = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
)
descent = keras.optimizers.SGD(0.1)
weights = []
for _ in range(2):
    pair = np.array([[2.0]], "float32"), np.array([[6.0]], "float32")
    try:
        loss = keras_step(one_weight, descent, *pair)
    except (AttributeError, TypeError, ValueError) as error:
        raise AssertionError(
            f"{error}. Hint: tape.gradient(loss, weights), optimizer.apply(gradients, weights)."
        ) from None
    assert loss is not None, (
        "keras_step returned None. Hint: compute the loss inside of a tf.GradientTape, take the "
        "step, return the loss."
    )
    weights.append(float(one_weight.get_weights()[0][0, 0]))
assert weights[0] != 1.0, (
    "The weight was 1 before the step and is 1 after it. Hint: "
    "tape.gradient(loss, network.trainable_variables), then optimizer.apply with these variables."
)
assert abs(weights[0] - 2.6) < 1e-4, (
    f"The slope is 2 * (2 - 6) * 2 = -16, so w becomes 1 + 0.1 * 16 = 2.6. "
    f"Yours: {weights[0]:.3f}. Hint: one step, with the gradient of this loss."
)
assert abs(weights[1] - 2.92) < 1e-4, (
    f"The second step leads to 2.92. Yours: {weights[1]:.3f}. "
    "Hint: the gradients of the first step must not be added to those of the second."
)
assert abs(float(loss) - 0.64) < 1e-4, (
    f"Before the second step the loss is (2 * 2.6 - 6) ** 2 = 0.64. Yours: {float(loss):.2f}. "
    "Hint: the mean of the squared difference, before the step."
)
print("Right: 1, 2.6, 2.92. Without zero_grad, PyTorch would have gone on to 4.52.")

# %% [markdown]
# ### Exercise 3: a split without a leak
#
# The names of our files begin with their scene: `tower_0.png`. Return two lists of files, to learn
# from and to test: `num_scenes` scenes, drawn by `np.random.default_rng(seed)`, go to the test with
# *all* their files.


# %% tags=["exercise"]
def split_by_scene(files, num_scenes, seed=0):
    """Files to learn from, and files of `num_scenes` other scenes to test."""
    return files[: -4 * num_scenes], files[-4 * num_scenes :]


# %% tags=["solution"]
def split_by_scene(files, num_scenes, seed=0):  # noqa: F811
    """Files to learn from, and files of `num_scenes` other scenes to test."""
    found = sorted({file.name.split("_")[0] for file in files})
    chosen = set(np.random.default_rng(seed).choice(found, num_scenes, replace=False))
    test = [file for file in files if file.name.split("_")[0] in chosen]
    return [file for file in files if file not in test], test


# %% tags=["check"]
shuffled = [files[n] for n in np.random.default_rng(1).permutation(len(files))][:-1]
tested = set()
for seed in range(20):
    learn, test = (list(part) for part in split_by_scene(shuffled, 2, seed))
    assert sorted(learn + test) == sorted(shuffled), (
        f"Each of the {len(shuffled)} files belongs in one of the lists, once. "
        f"Yours hold {len(learn)} and {len(test)}."
    )
    in_learn, in_test = ({file.name.split("_")[0] for file in part} for part in (learn, test))
    assert not in_learn & in_test, (
        f"A leak: {sorted(in_learn & in_test)} in both lists. "
        "Hint: choose among the scenes, file.name.split('_')[0], not among the files."
    )
    assert len(in_test) == 2, (
        f"num_scenes=2, and the test, the second list, holds {len(in_test)} scenes. "
        "Hint: choice(..., num_scenes, replace=False), and the test last."
    )
    tested |= in_test
assert tested == set(scenes), (
    f"With 20 seeds every scene should be tested once; yours tests {sorted(tested)} only. "
    "Hint: of the sorted names, default_rng(seed).choice(names, num_scenes, replace=False)."
)
print("Right: no scene on both sides, and every scene has its turn.")
