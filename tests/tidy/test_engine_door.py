"""The typed stub of the engine names what the engine exports."""

from __future__ import annotations

import ast
import re

from tracked_files import Checkout

STUB = "zeroserve/_engine/__init__.pyi"


def test_the_stub_agrees_with_the_c_door(checkout: Checkout) -> None:
    exported: dict[str, list[str]] = {}
    for path in checkout.matching(".rs", under="zeroserve/engine/src/ffi/"):
        for name, parameters in re.findall(r'extern "C" fn (\w+)\(([^)]*)\)', checkout.text(path)):
            exported[name] = re.findall(r"(\w+):", parameters)
    typed = {
        node.name: [each.arg for each in node.args.posonlyargs][1:]
        for node in ast.walk(ast.parse(checkout.text(STUB)))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("zs_")
    }
    assert len(exported) >= 9
    assert sorted(typed) == sorted(exported)
    differing = {
        name: (parameters, typed[name])
        for name, parameters in exported.items()
        # Rust says `len`, the stub says of what: only the number and the other names must agree.
        if [each for each in parameters if each != "len"]
        != [each for each in typed[name] if not each.endswith("len")]
        or len(parameters) != len(typed[name])
    }
    assert not differing
