"""Base of all adapters: arguments for the library, predictions from what it has learned."""

from __future__ import annotations

from typing import Any

from cfbench.model import Codes, FitContext, Floats, Saved, parameters_of


class Adapter(Saved):
    """Base of models that one of the library's algorithms fits.

    ``fit`` sets ``learned_``, a formula over learned arrays that answers pairs (``of_pairs``) and whole rows
    (``of_rows``) without the library. A model's parameters are those of the library's class, by the library's names but
    for those that ``seed_names`` gives.
    """

    learned_: Any

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the formula's ratings, shape (m,); NaN where it has none."""
        return self.learned_.of_pairs(users, items)  # type: ignore[no-any-return]

    def score_items(self, users: Codes) -> Floats:
        """Return the formula's ratings of every item, shape (b, n_items); NaN where it has none."""
        return self.learned_.of_rows(users)  # type: ignore[no-any-return]

    def arguments(self, context: FitContext) -> dict[str, Any]:
        """Return the arguments of the library's class; ``random_state`` is the cell's seed where it is None."""
        names = getattr(self, "seed_names", {})
        arguments = {names.get(name, name): value for name, value in parameters_of(self).items()}
        if "random_state" in arguments and arguments["random_state"] is None:
            arguments["random_state"] = context.library_seed
        return arguments


def baseline_options(model: Any, prefix: str = "") -> dict[str, Any]:
    """Return the library's ``bsl_options`` from flat fields of ``model``; it ignores those of the other method."""
    options = {name: getattr(model, prefix + name) for name in ("method", "reg_u", "reg_i", "reg", "learning_rate")}
    epochs = getattr(model, prefix + "epochs")
    return options if epochs is None else {**options, "n_epochs": epochs}
