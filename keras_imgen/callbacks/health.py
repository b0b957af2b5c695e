"""`TrainingHealth`: notices when a training goes wrong, says what to do, and may undo it."""

import itertools
import warnings
from typing import NamedTuple

import numpy as np

from keras_imgen import checks, losses
from keras_imgen.callbacks.first import first_batch, labels_for
from keras_imgen.callbacks.rollback import Rollback
from keras_imgen.callbacks.vitals import activity, mean_distance, samples_of, score_slope
from keras_imgen.data import check_pictures
from keras_imgen.metrics.posteriors import ACTIVE
from keras_imgen.training import PictureModel, check_finite

# A slope below this share of the usual one teaches nothing; below the second number, nothing ever.
VANISHED, ZERO = 1e-3, 1e-8
EARLY = 500  # steps in which latents may still be silent
UNDONE = ("vanishing_slopes", "collapse")  # by a rollback


class HealthWarning(UserWarning):
    """Says that a training goes wrong, and what to do.

    Example:
        >>> import warnings
        >>> from keras_imgen.callbacks import HealthWarning
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", HealthWarning)  # now they end the training
    """


class Finding(NamedTuple):
    """What `TrainingHealth` found.

    Attributes:
        epoch: in which epoch; the first is 1.
        kind: `"not_a_number"`, `"discriminator_wins"`, `"discriminator_loses"`,
            `"vanishing_slopes"`, `"collapse"` or `"posterior_collapse"`.
        message: what was measured, what to do, and what was done.

    Example:
        >>> from keras_imgen.callbacks import Finding
        >>> Finding(3, "collapse", "The samples have collapsed.").kind
        'collapse'
    """

    epoch: int
    kind: str
    message: str


