"""What a package of the pipeline holds, and what becomes of it when it is made again."""

import dagster as dg

from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.files import SCALERS_FOLDER
from credit_ct_dagster.contracts.splits import ScalersRecord
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.trained import Trained

_AGAIN = dg.AssetSelection.assets("bentoml_model", "champion_model", "model_card")


def _protecting(*features: str) -> dict[str, object]:
    return {"bentoml_model": {"config": {"protected_features": list(features)}}}


def test_a_package_knows_the_rules_and_the_typical_customer(trained: Trained) -> None:
    """As they were when its rows were prepared; age is protected unless it is configured."""
    packages = trained.platform.packages
    [package] = packages.packaged()
    data = packages.load(package.tag).data
    assert list(data.features) == schema.FEATURES
    assert data.protected == ["age"]
    for name, bounds in BOUNDS.items():
        assert (data.limits[name].low, data.limits[name].high) == (bounds.low, bounds.high)
    assert list(data.typical) == schema.CLASSES
    assert all(list(values) == schema.FEATURES for values in data.typical.values())
    learned = trained.platform.artifacts.open(SCALERS_FOLDER, BASE_DT).read(ScalersRecord)
    assert data.scales == learned.columns


def test_a_champion_that_is_packaged_otherwise_is_another_version(trained_copy: Trained) -> None:
    """The alias moves to it, on record, and its card names it; the same again changes nothing."""
    platform, instance = trained_copy.platform, trained_copy.instance
    first = platform.promotions.champion()
    assert first is not None
    same = platform.materialize(instance, selection=_AGAIN)
    assert same.success
    now = platform.promotions.champion()
    assert now is not None
    assert now.registered_version == first.registered_version
    assert now.bentoml_tag != first.bentoml_tag
    for _ in range(2):
        config = _protecting("age", "occupation")
        other = platform.materialize(instance, selection=_AGAIN, config=config)
        assert other.success
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.registered_version == str(int(first.registered_version) + 1)
    assert platform.promotions.load(champion).scorer.protected == ["age", "occupation"]
    assert platform.promotions.previous() is None
    assert platform.promotions.agreement().startswith(f"version {champion.registered_version}")
    grounds = [each.decision.ground for each in platform.promotions.records()]
    assert grounds == [Ground.first, Ground.registered_again]
    assert platform.decision_record().decision.ground == Ground.first
    assert champion.bentoml_tag in platform.models()["model_card.html"]
