"""What benchmarks decide by themselves, without running them."""

from pathlib import Path

import numpy as np
import pytest
from scripts import load_script

from keras_imgen.training.comparison import setup_of

BENCHMARKS = Path(__file__).parent / "benchmarks"


@pytest.fixture(scope="module")
def gan_mnist():
    return load_script(BENCHMARKS / "gan_mnist.py")


@pytest.mark.parametrize(
    ("distances", "chosen"),
    [([9.0, 7.0, 8.0], (2, 8.0)), ([5.0], (0, 5.0)), ([3.0, 1.0, 4.0, 2.0], (0, 3.0))],
)
def test_the_figure_shows_the_run_in_the_middle(distances, chosen, gan_mnist):
    assert gan_mnist.median_run(range(len(distances)), distances) == chosen


def test_what_is_measured_is_what_the_library_has_by_default(gan_mnist):
    from keras_imgen import GAN, networks

    shape = (28, 28, 1)
    gan = GAN(networks.dcgan_generator(shape), networks.dcgan_discriminator(shape))
    gan.compile()
    assert setup_of(gan_mnist.our_gan(0)) == setup_of(gan)
    other = gan_mnist.candidate(0, rate=0.001, filters=8)
    assert float(other.optimizer.learning_rate) == pytest.approx(0.001)
    assert setup_of(other) != setup_of(gan)


@pytest.mark.parametrize("family", ["gan", "vae", "dncnn", "convlstm"])
def test_what_is_timed_in_pytorch_has_our_weights_and_learns(family):
    torch = pytest.importorskip("torch")
    loops = load_script(BENCHMARKS / "torch_loops.py")
    speed = load_script(BENCHMARKS / "speed.py")
    model, data = speed.made(family)
    torch.manual_seed(0)
    theirs = loops.MODELS[family]()
    ours = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
    assert sum(weight.numel() for weight in theirs.parameters()) == ours
    pictures = torch.tensor(0.1 * np.moveaxis(data[0][0][:4], -1, -3))
    if family != "gan":
        first = theirs(pictures).detach()
        optimizer = torch.optim.Adam(theirs.parameters())
        for _ in range(5):
            loops.descend(theirs(pictures), optimizer)
        assert theirs(pictures).detach() < 0.98 * first
    loops.training_step(family, "channels last")(pictures)
