import pytest

from cfbench.data.sources.source import default_storage
from cfbench.errors import DataNotFoundError


def test_a_named_folder_wins_over_the_environment(tmp_path, monkeypatch):
    (tmp_path / "named").mkdir()
    monkeypatch.setenv("CFBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("CFBENCH_CACHE", str(tmp_path / "cache"))
    assert default_storage().data_dir == tmp_path
    assert default_storage(tmp_path / "named").data_dir == tmp_path / "named"
    assert default_storage().cache_dir == tmp_path / "cache"
    assert not (tmp_path / "cache").exists()


def test_without_any_setting_only_the_systems_cache_is_used(monkeypatch):
    monkeypatch.delenv("CFBENCH_DATA", raising=False)
    monkeypatch.delenv("CFBENCH_CACHE", raising=False)
    storage = default_storage()
    assert storage.data_dir is None
    assert storage.cache_dir.name == "cfbench"


def test_a_data_folder_that_is_not_there_is_named_with_who_asked_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CFBENCH_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataNotFoundError, match="CFBENCH_DATA names"):
        default_storage()
    with pytest.raises(DataNotFoundError, match="--data-dir names"):
        default_storage(tmp_path / "away")
