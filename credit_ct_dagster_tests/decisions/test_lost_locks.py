"""The server ends the connection that holds the lock while a decision is taken."""

import pytest
import sqlalchemy as sa

from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.models import OvertakenDecisionError
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.trained import Trained

_STAYS = Decision(promoted=False, ground=Ground.worse, sentence="Not promoted: not better.")


def _on(trained: Trained, url: str) -> Promotions:
    platform = trained.platform
    return Promotions(
        tracking=platform.tracking,
        packages=platform.packages,
        artifacts=platform.artifacts,
        validation=platform.wiring.package_validation,
        lock_url=url,
    )


def _kill_holder(url: str, model_name: str) -> None:
    """End the connection that holds the lock of decisions, as an administrator may."""
    lock = f"credit_ct.promotion.{model_name}"[-64:]
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        holder = connection.scalar(sa.select(sa.func.is_used_lock(lock)))
        assert holder is not None
        connection.exec_driver_sql(f"KILL {holder}")


def _champion(promotions: Promotions) -> ModelIdentity:
    champion = promotions.champion()
    assert champion is not None
    return champion


def test_a_decision_whose_lock_was_lost_replaces_no_other(
    trained_copy: Trained, mariadb: MariaDB
) -> None:
    """Another process decides meanwhile; the first one is refused and decides again."""
    url = mariadb.new_database()
    first, second = _on(trained_copy, url), _on(trained_copy, url)
    model = _champion(first)
    with first.deciding() as deciding:
        _kill_holder(url, trained_copy.platform.model_name)
        with second.deciding() as other:
            assert other.record(model, _STAYS, by="second").number == 2
        with pytest.raises(OvertakenDecisionError, match="the lock was lost"):
            deciding.record(model, _STAYS, by="first")
    with first.deciding() as deciding:
        assert deciding.record(model, _STAYS, by="first").number == 3
    assert [each.by for each in first.records()] == ["gate", "second", "first"]
    assert first.decisions.verify() == "3 in an unbroken chain"


def test_a_lock_that_nobody_took_meanwhile_is_taken_again(
    trained_copy: Trained, mariadb: MariaDB
) -> None:
    """The decision is still based on all that was decided, so it is recorded."""
    url = mariadb.new_database()
    promotions = _on(trained_copy, url)
    model = _champion(promotions)
    with promotions.deciding() as deciding:
        _kill_holder(url, trained_copy.platform.model_name)
        assert deciding.record(model, _STAYS).number == 2
    assert promotions.agreement().endswith("according to decision 2, the newest")
