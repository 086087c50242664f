"""`credit-ct predict`: a file of customers in, their predictions out."""

import csv
import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from credit_ct_dagster.cli.options import examples, model_option, separator_option
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.disk import replacing
from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.operations.model_choice import chosen_model
from credit_ct_dagster.serving.example import example_with_id
from credit_ct_dagster.serving.files.customer_files import Format, format_of, input_format, readable
from credit_ct_dagster.serving.files.file_scorer import FileScorer, Scoring, customer_file
from credit_ct_dagster.serving.files.prediction_files import writable

if TYPE_CHECKING:
    from types import FrameType

_STANDARD = "-"
_MOST_NAMED = 20
"""Refused rows named on the terminal; a file takes all of them."""
_LEFT_OUT = 3
"""The exit code when rows were left out: neither a failure nor the whole file."""
_formats = click.Choice([each.value for each in Format])


@click.command(
    "predict",
    epilog=examples(
        "credit-ct predict --example > customers.csv",
        "credit-ct predict customers.csv --reasons",
        "credit-ct predict customers.csv --output scores.parquet --bad-rows skip",
    ),
)
@click.argument("file", metavar="FILE|-", required=False)
@click.option("--output", metavar="FILE", help="Where to. [default: the terminal]")
@model_option
@click.option("--reasons", is_flag=True, help="Add reasons and compliance flags.")
@click.option(
    "--format", "output_format", type=_formats,
    help="Of the predictions. [default: by the suffix of --output; csv]",
)  # fmt: skip
@click.option(
    "--input-format", "given_format", type=_formats,
    help="Of the customers. [default: by the suffix of FILE; csv]",
)  # fmt: skip
@separator_option("Between the cells of a CSV file of customers: one character, or tab.")
@click.option(
    "--bad-rows", type=click.Choice(["fail", "skip"]), default="fail", show_default=True,
    help="What to do with rows that cannot be scored: fail, or leave them out.",
)  # fmt: skip
@click.option(
    "--refused", metavar="FILE", help="Write line and rule of each such row to a CSV file."
)
@click.option(
    "--example", "wants_example", is_flag=True,
    help="Print a made-up customer, as a file to begin with (--format csv or jsonl).",
)  # fmt: skip
def command(
    file: str | None,
    output: str | None,
    model: str,
    reasons: bool,
    output_format: str | None,
    given_format: str | None,
    separator: str,
    bad_rows: str,
    refused: str | None,
    wants_example: bool,
) -> None:
    """Predict the credit score of each customer of a file.

    FILE has the features of the model, by name and unscaled; other columns are passed over. The
    predictions have the keys that it has (id, customer_id, date), in its order. "-" reads from
    standard input.

    The exit code is 0 when every row was scored, 3 when rows were left out, and 1 otherwise: then
    no output file was written.
    """
    if wants_example:
        if file or output:
            raise click.UsageError("--example is printed: FILE and --output do not go with it.")
        click.echo(_example(output_format), nl=False)
        return
    if file is None:
        raise click.UsageError("Name a file of customers, or give --example to have one.")
    started = time.perf_counter()
    source, target = _path(file), _path(output)
    from_format = Format(given_format) if given_format else _format_in(source)
    to_format = Format(output_format) if output_format else _format_out(target)
    _require_usable(source, target, to_format)
    if refused:
        _require_other(Path(refused), source, target)
    with ExitStack() as stack:
        stack.enter_context(_ended_by_sigterm())
        name, stream = stack.enter_context(_reading(source))
        wiring = wired()
        chosen = chosen_model(model, wiring)
        scorer = FileScorer(chosen.packaged.scorer, chosen.contract, reasons)
        given = customer_file(from_format, name, stream, chosen.packaged.scorer.columns, separator)
        note = stack.enter_context(_refusals(name, given.place, refused))
        where = str(target) if target else "standard output"
        stack.enter_context(writable(where))
        written = scorer.predictions(to_format, stack.enter_context(_writing(target)), given)
        scoring = scorer.score(given, written, note, skip=bad_rows == "skip")
    click.echo(_summary(scoring, chosen.described, time.perf_counter() - started), err=True)
    if scoring.refused:
        sys.exit(_LEFT_OUT)


