"""Contracts for `lint-imports` that import-linter does not have itself."""

import re
from typing import Any

import grimp
from importlinter import Contract, ContractCheck, fields, output


class PrivateModulesContract(Contract):
    """Only named modules import the private modules of a library, such as `dagster._core`.

    import-linter's own contracts know an external package as a whole only. Imports for type
    checkers count too: an upgrade that moves a private module breaks them as well.

    Configuration options:
        - library: The external package.
        - allowed_importers: The modules that may import what begins with an underscore in it.
    """

    type_name = "private_modules"

    library: Any = fields.StringField()
    allowed_importers: Any = fields.SetField(
        subfield=fields.ModuleField(), required=False, default=None
    )

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        """Read the lines by which our modules import the library."""
        whole = grimp.build_graph(
            *self.session_options["root_packages"],
            include_external_packages=True,
            cache_dir=None,
        )
        allowed = {module.name for module in self.allowed_importers or ()}
        unused = allowed - set(whole.modules)
        found = [
            f"{details['importer']}:{details['line_number']}: {details['line_contents']}"
            for importer in sorted(whole.find_modules_that_directly_import(self.library) - allowed)
            for details in whole.get_import_details(importer=importer, imported=self.library)
            if self._is_private(details["line_contents"])
        ]
        return ContractCheck(
            kept=not found,
            metadata={"imports": found},
            warnings=[f"{name} does not exist." for name in sorted(unused)],
        )

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each line, and where it belongs."""
        homes = ", ".join(sorted(module.name for module in self.allowed_importers or ()))
        for line in check.metadata["imports"]:
            output.print_error(line)
        output.new_line()
        output.print_error(
            f"Private modules of {self.library} are imported only by {homes or 'nobody'}.",
            bold=False,
        )
        output.new_line()

    def _is_private(self, line: str) -> bool:
        library = re.escape(self.library)
        module = rf"\b{library}(\.\w+)*\._"
        name = rf"\bfrom {library}(\.\w+)* import (.*,)?[\s(]*_\w"
        return bool(re.search(module, line) or re.search(name, line))
