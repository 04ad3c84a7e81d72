"""``nn``: a small neural network on the embeddings of user and item."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_torch.hyperparameters import arguments, hyperparameters
from cfbench_torch.link import check_range, link_for
from cfbench_torch.machine import Machine
from cfbench_torch.perceptron import Perceptron, Shape
from cfbench_torch.requirement import require, require_size
from cfbench_torch.training import TrainingPlan, fit_network
from cfbench_torch.warming import warm_up_perceptron

_KIND = "cfbench-torch.nn.1"


@dataclass
class NeuralNetwork:
    """Neural network on the concatenated embeddings of user and item.

    rating(u, i) = f(e_u ⊕ e_i), f fully connected layers with ReLU between them, or
    low + (high - low) sigmoid(f(...)) with a range; squared error, Adam. Source: Howard and Gugger 2020,
    "Deep learning for coders with fastai and PyTorch", chapter 8, "Deep learning for collaborative
    filtering"; the same idea in He et al. 2017, "Neural collaborative filtering", arXiv:1708.05031.

    An unknown user or item has an embedding of zeros: embeddings start around it and weight decay pulls to
    it, so the network answers for the other side alone. Where both are unknown it has nothing to go by: NaN.

    Attributes:
        layers: widths of the hidden layers.
        user_size: length of user embeddings; None: :func:`embedding_size` of the number of users and the
            unknown.
        item_size: length of item embeddings; None likewise.
        y_range: ends of the sigmoid's range in rating units; ``"scale"`` is the data's scale widened by a
            tenth of its width on each side; ``"observed"`` reaches from the lowest to the highest training rating;
            None leaves the last layer's output as it is.
        batch_norm: normalise the outputs of each hidden layer, after ReLU.
        dropout: share of each hidden layer's outputs left out at random in training, in [0, 1).
        embedding_dropout: share of the numbers of both embeddings likewise.
        epochs, learning_rate, weight_decay, batch_size, fewest_steps, schedule, stop_after, validation_share,
            patience, scale_target: see :class:`cfbench_torch.training.TrainingPlan`.
    """

    layers: tuple[int, ...] = (100,)
    user_size: int | None = None
    item_size: int | None = None
    y_range: tuple[float, float] | Literal["scale", "observed"] | None = "scale"
    batch_norm: bool = False
    dropout: float = 0.0
    embedding_dropout: float = 0.0
    epochs: int = 3
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    batch_size: int | None = None
    fewest_steps: int = 256
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    stop_after: int | None = None
    validation_share: float | None = None
    patience: int | None = None
    scale_target: bool = False

    def __post_init__(self) -> None:
        require(len(self.layers) > 0, "layers", self.layers, "at least one width, such as (100,)")
        for width in self.layers:
            require_size("layers", width)
        for name in ("user_size", "item_size"):
            if getattr(self, name) is not None:
                require_size(name, getattr(self, name))
        check_range(self.y_range)
        require(isinstance(self.batch_norm, bool), "batch_norm", self.batch_norm, "true or false")
        for name in ("dropout", "embedding_dropout"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "a share from 0 to below 1")
        TrainingPlan.of(self)

    @classmethod
    def warm_up(cls) -> None:
        """Run a toy network once, so that one-off start-up work stays out of the clock."""
        warm_up_perceptron()

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn embeddings and layers."""
        self.machine_ = Machine.of(context)
        self.device_ = self.machine_.device
        with self.machine_.at_work():
            generator = self.machine_.generator(context.seed)
            link = link_for(self.y_range, train, scale_target=self.scale_target)
            self.network_ = Perceptron.random(train, self._shape(train.n_users, train.n_items), generator, link)
            fit_network(
                self.network_,
                train,
                TrainingPlan.of(self),
                context=context,
                machine=self.machine_,
                generator=generator,
            )

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, shape (m,) float32; NaN where user and item are both unknown."""
        with self.machine_.at_work():
            return self.network_.predict(users, items, self.machine_)

    def score_items(self, users: Codes) -> Floats:
        """Predict every training item's rating, shape (b, n_items) float32."""
        with self.machine_.at_work():
            return self.network_.score_items(users, self.machine_)

    def rating_range(self) -> tuple[float, float] | None:
        """Return the ends of the sigmoid's range; None where nothing bounds the ratings."""
        return self.network_.link.range

    def embeddings(self) -> Embeddings:
        """Return the embeddings of users and items, which differ in length and mean nothing to one another."""
        return self.network_.embeddings()

    def save(self, directory: Path) -> None:
        """Write embeddings, layers and hyperparameters."""
        arrays, facts = self.network_.parts()
        facts |= {**self.machine_.facts(), "hyperparameters": hyperparameters(self)}
        save_parts(directory, _KIND, arrays, facts)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return the saved model on whatever device is here; raises StoreError for any other files."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**arguments(facts["hyperparameters"]))
        model.machine_ = Machine.of_saved(facts)
        model.device_ = model.machine_.device
        shape = model._shape(*(len(arrays[name]) - 1 for name in ("user_table", "item_table")))
        model.network_ = Perceptron.of_parts(arrays, facts, shape, model.machine_)
        return model

    def _shape(self, n_users: int, n_items: int) -> Shape:
        return Shape(
            self.user_size or embedding_size(n_users + 1),
            self.item_size or embedding_size(n_items + 1),
            self.layers,
            self.batch_norm,
            self.dropout,
            self.embedding_dropout,
        )


def embedding_size(n_levels: int) -> int:
    """Return the usual length of an embedding of ``n_levels`` things: min(600, round(1.6 n^0.56)).

    A rule of thumb from fastai's tabular models; 944 levels give 74 numbers, 1,665 give 102.
    """
    return min(600, round(1.6 * math.pow(n_levels, 0.56)))
