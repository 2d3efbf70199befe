"""Content types: the table is sound, and names map as documented."""

import re

import pytest

from zeroserve.pack.content_type import content_type_of, type_table


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("A/B.HTM", "text/html; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("a.tar.gz", "application/gzip"),
        ("feed.xml", "application/xml"),
        ("font.woff2", "font/woff2"),
        (".html", "application/octet-stream"),
        ("a.html/b", "application/octet-stream"),
        ("noextension", "application/octet-stream"),
        ("x.unknown", "application/octet-stream"),
        ("x.", "application/octet-stream"),
    ],
)
def test_types(path: str, want: str) -> None:
    assert content_type_of(path) == want


def test_the_table_is_sound() -> None:
    table = type_table()
    assert list(table) == sorted(table)
    for extension, content_type in table.items():
        assert re.fullmatch(r"[a-z0-9]+", extension)
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?", content_type)
        assert content_type.startswith("text/") <= content_type.endswith("; charset=utf-8")
        assert len(content_type) < 256
