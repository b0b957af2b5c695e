"""Training steps as people write them in PyTorch, on the networks that `speed.py` times.

Nothing of keras_imgen is used here. Each step draws its own noise, as ours do.
"""

import torch
from torch import nn
from torch.nn import functional

FILTERS = 32  # of a ConvLSTM


def down(taken, made):
    """Return a convolution that halves the sides, rounded up."""
    return nn.Conv2d(taken, made, 4, stride=2, padding=1)


class Cut(nn.Module):
    """Leaves out the last row and column."""

    def forward(self, x):
        """Return what is left."""
        return x[..., :-1, :-1]


def doubled(taken, made, bias=True):
    """Return a transposed convolution that doubles the sides."""
    return nn.ConvTranspose2d(taken, made, 4, stride=2, padding=1, bias=bias)


def generator():
    """Return the generator of a DCGAN: 64 latents to 28 x 28."""
    return nn.Sequential(
        nn.Linear(64, 1024, bias=False),
        *(nn.Unflatten(1, (64, 4, 4)), nn.BatchNorm2d(64), nn.ReLU()),
        *(doubled(64, 32, bias=False), Cut(), nn.BatchNorm2d(32), nn.ReLU()),
        *(doubled(32, 16, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(doubled(16, 1), nn.Sigmoid()),
    )


def discriminator():
    """Return the discriminator of a DCGAN."""
    return nn.Sequential(
        *(down(1, 16), nn.LeakyReLU(0.2), nn.Dropout(0.3)),
        *(down(16, 32), nn.BatchNorm2d(32), nn.LeakyReLU(0.2), nn.Dropout(0.3)),
        nn.ZeroPad2d((0, 1, 0, 1)),  # 7 to 8, of which half is 4
        *(down(32, 64), nn.BatchNorm2d(64), nn.LeakyReLU(0.2), nn.Dropout(0.3)),
        *(nn.Flatten(), nn.Linear(1024, 1)),
    )


class Autoencoder(nn.Module):
    """A VAE of 16 latents: `forward` returns the loss."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            *(down(1, 16), nn.ReLU(), down(16, 32), nn.ReLU(), nn.ZeroPad2d((0, 1, 0, 1))),
            *(down(32, 64), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 256), nn.ReLU()),
        )
        self.mean, self.log_variance = nn.Linear(256, 16), nn.Linear(256, 16)
        self.decoder = nn.Sequential(
            *(nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU()),
            *(nn.Unflatten(1, (64, 4, 4)), doubled(64, 32), Cut(), nn.ReLU()),
            *(doubled(32, 16), nn.ReLU(), doubled(16, 1)),
        )

    def forward(self, pictures):
        """Return cross-entropy and KL divergence."""
        h = self.encoder(pictures)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        cost = functional.binary_cross_entropy_with_logits(
            self.decoder(z), pictures, reduction="sum"
        )
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        return (cost + kl) / len(pictures)


class Layer(nn.Module):
    """A ConvLSTM without peepholes, from `(batch, time, channels, height, width)` to filters."""

    def __init__(self, channels):
        super().__init__()
        self.gates = nn.Conv2d(channels + FILTERS, 4 * FILTERS, 3, padding=1)

    def forward(self, frames):
        """Return what is remembered after each frame."""
        h = c = frames.new_zeros(len(frames), FILTERS, *frames.shape[-2:])
        remembered = []
        for frame in frames.unbind(1):
            i, f, g, o = self.gates(torch.cat([frame, h], dim=1)).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            remembered.append(h)
        return torch.stack(remembered, dim=1)


class Stack(nn.Module):
    """Two layers, and a convolution of 1 x 1."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(Layer(1), Layer(FILTERS))
        self.last = nn.Conv2d(FILTERS, 1, 1)

    def forward(self, frames):
        """Return frames."""
        return self.last(self.layers(frames).flatten(0, 1)).unflatten(0, frames.shape[:2])


class Denoised(nn.Module):
    """Adds noise and removes it by a network: `forward` returns the squared error."""

    def __init__(self, network, sigma, residual):
        super().__init__()
        self.network, self.sigma, self.residual = network, sigma, residual

    def forward(self, pictures):
        """Return the loss."""
        noisy = pictures + self.sigma * torch.randn_like(pictures)
        made = self.network(noisy)
        return functional.mse_loss(noisy - made if self.residual else made, pictures)


def dncnn():
    """Return 17 convolutions of 64 maps."""
    inner = [layer for _ in range(15) for layer in (nn.Conv2d(64, 64, 3, padding=1), nn.ReLU())]
    first, last = nn.Conv2d(1, 64, 3, padding=1), nn.Conv2d(64, 1, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), *inner, last)


class Game(nn.Module):
    """The two players of a DCGAN, which `play` together."""

    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = generator(), discriminator()


MODELS = {
    "gan": Game,
    "vae": Autoencoder,
    "dncnn": lambda: Denoised(dncnn(), 25 / 255, residual=True),
    "convlstm": lambda: Denoised(Stack(), 0.1, residual=False),
}


def training_step(family, how="eager", half=False):
    """Return a function of a batch, channels first, that takes a step.

    Args:
        family: key of `MODELS`.
        how: "eager", "channels last" or "compiled".
        half: whether to compute in bfloat16.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = MODELS[family]().to(device).train()
    if how != "eager":
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.to(memory_format=torch.channels_last)
    compiled = torch.compile if how == "compiled" else lambda module: module
    optimizers = [torch.optim.Adam(part.parameters()) for part in parts(model)]
    run = [compiled(part) for part in parts(model)]

    def step(batch):
        batch = batch.to(device)
        if how != "eager" and batch.ndim == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16, enabled=half):
            play(run, optimizers, batch) if family == "gan" else descend(run[0](batch), *optimizers)

    return step


def parts(model):
    """Return what has an optimizer of its own."""
    return (model.generator, model.discriminator) if isinstance(model, Game) else (model,)


def descend(loss, optimizer):
    """Follow the slopes of a loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def play(players, optimizers, real):
    """Take a step of the discriminator and one of the generator."""
    draw, judge = players

    def wrong(pictures, true):
        scores = judge(pictures)
        return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, true))

    fake = draw(torch.randn(len(real), 64, device=real.device))
    descend(wrong(real, 1.0) + wrong(fake.detach(), 0.0), optimizers[1])
    descend(wrong(fake, 1.0), optimizers[0])
