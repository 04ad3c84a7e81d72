"""Rules on learning itself."""

from __future__ import annotations

import numpy as np

from cfbench.model.protocols import EpochReport
from cfbench.model.ratings import Floats
from cfbench.testing.check import Rule
from cfbench.testing.example_ratings import Checkerboard, checkerboard, random_ratings
from cfbench.testing.model_under_test import ModelUnderTest, predictions, scores

_ENOUGH = 0.7  # of right orders; chance is 0.5


def _learns_tastes(subject: ModelUnderTest) -> None:
    board = checkerboard()
    model = subject.fitted(board.train)
    n_users, n_items = board.liked.shape
    users = np.arange(n_users, dtype=np.int32)
    if hasattr(model, "score_items"):
        _require_taste(subject, "score_items", board, scores(model, users))
    if hasattr(model, "predict"):
        pairs = np.repeat(users, n_items), np.tile(np.arange(n_items, dtype=np.int32), n_users)
        answer = predictions(model, *pairs).reshape(n_users, n_items)
        _require_taste(subject, "predict", board, answer)


def _require_taste(subject: ModelUnderTest, method: str, board: Checkerboard, answer: Floats) -> None:
    """Demand that of two unseen items a user likes and dislikes the liked one mostly gets more."""
    liked, disliked = board.liked & board.unseen, ~board.liked & board.unseen
    more = answer[:, :, None] > answer[:, None, :]
    same = answer[:, :, None] == answer[:, None, :]
    pairs = liked[:, :, None] & disliked[:, None, :]
    right = (np.count_nonzero(more & pairs) + 0.5 * np.count_nonzero(same & pairs)) / np.count_nonzero(pairs)
    subject.require(
        right >= _ENOUGH,
        f"{method} puts the liked one of two unseen items first in {right:.0%} of cases, expected {_ENOUGH:.0%}, where "
        "even users like even items and odd users odd items; does fit use the codes it is given, and learn "
        "enough with its default parameters?",
    )


def _reports_epochs(subject: ModelUnderTest) -> None:
    reports: list[EpochReport] = []
    subject.fitted(random_ratings(), on_epoch=reports.append)
    subject.require(
        [report.epoch for report in reports] == list(range(1, len(reports) + 1)),
        f"reported the epochs {[report.epoch for report in reports]}; report each once, counting from 1",
    )
    subject.require(all(report.epoch <= report.epochs for report in reports), "reported more epochs than it planned")
    losses = [loss for report in reports for loss in (report.train_loss, report.validation_loss)]
    subject.require(
        all(np.isfinite(loss) for loss in losses if loss is not None), f"reported losses that are not finite: {losses}"
    )


RULES = (
    Rule("learns a checkerboard of tastes", _learns_tastes),
    Rule("epochs are reported in order", _reports_epochs),
)
