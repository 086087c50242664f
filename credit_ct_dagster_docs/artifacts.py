"""The page of the artifacts: every folder and file, and the fields of the records."""

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args

from credit_ct_dagster import contracts
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.drift import DriftReport
from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.contracts.identity import Lineage
from credit_ct_dagster.contracts.probation import ProbationRecord
from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.served_performance import EstimatedPerformance, ServedPerformance
from credit_ct_dagster.contracts.serving_skew import ServingSkew
from credit_ct_dagster.contracts.splits import ScalersRecord, SplitsSummary
from credit_ct_dagster_docs import docstrings
from credit_ct_dagster_docs import markdown as md

FOLDERS: dict[str, dict[str, str | type[Record]]] = {
    files.PREPROCESSING_FOLDER: {
        **{name: f"The scaled rows of the split {split}" for split, name in
           files.SPLIT_FILES.items()},
        files.SPLITS_SUMMARY_FILE: SplitsSummary,
        files.MERGED_ROWS_FILE: "The merged rows, for when they have expired in the database",
        files.QUARANTINE_FILE: "Rows that break a rule, with all reasons",
    },
    files.SCALERS_FOLDER: {
        files.SCALERS_FILE: ScalersRecord,
        files.SCALERS_FOR_OTHERS_FILE: "The same, pickled, for other consumers; the platform never"
        " reads it",
    },
    files.MODEL_FOLDER: {
        files.TRIALS_FILE: "The table of all trials of the search",
        files.BEST_MODEL_FILE: "The best model, as CatBoost stores it",
        files.SEARCH_SUMMARY_FILE: SearchSummary,
        files.DECISION_FILE: DecisionRecord,
        files.DRIFT_FILE: DriftReport,
        files.ASSESSMENT_FILE: AssessmentReport,
        files.LINEAGE_FILE: Lineage,
        files.MODEL_CARD_FILE: "The model card, one page without foreign files",
    },
    files.DECISIONS_FOLDER: {
        files.numbered_decision_file(1): DecisionRecord,
    },
    files.SCORES_FOLDER: {
        files.SCORES_SUMMARY_FILE: CustomerScoresSummary,
        files.QUARANTINE_FILE: "The rows of customers that were refused",
    },
    files.MONITORING_FOLDER: {
        files.HEALTH_FILE: HealthRecord,
        files.HEALTH_PAGE_FILE: "How the champion did on a day, with plots",
        files.SERVING_SKEW_FILE: ServingSkew,
        files.ESTIMATED_PERFORMANCE_FILE: EstimatedPerformance,
        files.SERVED_PERFORMANCE_FILE: ServedPerformance,
        files.PERFORMANCE_PAGE_FILE: "How right the answers of a day were, with plots",
        files.PERFORMANCE_TABLE_FILE: "The same figures, as a table",
        files.SHADOW_SCORES_FILE: "What the models in the shadow would have answered",
        files.PROBATION_FILE: ProbationRecord,
    },
}  # fmt: skip
"""What is in each folder: the record, or what the file is."""


def page() -> str:
    """Folders, files, and the fields of every record."""
    declared = list(_declared())
    records = [each for each in declared if issubclass(each, Record)]
    parts = [each for each in declared if not issubclass(each, Record)]
    return md.page(
        "Artifacts and records",
        "What is below `ARTIFACTS_PATH`. `.parquet` is `.csv` where the IO manager writes CSV."
        " Every JSON file is a record with a `version`: later releases read it, and a field keeps"
        " its meaning within a version ([0013](../decisions/0013-records.md)). Decisions are never"
        " overwritten. Folders with rows of customers can be read by the platform's own user only"
        " ([0016](../decisions/0016-personal-data-in-artifacts.md)).",
        *(part for folder, inside in FOLDERS.items() for part in _of_folder(folder, inside)),
        "## Records",
        *(part for each in records for part in _of_class(each)),
        "## Parts of records",
        *(part for each in parts for part in _of_class(each)),
    )


def _declared() -> Iterator[type[Part]]:
    for module in iter_modules(contracts.__path__):
        for each in vars(import_module(f"{contracts.__name__}.{module.name}")).values():
            is_own = getattr(each, "__module__", "").endswith(f".{module.name}")
            is_part = isinstance(each, type) and issubclass(each, Part)
            if is_own and is_part and each not in (Part, Record):
                yield each


def _of_folder(folder: str, inside: dict[str, str | type[Record]]) -> Iterator[str]:
    yield f"## `{folder}`"
    if folder in files.FOLDERS_WITH_ROWS:
        yield "Has rows of customers."
    yield md.table(
        ["file", "what it is"],
        [
            [md.code(name), what if isinstance(what, str) else _of_record(what)]
            for name, what in inside.items()
        ],
    )


def _of_record(record: type[Record]) -> str:
    return f"{md.text(docstrings.summary(record))} {_link(record.__name__)}"


def _of_class(documented: type[Part]) -> Iterator[str]:
    words = docstrings.attributes(documented)
    yield f"### {documented.__name__}"
    version = f" Version {documented.VERSION}." if issubclass(documented, Record) else ""
    yield md.text(docstrings.summary(documented)) + version
    rows = [
        [
            md.code(name), _type(field.annotation), "" if field.is_required() else "yes",
            md.text(words.get(name, field.description or "")),
        ]
        for name, field in documented.model_fields.items()
        if name != "version"
    ]  # fmt: skip
    yield md.table(["field", "type", "may be absent", ""], rows)


_NAMES = {
    "str": "text", "int": "whole number", "float": "number", "bool": "true or false",
    "NoneType": "null", "Any": "any", "datetime": "time",
    "AwareDatetime": "time", "date": "date", "object": "any",
}  # fmt: skip


def _type(annotation: Any) -> str:
    """A type as people write it, with links to the parts of the record."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return _link(annotation.__name__)
    arguments = get_args(annotation)
    origin = str(annotation)
    if not arguments:
        values = getattr(annotation, "__members__", None)
        if values:
            return " or ".join(md.code(each.value) for each in values.values())
        name = getattr(annotation, "__name__", origin)
        return _NAMES.get(name, name)
    if "Literal" in origin:
        return " or ".join(md.code(str(each)) for each in arguments)
    if re.match(r"(collections\.abc\.|typing\.)?(Mapping|dict)", origin):
        return f"{_type(arguments[1])} by name"
    if re.match(r"(collections\.abc\.|typing\.)?(Sequence|list|tuple|set|frozenset)", origin):
        return f"list of {_type(arguments[0])}"
    if "Annotated" in origin:
        return _type(arguments[0])
    return " or ".join(_type(each) for each in arguments if each is not Ellipsis)


def _link(name: str) -> str:
    return f"[{name}](#{md.anchor(name)})"
