"""Every definition of the code location, assembled once."""

from functools import partial

import dagster as dg

from credit_ct_dagster.alerting import sensors as alerting
from credit_ct_dagster.assets.bentoml_model import bentoml_model
from credit_ct_dagster.assets.champion_health import champion_health
from credit_ct_dagster.assets.champion_model import champion_model
from credit_ct_dagster.assets.champion_probation import champion_probation
from credit_ct_dagster.assets.customer_scores import customer_scores
from credit_ct_dagster.assets.estimated_performance import estimated_performance
from credit_ct_dagster.assets.features_target import features_target
from credit_ct_dagster.assets.model_card import model_card
from credit_ct_dagster.assets.preprocessed_splits import preprocessing
from credit_ct_dagster.assets.served_performance import served_performance
from credit_ct_dagster.assets.serving_skew import serving_skew
from credit_ct_dagster.assets.shadow_scores import shadow_scores
from credit_ct_dagster.assets.source_tables import credit_score, credit_score_features
from credit_ct_dagster.assets.tuned_runs import tuned_runs
from credit_ct_dagster.automation.abandoned_runs import abandoned_runs_sensor
from credit_ct_dagster.automation.customer_scores import (
    champion_scores_sensor,
    daily_customer_scores_schedule,
)
from credit_ct_dagster.automation.data_sensors import late_data_sensor, new_data_sensor
from credit_ct_dagster.automation.jobs import (
    continuous_training_job,
    customer_scores_job,
    executor,
    maturing_labels_job,
    monitoring_job,
)
from credit_ct_dagster.automation.monitoring import (
    daily_monitoring_schedule,
    maturing_labels_sensor,
)
from credit_ct_dagster.automation.pruning import nightly_pruning_schedule, pruning_job
from credit_ct_dagster.automation.retraining import retraining_sensor
from credit_ct_dagster.automation.schedules import daily_training_schedule
from credit_ct_dagster.checks.champion_health import champion_health_checks
from credit_ct_dagster.checks.champion_model import drift_is_small, probabilities_are_reliable
from credit_ct_dagster.checks.champion_probation import champion_passes_probation
from credit_ct_dagster.checks.customer_scores import class_shares_are_stable, customers_are_scored
from credit_ct_dagster.checks.features_target import (
    rows_have_not_expired,
    window_has_enough_rows,
    window_labels_are_merged,
)
from credit_ct_dagster.checks.partitioned import partitioned_check
from credit_ct_dagster.checks.preprocessed_splits import (
    labels_hold_all_classes,
    quarantine_is_within_limit,
    splits_share_no_customer,
)
from credit_ct_dagster.checks.robust_scalers import scalers_are_finite
from credit_ct_dagster.checks.row_distribution import (
    columns_have_values,
    no_customer_dominates,
    splits_have_their_shares,
)
from credit_ct_dagster.checks.serving_skew import served_features_agree_with_the_store
from credit_ct_dagster.checks.tuned_runs import model_beats_baselines
from credit_ct_dagster.databases import kind_of
from credit_ct_dagster.entry_point import set_up_process
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.watching.performance_rules import FLOORS, AnswerRules
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.feature_store.tables import require_plain_names
from credit_ct_dagster.runs.default_config import DefaultConfig
from credit_ct_dagster.runs.model_runs import MODEL_TAG
from credit_ct_dagster.runs.run_lines import write_few_lines
from credit_ct_dagster.runs.terminal_log import terminal_logger
from credit_ct_dagster.runs.uncaught import report_base_dates_in_one_line
from credit_ct_dagster.runs.warm_runs import start_warm_runs
from credit_ct_dagster.settings import Settings
from credit_ct_dagster.wiring import Wiring

