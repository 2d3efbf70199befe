"""JSON documents of a site, read exactly as strictly as the engine reads them. Pure.

Python's own reader takes more: UTF-16, byte order marks, `NaN`, lone surrogates, a name twice.
"""

import json
from typing import NoReturn


def parse_json(data: bytes) -> object:
    """The value of a JSON text. Raises `ValueError` that says what is wrong."""
    text = data.decode()

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"`{twice}` is there twice")
        return value

    try:
        value: object = json.loads(text, object_pairs_hook=build, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it has half of a character") from None
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"`{text}` is no JSON")
