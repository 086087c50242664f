"""Run configuration that a bank declares once: the defaults of every run (RUN_CONFIG)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import dagster as dg
import yaml
from pydantic import BaseModel, ValidationError

from credit_ct_dagster.errors.inputs import SettingsError

_Rules = TypeVar("_Rules", bound=BaseModel)


@dataclass(frozen=True)
class DefaultConfig:
    """Values that take the place of the platform's own defaults; a run's own values take theirs.

    They are defaults of the ops themselves, not of a job: a partitioned job of Dagster's replaces
    its configuration as a whole by that of a run, and an asset that is materialized outside of the
    job, or `dagster job execute` with a tag for the base date, would not get it.

    Attributes:
        ops: The configuration of each op that has some, by name.
        path: The file that they are from.
    """

    ops: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Read the configuration of ops, as in the launchpad; an empty file changes nothing.

        Raises:
            SettingsError: There is no such file, or it holds no configuration of ops.
        """
        if path is None:
            return cls()
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise _unusable(path, f"cannot be read ({error.strerror})") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise _unusable(path, f"is not YAML: {' '.join(str(error).split())}") from error
        ops = _only(path, content, "ops", "it")
        return cls({name: _only(path, op, "config", name) for name, op in ops.items()}, path)

    def inherited(self, by: str, of: str, names: Collection[str]) -> Self:
        """The same, with values of an op as those of another one that has none of its own.

        Args:
            by: The op that gets them.
            of: The op that has them.
            names: The options that both have.
        """
        shared = {name: value for name, value in self.ops.get(of, {}).items() if name in names}
        own = {**shared, **self.ops.get(by, {})}
        return replace(self, ops={**self.ops, by: own}) if own else self

    def rules_of(self, op: str, rules: type[_Rules]) -> _Rules:
        """The rules that an op obeys where a run sets nothing else.

        Args:
            op: Its name.
            rules: Their kind; other options of the op are passed over.

        Raises:
            SettingsError: A value cannot be used.
        """
        given = self.ops.get(op, {})
        try:
            return rules(**{name: given[name] for name in given if name in rules.model_fields})
        except ValidationError as error:
            raise _refused(self.path, op, error) from error

    def require_ops(self, definitions: Iterable[dg.AssetsDefinition]) -> None:
        """Accept only names of ops that exist and can be configured.

        Raises:
            SettingsError: One does not.
        """
        known = {each.op.name for each in definitions if _fields(each.op)}
        unknown = sorted(map(str, set(self.ops) - known))
        if unknown:
            raise _unusable(
                self.path,
                f"configures {', '.join(unknown)}, but the ops that can be configured are"
                f" {', '.join(sorted(known))}",
            )

    def given_to(self, definitions: Iterable[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
        """The same assets or checks, with these defaults.

        Raises:
            SettingsError: An op has no such option, or the option cannot have such a value.
        """
        return [
            self._given_to(each) if self.ops.get(each.op.name) else each for each in definitions
        ]

    def _given_to(self, definition: dg.AssetsDefinition) -> dg.AssetsDefinition:
        op = definition.op
        values = self.ops[op.name]
        fields = _fields(op)
        unknown = sorted(map(str, set(values) - set(fields)))
        if unknown:
            raise _unusable(
                self.path,
                f"sets {', '.join(unknown)} of {op.name}, whose options are {', '.join(fields)}",
            )
        changed = {name: self._option(op.name, name, fields[name]) for name in values}
        defaults = dg.Field(fields | changed)
        try:
            _config_class(op)(**defaults.default_value)
        except ValidationError as error:
            raise _refused(self.path, op.name, error) from error
        # What a run sets besides is judged by the op's own schema, as if it had set all of it.
        configured = op.configured(
            lambda given: given, op.name, config_schema=defaults, description=op.description
        )
        # As `map_asset_specs` replaces a part of a definition.
        return dg.AssetsDefinition.dagster_internal_init(
            **{**definition.get_attributes_dict(), "node_def": configured}
        )

    def _option(self, op: str, name: str, option: Any) -> dg.Field:
        value = self.ops[op][name]
        try:
            return dg.Field(option.config_type, value, description=option.description)
        except dg.DagsterInvalidConfigError as error:
            found = "; ".join(each.message.rstrip(".") for each in error.errors)
            raise _unusable(self.path, f"cannot be used for {op}: {name}: {found}") from error


def _only(path: Path, content: Any, name: str, where: str) -> dict[str, Any]:
    """The mapping below the one name that may be there; nothing at all is an empty one."""
    holder = {} if content is None else content
    if not isinstance(holder, dict) or set(holder) - {name}:
        raise _unusable(path, f"may only have {name} in {where}, as in the launchpad")
    below = holder.get(name)
    if below is None:
        return {}
    if not isinstance(below, dict):
        raise _unusable(path, f"must give the values in {name} of {where} by name")
    return below


def _fields(op: dg.OpDefinition) -> dict[str, Any]:
    described = op.config_field
    return dict(getattr(described.config_type, "fields", {})) if described else {}


def _config_class(op: dg.OpDefinition) -> type[dg.Config]:
    function: Any = op.compute_fn  # Dagster does not publish the type of what `@asset` makes
    return function.get_config_arg().annotation


def _refused(path: Path | None, op: str, error: ValidationError) -> SettingsError:
    found = (": ".join([*map(str, each["loc"]), each["msg"]]) for each in error.errors())
    return _unusable(path, f"cannot be used for {op}: {'; '.join(found)}")


def _unusable(path: Path | None, problem: str) -> SettingsError:
    return SettingsError(f"RUN_CONFIG: {path} {problem}. Correct it, then try again.")
