"""How long base dates and predictions are retained."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster.modeling.watching.watch_rules import WatchRules
from credit_ct_dagster.runs.default_config import DefaultConfig


class PruningRules(dg.ConfigurableResource):
    """What the scheduled job deletes; as `credit-ct prune` does by default."""

    keep_days: int = Field(
        default=90,
        ge=1,
        description="Base dates up to the newest one - this many days are deleted, except for the"
        " holdouts on which models are judged",
    )
    predictions_keep_days: int | None = Field(
        default=400,
        ge=1,
        description="Predictions that are older than this many days are deleted; none keeps all."
        " What was found about their days is retained for as long as later days are judged by it",
    )
    run_config: str | None = Field(
        default=None, description="The file RUN_CONFIG, which may declare longer probations"
    )

    def shadow(self) -> ShadowRules:
        """Who is in the shadow, by the configuration of scheduled runs.

        Raises:
            SettingsError: RUN_CONFIG cannot be used.
        """
        return self._config().rules_of("champion_probation", ShadowRules)

    def monitoring_needed_days(self) -> int:
        """For how many days later days are judged by what was found of a prediction day.

        Raises:
            SettingsError: RUN_CONFIG cannot be used.
        """
        config = self._config()
        return max(
            self.shadow().probation_days,
            config.rules_of("shadow_scores", ShadowRules).probation_days,
            config.rules_of("champion_health", WatchRules).look_back_days,
        )

    def _config(self) -> DefaultConfig:
        return DefaultConfig.read(Path(self.run_config) if self.run_config else None)
