"""Pages from templates: each is one file that needs no other, and no script."""

import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.bccache import Bucket

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.pages.chart import SYMBOLS, marker
from credit_ct_dagster.partitions import moment_of
from credit_ct_dagster.rounding import signed, told_apart

_COMPILED = Path(__file__).with_name("__pycache__")


def rendered(template: str, **values: Any) -> str:
    """A page.

    Args:
        template: Its file in `templates/`; it extends `page.html.j2`.
        values: What it shows. A name that the template uses and that is not given is an error.
    """
    return _environment().get_template(template).render(values)


class _CompiledTemplates(jinja2.FileSystemBytecodeCache):
    """Templates are compiled once, which takes a quarter of a second: as Python compiles modules.

    The files are where this module's is. Where nobody may write, each process compiles them.
    """

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Store what was compiled, for other processes."""
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


@cache
def _environment(compiled: Path = _COMPILED) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        bytecode_cache=_CompiledTemplates(str(compiled)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "marker": marker,
        "moment": moment_of,
        "signed_text": signed,
        "told_apart": told_apart,
        "symbols": SYMBOLS,
        "favourable": schema.FAVOURABLE,
        "target": schema.TARGET.replace("_", " "),
        "class_list": f"{', '.join(schema.CLASSES[:-1])} or {schema.FAVOURABLE}",
        "metric_names": {
            "macro_f1": "macro-F1",
            "expected_cost": "expected cost (lower is better)",
            **{f"recall_{name.lower()}": f"recall of {name}" for name in schema.CLASSES},
        },
    }
    return environment
