"""Learning curves, as the model reported them while it was fitted in the run."""

from __future__ import annotations

import math
from functools import partial

from cfbench.analysis.views.item_tables import Listing
from cfbench.analysis.views.view import InspectedModel, Options, Plot, View, without
from cfbench.reporting.plots.charts import loss_curves

_TITLE = "Learning curves"


def learning(subject: InspectedModel, options: Options) -> View:  # noqa: ARG001 - all views are called alike
    """List and draw the losses of every epoch."""
    if not subject.losses:
        return without(_TITLE, subject, "reported no losses while it was fitted")
    epochs = [one.epoch for one in subject.losses]
    losses = {
        "training loss": [_number(one.train_loss) for one in subject.losses],
        "validation loss": [_number(one.validation_loss) for one in subject.losses],
    }
    losses = {name: values for name, values in losses.items() if not all(map(math.isnan, values))}
    notes = [] if "validation loss" in losses else ["The model carved no validation part out of its training rows."]
    listing = Listing("learning", "Losses by epoch", {"epoch": epochs, **losses}, tuple(notes))
    if not losses:
        return without(_TITLE, subject, "reported epochs without losses")
    draw = partial(loss_curves, epochs, losses, "Losses by epoch")
    return View(_TITLE, (listing,), (Plot("learning", _TITLE, draw),))


def _number(loss: float | None) -> float:
    return math.nan if loss is None else loss
