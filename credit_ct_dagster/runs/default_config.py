"""Run configuration that a bank declares once: the defaults of every run (RUN_CONFIG)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import dagster as dg
from pydantic import BaseModel, ValidationError

from credit_ct_dagster.errors.inputs import RunConfigError, SettingsError
from credit_ct_dagster.runs.config_errors import refused, shortly, truth_values, unexpected
from credit_ct_dagster.runs.hours import Hours
from credit_ct_dagster.yaml_files import UnusableYamlError, read_yaml

_Rules = TypeVar("_Rules", bound=BaseModel)

_BINDING = {"approval": "required"}
"""Values that no run takes back: whoever may start one would else decide without that person."""


@dataclass(frozen=True)
class DefaultConfig:
    """Values that take the place of the platform's own defaults; a run's own values take theirs.

    They are defaults of the ops themselves, not of a job: a partitioned job of Dagster's replaces
    its configuration as a whole by that of a run, and an asset that is materialized outside of the
    job, or `dagster job execute` with a tag for the base date, would not get it.

    Attributes:
        ops: The configuration of each op that has some, by name.
        hours: When the schedules start their runs.
        path: The file that they are from.
    """

    ops: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hours: Hours = field(default_factory=Hours)
    path: Path | None = None

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Read `ops`, as in the launchpad, and `schedules`; a file of comments changes nothing.

        Raises:
            SettingsError: There is no such file, or it cannot be used.
        """
        if path is None:
            return cls()
        try:
            content = read_yaml(path)
        except UnusableYamlError as error:
            raise _unusable(path, str(error)) from error
        holder = _mapping(path, content, "it", ("ops", "schedules"))
        ops = _mapping(path, holder.get("ops"), "ops")
        hours = _mapping(path, holder.get("schedules"), "schedules", Hours.model_fields)
        try:
            at = Hours.model_validate(hours)
        except ValidationError as error:
            raise _refused(path, "schedules", error) from error
        return cls({name: _config_of(path, name, op) for name, op in ops.items()}, at, path)

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
            raise _unexpected(self.path, unknown, "ops", sorted(known))

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
            raise _unexpected(self.path, unknown, f"ops.{op.name}.config", list(fields))
        changed = {name: self._option(op.name, name, fields[name]) for name in values}
        if problem := truth_values(_config_class(op), values):
            raise _unusable(self.path, f"cannot be used for {op.name}: {problem}")
        defaults = dg.Field(fields | changed)
        try:
            _config_class(op)(**defaults.default_value)
        except ValidationError as error:
            raise _refused(self.path, op.name, error) from error
        # What a run sets besides is judged by the op's own schema, as if it had set all of it.
        configured = op.configured(
            self._obeyed(values), op.name, config_schema=defaults, description=op.description
        )
        # As `map_asset_specs` replaces a part of a definition.
        return dg.AssetsDefinition.dagster_internal_init(
            **{**definition.get_attributes_dict(), "node_def": configured}
        )

    def _obeyed(self, values: Mapping[str, Any]) -> Callable[[Any], Any]:
        """Gives the configuration of an op, unless a run takes back what binds it."""
        binding = {each: value for each, value in _BINDING.items() if values.get(each) == value}

        def obey(given: Any) -> Any:
            for name, value in binding.items():
                if given[name] != value:
                    error = RunConfigError(
                        f"{name}: RUN_CONFIG says {value}, which no run can change. Leave it out."
                    )
                    raise dg.DagsterInvalidConfigError(
                        str(error), errors=[], config_value=given
                    ) from error
            return given

        return obey

    def _option(self, op: str, name: str, option: Any) -> dg.Field:
        value = self.ops[op][name]
        try:
            return dg.Field(option.config_type, value, description=option.description)
        except dg.DagsterInvalidConfigError as error:
            raise _unusable(
                self.path, f"cannot be used for {op}: {name}: {shortly(error)}"
            ) from error


def _config_of(path: Path, op: str, content: Any) -> dict[str, Any]:
    """The configuration of an op, below the one name that may be there."""
    return _mapping(path, _mapping(path, content, f"ops.{op}", ("config",)).get("config"), op)


def _mapping(
    path: Path, content: Any, where: str, names: Collection[str] | None = None
) -> dict[str, Any]:
    """A mapping of the file; nothing at all is an empty one.

    Args:
        path: The file.
        content: What the file has there.
        where: For a person.
        names: Those that may be in it. [default: any]
    """
    found = {} if content is None else content
    if not isinstance(found, dict):
        raise _unusable(path, f"must give the values in {where} by name")
    unknown = sorted(map(str, set(found) - set(names or found)))
    if unknown:
        raise _unexpected(path, unknown, where, list(names or ()))
    return found


def _unexpected(
    path: Path | None, names: Sequence[str], where: str, expected: Sequence[str]
) -> SettingsError:
    problem = "; ".join(unexpected(name, where, expected) for name in names)
    return _unusable(path, f"cannot be used: {problem}")


def _fields(op: dg.OpDefinition) -> dict[str, Any]:
    described = op.config_field
    return dict(getattr(described.config_type, "fields", {})) if described else {}


def _config_class(op: dg.OpDefinition) -> type[dg.Config]:
    function: Any = op.compute_fn  # Dagster does not publish the type of what `@asset` makes
    return function.get_config_arg().annotation


def _refused(path: Path | None, op: str, error: ValidationError) -> SettingsError:
    return _unusable(path, f"cannot be used for {op}: {refused(error)}")


def _unusable(path: Path | None, problem: str) -> SettingsError:
    return SettingsError(f"RUN_CONFIG: {path} {problem}. Correct it, then try again.")