def _example(output_format: str | None) -> str:
    customer = example_with_id()
    if output_format == Format.jsonl:
        return json.dumps(customer) + "\n"
    if output_format == Format.parquet:
        raise click.UsageError("--example is printed as csv or jsonl.")
    text = StringIO()
    writer = csv.DictWriter(text, customer, lineterminator="\n")
    writer.writeheader()
    writer.writerow(customer)
    return text.getvalue()


def _path(text: str | None) -> Path | None:
    """A file; None for the standard streams."""
    return None if text is None or text == _STANDARD else Path(text)


def _format_in(source: Path | None) -> Format:
    return input_format(source) if source else Format.csv


def _format_out(target: Path | None) -> Format:
    found = format_of(target) if target else Format.csv
    if found is None:
        raise click.UsageError("The suffix of --output names no format: give --format.")
    return found


def _require_usable(source: Path | None, target: Path | None, format_: Format) -> None:
    if target is None and format_ == Format.parquet and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: give --output.")
    if target and target.is_dir():
        raise click.UsageError(f"--output {target} is a folder: name a file in it.")
    if target and not target.absolute().parent.is_dir():
        raise click.UsageError(f"The folder of --output {target} does not exist: create it.")
    if target and source and target.exists() and source.exists() and target.samefile(source):
        raise click.UsageError("--output is the file of customers: name another one.")


def _require_other(refused: Path, source: Path | None, target: Path | None) -> None:
    """Make sure that the file of refused rows replaces neither the customers nor the answers."""
    if target and (
        refused.absolute() == target.absolute() or _is_same(refused, lambda: target.stat())
    ):
        raise click.UsageError("--refused is the file of --output: name another one.")
    if _is_same(refused, source.stat if source else lambda: os.fstat(0)):
        raise click.UsageError("--refused is the file of customers: name another one.")


def _is_same(file: Path, other: Callable[[], os.stat_result]) -> bool:
    try:
        return file.is_file() and os.path.samestat(file.stat(), other())
    except OSError:  # one of them is not there
        return False


@contextmanager
def _reading(source: Path | None) -> Iterator[tuple[str, IO[bytes]]]:
    if source is None:
        if sys.stdin is None:
            raise FileError("Standard input is closed: name a file, or send one with | or <.")
        stream: Any = sys.stdin.buffer
        # What replaces standard input may lack `peek`.
        yield "standard input", stream if hasattr(stream, "peek") else BufferedReader(stream)
        return
    with readable(str(source)):
        opened = source.open("rb")
    with opened:
        yield str(source), opened


@contextmanager
def _writing(target: Path | None) -> Iterator[IO[bytes]]:
    if target is None:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        stream: Any = sys.stdout.buffer
        yield stream
        stream.flush()
    elif target.exists() and not target.is_file():  # a device or a pipe, which nothing replaces
        with target.open("wb") as opened:
            yield opened
    else:
        with replacing(target) as opened:
            yield opened


@contextmanager
def _refusals(name: str, place: str, path: str | None) -> Iterator[Callable[[int, str], None]]:
    """Names the first refused rows on the terminal, and all of them in a file if there is one."""
    count = 0
    with ExitStack() as stack:
        if path:
            with writable(path):
                # Nothing is left to be written, and to fail, when it is closed.
                file = stack.enter_context(Path(path).open("wb", buffering=0))
                _write_line(file, place, "rule")

        def note(line: int, rule: str) -> None:
            nonlocal count
            count += 1
            if count <= _MOST_NAMED:
                click.echo(f"{name}, {place} {line}: {rule}", err=True)
            elif count == _MOST_NAMED + 1:
                click.echo(
                    "… and others" + ("" if path else " (--refused FILE names all)"), err=True
                )
            if path:
                with writable(path):
                    _write_line(file, line, rule)

        yield note


def _write_line(file: IO[bytes], *cells: object) -> None:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    remaining = text.getvalue().encode()
    while remaining:
        remaining = remaining[file.write(remaining) :]


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that it can clean up."""

    def stop(number: int, _frame: "FrameType | None") -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _summary(scoring: Scoring, model: str, seconds: float) -> str:
    scored = f"{scoring.scored:,} row{'' if scoring.scored == 1 else 's'}"
    text = f"{scored} scored in {seconds:.1f} s\nModel {model}"
    if scoring.refused:
        text += f"; left out: {scoring.refused:,} rows ({scoring.rules()})"
    for feature, rows in scoring.unseen.most_common():
        text += (
            f"\nUnknown words of {feature} in {rows:,} rows: training did not have them, and they"
            " were scored as any other unknown word"
        )
    return text
