"""``dot``: the plain dot product of a user vector and an item vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cfbench.contracts import Embeddings, FitContext
from cfbench.ratings import Codes, Floats, Ratings
from cfbench_torch.factors import Factors
from cfbench_torch.link import check_range, link_for
from cfbench_torch.machine import Machine
from cfbench_torch.requirement import require_size
from cfbench_torch.training import TrainingPlan, fit_network
from cfbench_torch.warming import warm_up_factors


@dataclass
class DotProduct:
    """Dot product of user and item factors, optionally through a sigmoid range.

    rating(u, i) = p_u · q_i, or low + (high - low) sigmoid(p_u · q_i) with a range; squared error, Adam.
    Source: Funk 2006, "Netflix update: try this at home"; Koren, Bell, Volinsky 2009, "Matrix factorization
    techniques for recommender systems", without its biases.

    An unknown user or item has no vector, and a vector of zeros would only say 0, or the middle of the
    range, whatever the data: the answer is NaN.

    Attributes:
        n_factors: length k of the vectors.
        y_range: ends of the sigmoid's range in rating units; ``"scale"`` is the data's scale widened by a
            tenth of its width on each side; None leaves the dot product as it is.
        epochs, learning_rate, weight_decay, batch_size, fewest_steps, schedule, patience, validation_share:
            see :class:`cfbench_torch.training.TrainingPlan`.
    """

    n_factors: int = 50
    y_range: tuple[float, float] | Literal["scale"] | None = "scale"
    epochs: int = 5
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    batch_size: int | None = None
    fewest_steps: int = 256
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    patience: int | None = None
    validation_share: float = 0.1

    def __post_init__(self) -> None:
        require_size("n_factors", self.n_factors)
        check_range(self.y_range)
        TrainingPlan.of(self)

    @classmethod
    def warm_up(cls) -> None:
        """Take a first step on a toy table, so that one-off start-up work stays out of the clock."""
        warm_up_factors()

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn the vectors of all training users and items."""
        self.machine_ = Machine.of(context)
        self.device_ = self.machine_.device
        with self.machine_.at_work():
            generator = self.machine_.generator(context.seed)
            link = link_for(self.y_range, train)
            self.factors_ = Factors.random(train, self.n_factors, generator, biases=False, link=link)
            fit_network(
                self.factors_,
                train,
                TrainingPlan.of(self),
                context=context,
                machine=self.machine_,
                generator=generator,
            )

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, shape (m,) float32; NaN for an unknown user or item."""
        with self.machine_.at_work():
            return self.factors_.predict(users, items, self.machine_)

    def score_items(self, users: Codes) -> Floats:
        """Predict every training item's rating, shape (b, n_items) float32; a row of NaN for an unknown user."""
        with self.machine_.at_work():
            return self.factors_.score_items(users, self.machine_)

    def embeddings(self) -> Embeddings:
        """Return the vectors; their dot product is the score, which the range turns into a rating."""
        return self.factors_.embeddings()
