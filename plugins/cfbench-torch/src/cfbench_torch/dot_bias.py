"""``dot-bias``: the dot product with user and item biases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_torch.factors import Factors
from cfbench_torch.hyperparameters import arguments, hyperparameters
from cfbench_torch.link import check_range, link_for
from cfbench_torch.machine import Machine
from cfbench_torch.requirement import require, require_size
from cfbench_torch.start import Start
from cfbench_torch.training import TrainingPlan, fit_network
from cfbench_torch.warming import warm_up_factors

_KIND = "cfbench-torch.dot-bias.1"


@dataclass
class BiasedDotProduct:
    """Dot product of user and item factors plus user and item biases.

    score(u, i) = offset + p_u · q_i + s (b_u + b_i); rating = score, or low + (high - low) sigmoid(score)
    with a range; squared error, Adam. Source: Koren, Bell, Volinsky 2009, "Matrix factorization techniques
    for recommender systems", section "Adding biases".

    With the default offset (the score of the training mean) everything not learned is 0, so an unknown user
    gets the item's bias about the mean, an unknown item the user's, and two unknowns the mean itself. Without
    an offset, as in the published notebooks, biases have to learn the mean as well, zeros mean nothing, and
    the unknown is NaN.

    Attributes:
        n_factors: length k of the vectors.
        y_range: ends of the sigmoid's range in rating units; ``"scale"`` is the data's scale widened by a
            tenth of its width on each side; ``"observed"`` reaches from the lowest to the highest training rating;
            None leaves the score as it is.
        start: first values of vectors and biases: ``"normal"``, N(0, start_scale), or ``"uniform"``,
            U[0, start_scale).
        start_scale: see ``start``.
        untrained_unknown: give unknown users and items random first values, which weight decay alone changes, and
            answer with them, as networks do that have a row for everyone, in training or not. The published notebooks
            did, and their figures count what it costs: without a range a cold item is rated about 0. False: zeros
            or NaN, as above.
        offset: ``"mean"``: the score whose rating is the training mean; ``"none"``: 0.
        bias_scale: s above; biases learn s times as fast as factors, and weight decay holds them s times
            less. 1 is the published model; the larger it is, the more of the ratings is left to the biases, which
            is what users and items with few ratings need.
        user_dropout: share of a user's factors left out at random in each training row, in [0, 1).
        item_dropout: the same for the item's factors.
        epochs, learning_rate, weight_decay, batch_size, fewest_steps, schedule, stop_after, validation_share,
            patience, scale_target: see :class:`cfbench_torch.training.TrainingPlan`.
    """

    n_factors: int = 50
    y_range: tuple[float, float] | Literal["scale", "observed"] | None = "scale"
    start: Literal["normal", "uniform"] = "normal"
    start_scale: float = 0.01
    untrained_unknown: bool = False
    offset: Literal["mean", "none"] = "mean"
    bias_scale: float = 8.0
    user_dropout: float = 0.0
    item_dropout: float = 0.0
    epochs: int = 5
    learning_rate: float = 2e-3
    weight_decay: float = 0.2
    batch_size: int | None = None
    fewest_steps: int = 1000
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    stop_after: int | None = None
    validation_share: float | None = None
    patience: int | None = None
    scale_target: bool = False

    def __post_init__(self) -> None:
        require_size("n_factors", self.n_factors)
        check_range(self.y_range)
        Start(self.start, self.start_scale)
        require(self.offset in ("mean", "none"), "offset", self.offset, "'mean' or 'none'")
        require(0 < self.bias_scale < float("inf"), "bias_scale", self.bias_scale, "a number > 0")
        for name in ("user_dropout", "item_dropout"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "a share from 0 to below 1")
        TrainingPlan.of(self)

    @classmethod
    def warm_up(cls) -> None:
        """Take a first step on a toy table, so that one-off start-up work stays out of the clock."""
        warm_up_factors()

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn the vectors and biases of all training users and items."""
        self.machine_ = Machine.of(context)
        self.device_ = self.machine_.device
        with self.machine_.at_work():
            generator = self.machine_.generator(context.seed)
            link = link_for(self.y_range, train, scale_target=self.scale_target)
            self.factors_ = Factors.random(
                train,
                self.n_factors,
                generator,
                biases=True,
                link=link,
                offset=link.score(train.mean) if self.offset == "mean" else None,
                bias_scale=self.bias_scale,
                dropout=(self.user_dropout, self.item_dropout),
                untrained=self.untrained_unknown,
                start=Start(self.start, self.start_scale),
            )
            fit_network(
                self.factors_,
                train,
                TrainingPlan.of(self),
                context=context,
                machine=self.machine_,
                generator=generator,
            )

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, shape (m,) float32; for the unknown see the class."""
        with self.machine_.at_work():
            return self.factors_.predict(users, items, self.machine_)

    def score_items(self, users: Codes) -> Floats:
        """Predict every training item's rating, shape (b, n_items) float32; for an unknown user see the class."""
        with self.machine_.at_work():
            return self.factors_.score_items(users, self.machine_)

    def rating_range(self) -> tuple[float, float] | None:
        """Return the ends of the sigmoid's range; None where nothing bounds the ratings."""
        return self.factors_.link.range

    def embeddings(self) -> Embeddings:
        """Return vectors and biases (already scaled) that add up to the score, which the range turns into a rating."""
        return self.factors_.embeddings()

    def save(self, directory: Path) -> None:
        """Write vectors, biases and hyperparameters."""
        arrays, facts = self.factors_.parts()
        facts |= {**self.machine_.facts(), "hyperparameters": hyperparameters(self)}
        save_parts(directory, _KIND, arrays, facts)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return the saved model on whatever device is here; raises StoreError for any other files."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**arguments(facts["hyperparameters"]))
        model.machine_ = Machine.of_saved(facts)
        model.device_ = model.machine_.device
        model.factors_ = Factors.of_parts(arrays, facts, model.machine_)
        return model
