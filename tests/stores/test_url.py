"""Which stores can be shared by processes, as their URLs say."""

import pytest

from treadle.stores.url import is_private


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://?sync=full"])
def test_a_store_in_memory_is_private(url: str) -> None:
    assert is_private(url)


@pytest.mark.parametrize("url", ["sqlite:///jobs.db", "sqlite:////var/lib/jobs.db?sync=full", "redis://localhost"])
def test_a_file_and_a_server_are_not(url: str) -> None:
    assert not is_private(url)
