"""What the end-to-end tests start from: a certificate and a small site, made once a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.certs import Certificate
from support.trees import HELLO, pack_tree


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost and both loopback addresses."""
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def hello_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example site, packed."""
    return pack_tree(HELLO, tmp_path_factory.mktemp("hello") / "hello.tar")
