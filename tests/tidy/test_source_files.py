"""Size, names and leftovers of source files."""

from __future__ import annotations

import ast
import re

from tracked_files import Checkout

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
#: (path, function) -> why it is longer. Empty is best.
LONG_FUNCTIONS: dict[tuple[str, str], str] = {}
SOURCE = (".py", ".pyi", ".rs", ".css", ".sh")
CATCH_ALL = {"utils", "util", "common", "misc", "manager", "helpers"}
#: "Helper" is eBPF's own word for what a program may call.
EBPF_HELPERS = "zeroserve/engine/chain/src/helpers/"
# Written in two parts, so that this file does not find itself.
LEFTOVERS = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error")
RUST_LEFTOVERS = ("to" + "do!(", "unimplemented" + "!(", "dbg" + "!(")
REGISTRIES = ("pypi" + ".org", "pythonhosted" + ".org", "static.crates" + ".io", "npmjs" + ".org")
MORE_REGISTRIES = ("proxy.golang" + ".org", "deb.debian" + ".org", "index.crates" + ".io")
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(work|root|home/\w+|Users/\w+)" + r"/[\w.]")


def test_no_catch_all_names(checkout: Checkout) -> None:
    bad = [
        path
        for path in checkout.matching(".py", ".rs")
        if {part.split(".")[0] for part in path.removeprefix(EBPF_HELPERS).split("/")} & CATCH_ALL
    ]
    assert not bad, "name the noun that the file is about"


def test_files_are_short(checkout: Checkout) -> None:
    lines = {path: len(checkout.text(path).splitlines()) for path in checkout.matching(*SOURCE)}
    assert not {path: count for path, count in lines.items() if count > FILE_LINES_MAX}


def test_python_functions_are_short(checkout: Checkout) -> None:
    long = {
        (path, node.name): size
        for path in checkout.matching(".py")
        for node in ast.walk(ast.parse(checkout.text(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert set(long) == set(LONG_FUNCTIONS), long


def test_rust_functions_are_short(checkout: Checkout) -> None:
    # rustfmt puts a function's closing brace at the indentation of its `fn`.
    start = re.compile(r"^( *)(?:pub(?:\([^)]*\))? |const |async |unsafe |extern \"C\" )*fn (\w+)")
    long: dict[str, int] = {}
    sources = checkout.matching(".rs", under="zeroserve/")
    for path in (each for each in sources if "/tests/" not in each):  # those hold tables of cases
        lines = checkout.text(path).splitlines()
        for number, line in enumerate(lines):
            if found := start.match(line):
                ends = (i for i in range(number, len(lines)) if lines[i] == found[1] + "}")
                size = next(ends, number) - number + 1
                if size > FUNCTION_LINES_MAX:
                    long[f"{path}:{found[2]}"] = size
    assert not long


def test_no_leftovers(checkout: Checkout) -> None:
    found = [
        f"{path}: {word}"
        for path in checkout.matching(*SOURCE, ".toml", ".md", ".yml", ".yaml", "Makefile")
        for word in LEFTOVERS + (RUST_LEFTOVERS if path.endswith(".rs") else ())
        if re.search(rf"(?<!\w){re.escape(word)}", checkout.text(path))
    ]
    assert not found


def test_no_registry_and_no_path_of_a_machine(checkout: Checkout) -> None:
    found = []
    for path in checkout.paths:
        text = checkout.text(path)
        found += [f"{path}: {host}" for host in REGISTRIES + MORE_REGISTRIES if host in text]
        found += [f"{path}: {each[0]}" for each in MACHINE_PATHS.finditer(text)]
    assert not found


def test_every_python_file_is_used(checkout: Checkout) -> None:
    entry_points = {
        "bench.crowds",  # a measurement of its own: see its docstring
        "bench.verify",  # `make verify`
        "deploy.demo",  # `make demo`
        "docs.conf",  # Sphinx
        "docs.errors_page",  # writes docs/errors.md
        "docs.helpers_page",  # writes docs/manual/helpers.md
        "zeroserve.control.boot",  # a script: what the lean interpreter runs first
        "zeroserve.pytest_plugin",  # pytest finds it by its entry point
        "zsops.transport.memory",  # the fake host that the contract tests hold against the real one
    }
    modules = {
        path.removesuffix(".py").replace("/", "."): path
        for path in checkout.matching(".py")
        if not path.startswith("tests/")
    }
    named: set[str] = set()
    for path in modules.values():
        named |= _names(checkout.text(path))
    unused = {
        module
        for module in modules
        if module.rpartition(".")[2] not in {"__init__", "__main__"}
        and module not in entry_points
        and module not in named
        and module.removeprefix("deploy.") not in named  # what demo.py imports beside itself
    }
    assert not unused, "nothing imports these"


def _names(source: str) -> set[str]:
    """Dotted names that are imported, or named in a string (`python -m NAME`)."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value.partition(":")[0])  # `module:attribute`, loaded when wanted
    return names
