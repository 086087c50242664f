"""A champion that is easily beaten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from credit_ct_dagster_tests.platform import EARLIER, POOR_SEARCH, Templates
from credit_ct_dagster_tests.trained import Trained


@pytest.fixture(scope="session")
def poor_champion(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates
) -> Iterator[Trained]:
    """A platform whose champion, of an earlier base date, is easily beaten."""
    folder = tmp_path_factory.mktemp("poor")
    options: dict[str, Any] = {"search": POOR_SEARCH, "checks": False, "until": "champion_model"}
    with Trained.on(folder, templates, EARLIER, **options) as trained:
        yield trained


@pytest.fixture
def with_poor_champion(poor_champion: Trained, tmp_path: Path) -> Iterator[Trained]:
    """The same, to change."""
    with poor_champion.copied(tmp_path) as copy:
        yield copy
