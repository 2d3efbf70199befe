"""A wheel that is sent to a host: nothing in it is written outside of its environment."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from zipfile import ZipFile

import pytest

from zsops.errors import ProgramRefused
from zsops.host.wheel import install

_INFO = "zeroserve-7.0.0.dist-info"


def test_a_name_that_leads_outside_is_refused(tmp_path: Path) -> None:
    files = {
        "../../../../escaped": b"x",  # from `home/lib/python3.11/site-packages`
        f"{_INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
    }
    with ZipFile(tmp_path / "blob", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        record = [f"{name},{_facts(content)}" for name, content in files.items()]
        archive.writestr(f"{_INFO}/RECORD", "\n".join([*record, f"{_INFO}/RECORD,,", ""]))
    with pytest.raises(ProgramRefused, match="outside"):
        install(tmp_path / "blob", tmp_path / "home", "7.0.0")
    assert [each.name for each in tmp_path.iterdir()] == ["blob"]


def _facts(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(content)}"
