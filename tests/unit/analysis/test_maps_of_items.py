"""Items laid out in the plane by libraries that need not be there."""

import numpy as np
import pytest

from cfbench.analysis import embedding_statistics
from cfbench.analysis.embedding_statistics import map_items
from cfbench.errors import UsageError


def groups() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(at, 0.1, (12, 4)) for at in (0, 5)]).astype(np.float32)


def test_tsne_keeps_two_groups_apart_and_gives_the_same_places_again():
    pytest.importorskip("sklearn", reason="t-SNE needs the extra `maps`")
    places = map_items(groups(), "tsne")
    assert places.shape == (24, 2)
    assert np.array_equal(places, map_items(groups(), "tsne"))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    same = np.arange(24) // 12
    assert apart[same[:, None] == same].max() < np.linalg.norm(places[:12].mean(0) - places[12:].mean(0)) * 2


def test_umap_gives_the_same_places_again():
    pytest.importorskip("umap", reason="UMAP needs the extra `umap`")
    assert np.array_equal(map_items(groups(), "umap"), map_items(groups(), "umap"))


@pytest.mark.parametrize(("kind", "package"), [("tsne", "scikit-learn"), ("umap", "umap-learn")])
def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch, kind, package):
    monkeypatch.setattr(embedding_statistics, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=f"needs {package}, which is not installed: pip install {package}"):
        map_items(groups(), kind)


def test_three_items_are_too_few_for_a_map():
    pytest.importorskip("sklearn", reason="t-SNE needs the extra `maps`")
    with pytest.raises(UsageError, match="needs 4 items or more, got 3"):
        map_items(groups()[:3], "tsne")
