"""Pages from templates: each is one file that needs no other, and no script."""

import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.bccache import Bucket

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
    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        bytecode_cache=_CompiledTemplates(str(compiled)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
