"""A contract for import-linter (see .importlinter): pure code imports what is named, and nothing that does I/O.

import-linter's own `forbidden` needs a list of what is not allowed, which a new dependency escapes; this one needs
the list of what is.
"""

import sys
from collections.abc import Iterable
from typing import cast, override

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import Module, ModuleExpression

# Standard modules that reach outside the process, or give another answer each time they are asked. `urllib` and
# `pathlib` are missing because their pure halves (urllib.parse, PurePosixPath) look the same to import-linter.
IMPURE = frozenset({
    *("asyncio", "concurrent", "ctypes", "glob", "http", "io", "multiprocessing", "os", "random", "secrets"),
    *("select", "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading"),
    *("time", "uuid"),
})  # fmt: skip


class PureContract(Contract):
    """Configuration: `source_modules` (with all below them) import each other, `allowed_modules` (with all below
    them), and the standard library but for IMPURE.
    """

    type_name = "pure"

    source_modules = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed_modules = fields.SetField(subfield=fields.ModuleField(), required=False)

    @override
    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        # import-linter puts the parsed values in the place of the fields
        expressions = cast("Iterable[ModuleExpression]", self.source_modules)
        others = cast("Iterable[Module] | None", self.allowed_modules)
        sources = {module.name for module in module_expressions_to_modules(graph, expressions)}
        allowed = sources | {module.name for module in others or ()}
        pure = sys.stdlib_module_names - IMPURE
        breaches = [
            detail
            for module in sorted(_with_descendants(graph, sources))
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported.partition(".")[0] not in pure and not _within(imported, allowed)
            for detail in graph.get_import_details(importer=module, imported=imported)
        ]
        return ContractCheck(kept=not breaches, metadata={"breaches": breaches})

    @override
    def render_broken_contract(self, check: ContractCheck) -> None:
        for breach in check.metadata["breaches"]:
            output.print_error(
                f"- {breach['importer']} -> {breach['imported']} (l.{breach['line_number']}): "
                "not among what this pure code may import",
                bold=False,
            )
        output.new_line()


def _with_descendants(graph: ImportGraph, names: set[str]) -> set[str]:
    return names.union(*(graph.find_descendants(name) for name in names))


def _within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