class TrainingHealth(Rollback):
    """Watch a training, and say in one sentence when something goes wrong and what to do.

    | what | of which models |
    | --- | --- |
    | a log or weight is NaN or infinite | all |
    | the discriminator's accuracy is near 1 (it wins) or below 0.5 (it loses) | GAN |
    | the slope of its scores by the made pictures vanishes: the generator learns nothing | GAN |
    | the samples are far less diverse than real `pictures`, not about to be | GAN, VAE, Diffusion |
    | no latent says anything of `pictures` (posterior collapse), nor is about to | VAE |

    The first ends the training with a FloatingPointError. The others are warned of once, when they
    have lasted for `patience` epochs. A Wasserstein critic is meant to win, and its scores have no
    zero: its accuracy is not judged.

    A latent is active, it says something, if the mean that the encoder gives it has a variance
    above 0.01 over the pictures. As many begin silent and awake later, the first 500 steps are not
    judged, nor is an epoch in which the most active one is more so than in the `patience` before.

    With `rollback=0.5` the training is not left to itself: after a NaN, vanished slopes or samples
    that have collapsed the model goes back to the end of its last healthy epoch (weights, averages,
    moments and random states, which are kept in memory) with half of every learning rate, and goes
    on with the next batch. After `max_rollbacks` of them the training ends with a
    FloatingPointError. Logs of an epoch in which the model went back are averages over the batches
    after that; if none came, they are NaN. A `LearningRateScheduler` that sets a rate of its own
    undoes the reduction. Of latents that say nothing it is only told: a smaller rate cures no
    objective that does not need them.

    What was measured is in `history`, a dict of lists, one number per epoch, which
    `plotting.plot_history(health)` draws; what was found is in `findings`.

    Args:
        pictures: held-out pictures, array `(n, height, width, channels)` or a dataset, of which the
            first `n` are taken: they should be of all kinds, and have their labels for a
            conditional VAE, as a dataset with labels or a pair of arrays has them. By default
            neither diversity nor activity is measured.
        patience: epochs that a trouble must last; a NaN need not last.
        accuracy: the discriminator's accuracies from which on it loses and wins.
        least_diversity: mean distance of two samples as a share of that of two real pictures, below
            which samples count as collapsed. 1 is as diverse as real ones, 0 always the same. Of a
            conditional model both samples have the same label.
        rollback: factor of the learning rates when the model goes back; by default it does not.
        max_rollbacks: how often it may in one training.
        n: number of pictures and samples; `Diffusion`, whose samples take long, draws at most 64,
            in 8 steps.

    Attributes:
        history: `{"discriminator_accuracy": [...], "score_slope": [...], "diversity": [...],
            "activity": [...], "active_units": [...]}`, as far as they are measured: `activity` is
            that of the most active latent, `active_units` how many are active.
        findings: list of `Finding`.

    Raises:
        ValueError: at the start of training, if a learning rate that `rollback` should lower is set
            by a schedule, or `pictures` are not like the model's, or lack labels.

    Source: a discriminator that wins: Arjovsky and Bottou 2017 (arXiv 1701.04862), theorem 2.4; its
        vanishing slopes are measured as there in figure 2, but by the pictures; active latents:
        Burda et al. 2016 (arXiv 1509.00519), section 5.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import VAE, networks
        >>> from keras_imgen.callbacks import TrainingHealth
        >>> vae = VAE(
        ...     networks.vae_encoder((8, 8, 1), latent_dim=2, filters=2),
        ...     networks.vae_decoder((8, 8, 1), latent_dim=2, filters=2),
        ... )
        >>> vae.compile()
        >>> health, pictures = TrainingHealth(rollback=0.5), np.random.rand(8, 8, 8, 1)
        >>> history = vae.fit(pictures, epochs=2, callbacks=[health], verbose=0)
        >>> health.findings
        []
    """

    def __init__(
        self,
        pictures=None,
        *,
        patience: int = 3,
        accuracy: tuple[float, float] = (0.45, 0.97),
        least_diversity: float = 0.5,
        rollback: float | None = None,
        max_rollbacks: int = 3,
        n: int = 256,
    ):
        if rollback is not None:
            advice = "It is the factor of the learning rates. Usual: 0.5."
            rollback = checks.number("rollback", rollback, 0.01, 1.0, advice)
        super().__init__(rollback, checks.whole_number("max_rollbacks", max_rollbacks, 1))
        self.patience = checks.whole_number("patience", patience, 1)
        self.accuracy = _limits(accuracy)
        self.least_diversity = checks.number("least_diversity", least_diversity, 0.0, 1.0)
        self.n = checks.whole_number("n", n, 2, "Diversity needs two samples or more.")
        self.pictures, self.labels, _ = first_batch(pictures, self.n)
        self._real_distance = None if pictures is None else _checked_distance(self.pictures)
        self._begin()

    @property
    def findings(self) -> list[Finding]:
        """What was found so far."""
        return [Finding(*finding) for finding in self._findings]

    @property
    def memory(self) -> dict:
        """What a training that `Resume` goes on with must know."""
        names = ("history", "epoch", "rollbacks", "good_epoch", "_findings", "_lasted", "_slopes")
        return {name: getattr(self, name) for name in names}

    @memory.setter
    def memory(self, memory):
        vars(self).update(memory)

    def on_train_begin(self, logs=None):
        """Begin anew, and refuse what cannot be watched."""
        self._begin()
        if not isinstance(self.model, PictureModel):
            raise TypeError(
                "TrainingHealth watches the models of this package. Received: a "
                f"{type(self.model).__name__}. For other models there is "
                "keras.callbacks.TerminateOnNaN."
            )
        if self.pictures is not None:
            if not hasattr(self.model, "sample"):
                raise ValueError(
                    "`pictures` are compared with what a model draws. Received: `pictures` "
                    f"for a {type(self.model).__name__}. Leave them out."
                )
            check_pictures(self.pictures, self.model.image_shape, "pictures")
            if hasattr(self.model, "encode"):
                labels_for(self.model, self.labels)
        if self.factor is not None:
            self.check_learning_rates()

    def on_epoch_begin(self, epoch, logs=None):
        """Keep the state that the training begins with."""
        self._now = epoch
        if self.good_state is None:  # else it is that of a training that is resumed
            self.keep(epoch)

    def on_test_begin(self, logs=None):
        """Look at the weights before held-out pictures are judged by them."""
        if self._now is not None:
            self._check_weights()

    def on_epoch_end(self, epoch, logs=None):
        """Measure, judge, warn."""
        self._check_weights()
        figures = self._measure(logs or {})
        self.epoch.append(epoch)
        troubles = self._judge(figures)
        for name, value in figures.items():
            self.history.setdefault(name, []).append(value)
        for kind, message in troubles.items():
            self._lasted[kind] = self._lasted.get(kind, 0) + 1 if message else 0
        if not any(troubles.get(kind) for kind in UNDONE):
            self._slopes += [figures["score_slope"]] if "score_slope" in figures else []
            self.keep(epoch + 1)
        for kind, lasted in list(self._lasted.items()):
            if lasted == self.patience:
                self._report(kind, troubles[kind])

    def on_train_end(self, logs=None):
        """Let `evaluate` alone."""
        self._now = None

    def rescue_training(self, error):
        """Bring the model back after a NaN, if that may be."""
        went_back = self.go_back()
        self._note("not_a_number", f"{error}{self._done() if went_back else ''}", warn=went_back)
        return went_back

    def _begin(self):
        self.history, self.epoch = {}, []
        self.rollbacks, self.good_epoch, self.good_state = 0, 0, None
        self._findings, self._lasted, self._slopes = [], {}, []
        self._now = None

    def _check_weights(self):
        try:
            check_finite(self.model, self._now)
        except FloatingPointError as error:
            if not self.rescue_training(error):
                raise

    def _measure(self, logs):
        """Return what can be measured of this model."""
        figures = {}
        if hasattr(self.model, "discriminator"):
            if not isinstance(self.model.adversarial_loss, losses.Wasserstein):
                figures["discriminator_accuracy"] = float(logs["discriminator_accuracy"])
            figures["score_slope"] = score_slope(self.model)
        if self.pictures is not None:
            figures["diversity"] = mean_distance(*samples_of(self.model, self.n))
            figures["diversity"] /= self._real_distance
            if hasattr(self.model, "encode"):
                labels = labels_for(self.model, self.labels)
                each = activity(self.model, self.pictures, *labels)
                figures |= {"activity": float(each.max()), "active_units": int(sum(each > ACTIVE))}
        return figures

    def _judge(self, figures):
        """Return for each trouble that there may be what to say of it, or nothing."""
        troubles = {}
        lasting = "one epoch" if self.patience == 1 else f"{self.patience} epochs on end"
        if (accuracy := figures.get("discriminator_accuracy")) is not None:
            least, most = self.accuracy
            troubles["discriminator_wins"] = accuracy > most and (
                f"The discriminator wins: accuracy {accuracy:.3f}, above {most:g} for {lasting}. "
                "Lower its learning rate, or give it dropout or a penalty."
            )
            troubles["discriminator_loses"] = accuracy < least and (
                f"The discriminator loses: accuracy {accuracy:.3f}, below {least:g} for {lasting}. "
                "Lower the generator's learning rate, or enlarge the discriminator."
            )
        if (slope := figures.get("score_slope")) is not None:
            usual = float(np.median(self._slopes)) if self._slopes else 0.0
            troubles["vanishing_slopes"] = not slope > max(VANISHED * usual, ZERO) and (
                "The generator learns nothing: the slope of the scores by its pictures is "
                f"{slope:.2g} for {lasting}, and was {usual:.2g} before. Lower the discriminator's "
                "learning rate, or give it a penalty."
            )
        if (diversity := figures.get("diversity")) is not None:
            advice = "Lower `kl_weight`, or the learning rate."
            if hasattr(self.model, "discriminator"):
                advice = "Lower the generator's learning rate, or enlarge the discriminator."
            # Untrained models begin without diversity: as long as it grows, nothing has collapsed.
            grows = diversity > max(self.history.get("diversity", [0.0]))
            troubles["collapse"] = (diversity < self.least_diversity and not grows) and (
                f"The samples have collapsed: diversity {diversity:.2f}, below "
                f"{self.least_diversity:g} of that of real pictures for {lasting}. {advice}"
            )
        if (most := figures.get("activity")) is not None:
            silent = not figures["active_units"] and not self._may_awake(most)
            troubles["posterior_collapse"] = silent and (
                "The latents say nothing of the pictures (posterior collapse): the most active of "
                f"{self.model.latent_dim} has an activity of {most:.2g}, below {ACTIVE:g} for "
                f"{lasting}. Give them time before they must pay (`kl_warm_up`), a share that "
                "costs nothing (`free_bits`), or lower `kl_weight`."
            )
        return troubles

    def _may_awake(self, activity):
        """Return whether latents that are not active may be about to become so."""
        if int(self.model.optimizer.iterations) < EARLY:
            return True
        # What has been told is over when one is active, not when their noise grows for an epoch.
        told = self._lasted.get("posterior_collapse", 0) >= self.patience
        before = reversed(self.history.get("activity", [])[-self.patience :])
        low = list(itertools.takewhile(lambda x: x <= ACTIVE, before))
        return not told and bool(low) and activity > max(low)

    def _report(self, kind, message):
        if kind not in UNDONE or self.factor is None:
            self._note(kind, message)
        elif self.go_back():
            self._lasted = {}
            self._note(kind, message + self._done())
        else:
            self._note(kind, message, warn=False)
            raise FloatingPointError(
                f"{message} The model went back {self.rollbacks} times, which did not help."
            )

    def _done(self):
        place = f"at the end of epoch {self.good_epoch}" if self.good_epoch else "at its beginning"
        return (
            f" The model is back {place}, with {self.factor:g} times its learning rates (rollback "
            f"{self.rollbacks} of {self.most})."
        )

    def _note(self, kind, message, warn=True):
        self._findings.append((self._now + 1, kind, message))
        if warn:
            warnings.warn(f"Epoch {self._now + 1}: {message}", HealthWarning, stacklevel=3)


def _limits(accuracy):
    try:
        least, most = (checks.number("accuracy", limit, 0.0, 1.0) for limit in accuracy)
    except (TypeError, ValueError):
        least, most = 1.0, 0.0
    if least >= most:
        raise ValueError(
            "`accuracy` must be two numbers in [0, 1], the smaller one first. Received: "
            f"accuracy={checks.shown(accuracy)}. Usual: (0.45, 0.97)."
        )
    return least, most


def _checked_distance(pictures):
    distance = mean_distance(pictures)
    if not distance > 0.0:
        raise ValueError(
            "`pictures` must be different ones, at least two. Received: "
            f"{len(pictures)} that do not differ."
        )
    return distance
