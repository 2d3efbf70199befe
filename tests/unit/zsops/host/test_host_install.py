"""What a host makes for itself before its first deployment."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from support.deployment import SETTINGS, deploy
from support.sites import site

from zeroserve.pack.archive import PackOptions, pack
from zsops.host import machine, placeholder, seal
from zsops.host import messages as m
from zsops.transport.memory import MemoryHost, MemoryTransport


def test_the_placeholder_is_what_packing_its_page_makes(tmp_path: Path) -> None:
    (tmp_path / "404.html").write_text(placeholder.PAGE)
    packed = io.BytesIO()
    pack(tmp_path, packed, PackOptions())
    assert placeholder.tar() == packed.getvalue()


def test_the_host_s_own_certificate_is_told_of_without_being_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = seal.public_facts
    seen: list[bytes] = []

    def watched(cert_pem: bytes, *more: object) -> object:
        seen.append(cert_pem)
        return read(cert_pem, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(seal, "public_facts", watched)
    host = MemoryHost()
    host.service().install(m.Install("web", SETTINGS))
    done = deploy(MemoryTransport(host), site("one"))
    current = host.service().observe("web").current
    assert current is not None
    assert current.release == done.release
    cert = host.disk.read(f"i/web/releases/{done.release}/tls/cert.pem") or b""
    assert current.certificate == read(cert, ()).certificate
    assert seen == []


def test_a_certificate_that_is_another_by_now_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    host = MemoryHost()
    host.service().install(m.Install("web", SETTINGS))
    other = machine.make_certificate(("localhost",))
    host.disk.write("i/web/secrets/cert.pem", other.cert_pem, 0o440)
    host.disk.write("i/web/secrets/key.pem", other.key_pem, 0o600)
    deploy(MemoryTransport(host), site("one"))
    current = host.service().observe("web").current
    assert current is not None
    assert current.certificate == other.facts
