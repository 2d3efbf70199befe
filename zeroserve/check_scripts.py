"""Check scripts: the engine compiles them, as a start would. Without it they count as unchecked."""

import json
from collections.abc import Iterator
from typing import BinaryIO

from zeroserve.errors import ConfigRefused, ZeroserveError
from zeroserve.finding import Finding


def check_scripts(file: BinaryIO, name: str) -> Iterator[Finding]:
    """Judge the scripts of an archive that is good otherwise."""
    from zeroserve.bridge.handles import check_generation

    spec = {"id": 1, "site": {"fd": file.fileno(), "path": name}}
    try:
        check_generation(json.dumps(spec).encode())
    except ConfigRefused as error:
        yield Finding("script-refused", error.message, error.hint)
    except ZeroserveError as error:
        if error.code not in ("engine-missing", "unsupported"):
            raise
        text = f"`{name}`: its scripts were not checked: {error.message}"
        yield Finding("scripts-unchecked", text, error.hint)
