"""A small model and what a service on it is made of."""

import pytest

from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster_tests.serving.http.small_service import served, small_model


@pytest.fixture(scope="session")
def model() -> ServedModel:
    """A model as the follower holds it."""
    return served(*small_model())