SOURCES = [credit_score, credit_score_features]
ASSETS = [
    features_target,
    preprocessing,
    tuned_runs,
    bentoml_model,
    champion_model,
    model_card,
    customer_scores,
    estimated_performance,
    served_performance,
    serving_skew,
    shadow_scores,
    champion_probation,
    champion_health,
]
CHECKS = [
    window_has_enough_rows,
    window_labels_are_merged,
    rows_have_not_expired,
    quarantine_is_within_limit,
    labels_hold_all_classes,
    splits_share_no_customer,
    splits_have_their_shares,
    no_customer_dominates,
    columns_have_values,
    scalers_are_finite,
    model_beats_baselines,
    drift_is_small,
    probabilities_are_reliable,
    customers_are_scored,
    class_shares_are_stable,
    served_features_agree_with_the_store,
    champion_passes_probation,
    champion_health_checks,
]
SENSORS = [
    alerting.log_alerts_sensor,
    alerting.mail_alerts_sensor,
    alerting.webhook_alerts_sensor,
    abandoned_runs_sensor,
    new_data_sensor,
    late_data_sensor,
    champion_scores_sensor,
    maturing_labels_sensor,
    retraining_sensor,
]


def with_kind(spec: dg.AssetSpec, database: str) -> dg.AssetSpec:
    """A table with the kind of its database, which assets cannot know; other assets as they are."""
    if "table" not in spec.kinds:
        return spec
    return spec.replace_attributes(kinds=spec.kinds - {"sql"} | {database})


def partitioned(calendar: Calendar) -> list[dg.AssetsDefinition]:
    """The assets, with a partition per base date of a calendar."""
    partitions = calendar.partitions
    return [
        asset.map_asset_specs(lambda spec: spec.replace_attributes(partitions_def=partitions))
        for asset in ASSETS
    ]


def partitioned_checks(calendar: Calendar) -> list[dg.AssetsDefinition]:
    """The checks, with a partition per base date of a calendar."""
    return [partitioned_check(each, calendar.partitions) for each in CHECKS]


def build(settings: Settings) -> dg.Definitions:
    """The definitions for an environment, of which only the file RUN_CONFIG is read.

    Args:
        settings: Of the environment; its secrets are looked up when a run starts.

    Raises:
        SettingsError: The file cannot be used.
    """
    require_plain_names()
    wiring = Wiring(settings, secret=dg.EnvVar)
    assets, checks = partitioned(wiring.calendar), partitioned_checks(wiring.calendar)
    config = DefaultConfig.read(settings.run_config)
    config.require_ops([*assets, *checks])
    # One policy of evidence, whichever asset judges by it; one shadow; and one way to count labels.
    config = config.inherited("champion_probation", "champion_model", GateRules.model_fields)
    config = config.inherited("shadow_scores", "champion_probation", ShadowRules.model_fields)
    config = config.inherited("served_performance", "champion_model", FLOORS)
    config = config.inherited(
        "estimated_performance", "served_performance", AnswerRules.model_fields
    )
    config = config.inherited("champion_probation", "served_performance", ["label_days"])
    pruning = pruning_job({MODEL_TAG: settings.model_name})
    return dg.Definitions(
        assets=dg.map_asset_specs(
            partial(with_kind, database=kind_of(settings.feature_store_url.get_secret_value())),
            [*SOURCES, *config.given_to(assets)],
        ),
        asset_checks=config.given_to(checks),
        jobs=[
            continuous_training_job(settings.model_name),
            customer_scores_job(settings.model_name),
            monitoring_job(settings.model_name),
            maturing_labels_job(settings.model_name),
            pruning,
        ],
        schedules=[
            daily_training_schedule(config.hours),
            daily_customer_scores_schedule(config.hours),
            daily_monitoring_schedule(config.hours),
            nightly_pruning_schedule(pruning, config.hours, switched_on=settings.prune_on_schedule),
        ],
        sensors=SENSORS,
        executor=executor,
        loggers={"console": dg.colored_console_logger, "terminal": terminal_logger},
        resources=wiring.resources(),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: the entry point of a code location."""
    settings = set_up_process()
    write_few_lines()
    report_base_dates_in_one_line(Wiring(settings).calendar)
    if settings.warm_runs:
        start_warm_runs()
    return build(settings)
