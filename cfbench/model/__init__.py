"""Model contract: everything that the author of a model plugin imports.

``from cfbench.model import FitContext, Ratings, Codes, Floats`` is the public surface; its modules are private.
Importing this package loads numpy and the standard library, nothing else. :data:`CONTRACT` is the version of the
contract: a new capability raises its minor number.
"""

from cfbench.errors import ModelError, StoreError
from cfbench.model.arrays import Codes, Floats, Matrix, Vector, frozen, pair_products
from cfbench.model.features import Features, Memberships, Vocabulary, is_text
from cfbench.model.limits import (
    MOST_THREADS,
    require,
    require_at_least,
    require_choice,
    require_fraction,
    require_positive,
    require_unit_interval,
    require_whole,
)
from cfbench.model.protocols import (
    CAPABILITIES,
    Capability,
    Embeddings,
    EpochReport,
    FitContext,
    HasEmbeddings,
    HasRatingRange,
    PredictsRatings,
    Recommender,
    RunsOnDevice,
    Saveable,
    ScoresItems,
    TakesColdEntities,
    WarmsUp,
)
from cfbench.model.ratings import Ratings, RatingScale
from cfbench.model.saving import Fact, Saved, load_parts, parameters_of, save_parts

CONTRACT = (1, 0)
"""Version of the contract between cfbench and plugins: (major, minor)."""

__all__ = [
    "CAPABILITIES",
    "CONTRACT",
    "MOST_THREADS",
    "Capability",
    "Codes",
    "Embeddings",
    "EpochReport",
    "Fact",
    "Features",
    "FitContext",
    "Floats",
    "HasEmbeddings",
    "HasRatingRange",
    "Matrix",
    "Memberships",
    "ModelError",
    "PredictsRatings",
    "RatingScale",
    "Ratings",
    "Recommender",
    "RunsOnDevice",
    "Saveable",
    "Saved",
    "ScoresItems",
    "StoreError",
    "TakesColdEntities",
    "Vector",
    "Vocabulary",
    "WarmsUp",
    "frozen",
    "is_text",
    "load_parts",
    "pair_products",
    "parameters_of",
    "require",
    "require_at_least",
    "require_choice",
    "require_fraction",
    "require_positive",
    "require_unit_interval",
    "require_whole",
    "save_parts",
]
