"""``wide-deep``: a linear model on side information and its crosses beside a network on embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import torch
from numpy.typing import NDArray

from cfbench.model.features import Features
from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_torch.hyperparameters import arguments, hyperparameters
from cfbench_torch.indicators import Indicators
from cfbench_torch.link import check_range, link_for
from cfbench_torch.machine import Machine
from cfbench_torch.nn import embedding_size
from cfbench_torch.requirement import require, require_size
from cfbench_torch.training import TrainingPlan, fit_network
from cfbench_torch.warming import warm_up_perceptron
from cfbench_torch.wide_deep_network import WideDeep, WideDeepShape

_KIND = "cfbench-torch.wide-deep.1"
_SIDES = ("users", "items")


@dataclass
class WideDeepNetwork:
    """Side information twice: in a linear model with its crosses, and in a network beside the embeddings.

    score(u, i) = deep(e_u ⊕ x_u ⊕ e_i ⊕ x_i) + s (b_u + b_i + x_u · v + x_i · w + x_u' C x_i); rating = score, or
    low + (high - low) sigmoid(score) with a range; squared error, Adam. x are indicators of features (gender=F,
    age>=35, genres=Drama), those of a column sharing a weight of 1; C has a weight for each pair of a user's and an
    item's indicator (gender=F and genres=Drama). The wide part remembers, the deep part generalises. Source: Cheng et
    al. 2016, "Wide & deep learning for recommender systems", arXiv:1606.07792. More indicators than
    :data:`cfbench_torch.indicators.MOST_COLUMNS` a side share columns.

    A newcomer has an embedding and a bias of 0 and its own indicators; the unknown have neither. So that the network
    learns to answer for them, some training rows come without the user or the item (``id_dropout``), after Volkovs,
    Yu and Poutanen 2017, "DropoutNet: addressing cold start in recommender systems" (NIPS). Without features it is a
    network on embeddings with biases beside it.

    Attributes:
        layers: widths of the hidden layers.
        user_size: length of user embeddings; None: :func:`cfbench_torch.nn.embedding_size` of the number of users and
            the unknown.
        item_size: length of item embeddings; None likewise.
        y_range: ends of the sigmoid's range in rating units; ``"scale"`` is the data's scale widened by a
            tenth of its width on each side; ``"observed"`` reaches from the lowest to the highest training rating;
            None leaves the score as it is.
        wide_scale: s above; the larger, the faster the wide part learns and the less weight decay holds it.
        dropout: share of each hidden layer's outputs left out at random in training, in [0, 1).
        id_dropout: share of training rows whose user is taken for unknown, and of those whose item is, in [0, 1).
        fewest_ratings: users and items with fewer training ratings have no embedding and bias of their own, which one
            rating or two would leave overfitted; as in the paper, whose vocabularies leave rare ids out.
        epochs, learning_rate, weight_decay, batch_size, fewest_steps, schedule, stop_after, validation_share,
            patience, scale_target: see :class:`cfbench_torch.training.TrainingPlan`.
    """

    layers: tuple[int, ...] = (200,)
    user_size: int | None = None
    item_size: int | None = None
    y_range: tuple[float, float] | Literal["scale", "observed"] | None = "scale"
    wide_scale: float = 1.0
    dropout: float = 0.5
    id_dropout: float = 0.1
    fewest_ratings: int = 5
    epochs: int = 10
    learning_rate: float = 3e-3
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
        require(0 < self.wide_scale < float("inf"), "wide_scale", self.wide_scale, "a number > 0")
        for name in ("dropout", "id_dropout"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "a share from 0 to below 1")
        require_size("fewest_ratings", self.fewest_ratings)
        TrainingPlan.of(self)

    @classmethod
    def warm_up(cls) -> None:
        """Take a first step on a toy table, so that one-off start-up work stays out of the clock."""
        warm_up_perceptron()

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn both parts."""
        self.machine_ = Machine.of(context)
        self.device_ = self.machine_.device
        self.users_ = Indicators.of(train.user_features, train.n_users)
        self.items_ = Indicators.of(train.item_features, train.n_items)
        with self.machine_.at_work():
            generator = self.machine_.generator(context.seed)
            link = link_for(self.y_range, train, scale_target=self.scale_target)
            self.network_ = WideDeep.random(train, self._rows(), self._shape(), generator, link)
            fit_network(
                self.network_,
                train,
                TrainingPlan.of(self),
                context=context,
                machine=self.machine_,
                generator=generator,
            )

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Take note of newcomers' indicators."""
        met = self.users_.met(users), self.items_.met(items)
        self.network_.rows = (self.machine_.tensor(met[0].rows), self.machine_.tensor(met[1].rows))

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, shape (m,) float32."""
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
        """Return embeddings, which do not add up to anything, and what the wide part says of each entity alone."""
        return self.network_.embeddings()

    def save(self, directory: Path) -> None:
        """Write both parts, indicators and hyperparameters; newcomers are not kept."""
        arrays, facts = self.network_.parts()
        for side, indicators in zip(_SIDES, (self.users_, self.items_), strict=True):
            arrays |= {f"{side}_indicators_{name}": array for name, array in indicators.arrays().items()}
        facts |= {**self.machine_.facts(), "hyperparameters": hyperparameters(self)}
        save_parts(directory, _KIND, arrays, facts)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return the saved model on whatever device is here; raises StoreError for any other files."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**arguments(facts["hyperparameters"]))
        model.machine_ = Machine.of_saved(facts)
        model.device_ = model.machine_.device
        model.users_, model.items_ = (Indicators.among(_taken(arrays, f"{side}_indicators_")) for side in _SIDES)
        model.network_ = WideDeep.of_parts(arrays, facts, model._rows(), model._shape(), model.machine_)
        return model

    def _rows(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the indicators of training users and items on the device."""
        return self.machine_.tensor(self.users_.rows), self.machine_.tensor(self.items_.rows)

    def _shape(self) -> WideDeepShape:
        sizes = (
            self.user_size or embedding_size(len(self.users_.rows)),
            self.item_size or embedding_size(len(self.items_.rows)),
        )
        return WideDeepShape(sizes, self.layers, self.wide_scale, self.dropout, self.id_dropout, self.fewest_ratings)


def _taken(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Take the arrays whose names start with ``prefix`` out of ``arrays``, under the rest of their names."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name) for name in names}
