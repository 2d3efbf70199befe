"""Flags judged together, and the config's way through JSON."""

from pathlib import Path

import pytest

from zeroserve.config.load import ServeWish, load_config
from zeroserve.config.model import TlsFiles, decode_config, encode_config
from zeroserve.config.record import Record
from zeroserve.errors import FileRefused, UsageRefused


def test_the_default_listener_is_plain_and_only_without_tls() -> None:
    config = load_config(ServeWish(site="a.tar")).config
    assert [one.text for one in config.listeners] == ["0.0.0.0:8080"]
    assert not config.has_tls
    wish = ServeWish(site="a.tar", tls_addr=(":1",), cert="c", key="k")
    config = load_config(wish).config
    assert [(one.scheme, one.text) for one in config.listeners] == [("https", ":1")]
    assert config.tls_files == TlsFiles(cert="c", key="k")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing to serve"),
        ({"site": "a", "release": "r"}, "cannot be given with it"),
        ({"release": "r", "cert": "c", "key": "k"}, "cannot be given with it"),
        ({"release": "r", "dev_cert": True, "tls_addr": (":1",)}, "cannot be given with it"),
        ({"site": "a", "cert": "c"}, "--cert and --key must be provided together"),
        ({"site": "a", "key": "k"}, "--cert and --key must be provided together"),
        ({"site": "a", "cert": "c", "key": "k"}, "--tls-addr is required when enabling TLS"),
        ({"site": "a", "dev_cert": True}, "--tls-addr is required when enabling TLS"),
        ({"site": "a", "tls_addr": (":1",)}, "needs a certificate"),
        ({"site": "a", "tls_addr": (":1",), "cert": "c", "key": "k", "dev_cert": True}, "cannot"),
        ({"site": "a", "addr": (":1", ":1")}, "given twice"),
        ({"site": "a", "addr": (":1",), "tls_addr": (":1",), "dev_cert": True}, "given twice"),
    ],
)
def test_contradictions(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageRefused, match=message):
        load_config(ServeWish(**fields))  # type: ignore[arg-type]


def test_small_values_are_made_usable() -> None:
    config = load_config(ServeWish(site="a", chunk_size=1, index="")).config
    assert (config.chunk_size, config.index) == (1024, "index.html")


@pytest.mark.parametrize(
    "fields", [{"log_format": "off"}, {"disable_request_logging": True, "log_format": "json"}]
)
def test_the_log_can_be_turned_off(fields: dict[str, object]) -> None:
    assert load_config(ServeWish(site="a", **fields)).config.log_format is None  # type: ignore[arg-type]


def test_a_development_certificate_names_its_fingerprint_and_its_hosts() -> None:
    from cryptography import x509

    loaded = load_config(ServeWish(site="a", tls_addr=("127.0.0.2:0",), dev_cert=True))
    assert "fingerprint" in loaded.notices[0]
    pair = loaded.config.dev_pair
    assert pair is not None
    certificate = x509.load_pem_x509_certificate(pair.cert_pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    assert {"127.0.0.1", "::1", "127.0.0.2"} <= set(addresses)
    assert "localhost" in names.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"x" * 15, b"has space in the middle", b"\xff" * 20]
)
def test_a_bad_probe_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "probe").write_bytes(content)
    with pytest.raises(FileRefused, match="does not hold one secret"):
        load_config(ServeWish(site="a", probe_file=str(tmp_path / "probe")))


def test_a_missing_probe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="no such file"):
        load_config(ServeWish(site="a", probe_file=str(tmp_path / "probe")))


def test_an_open_probe_file_is_warned_about(tmp_path: Path) -> None:
    probe = tmp_path / "probe"
    probe.write_text("abcdefghijklmnop\n")
    for mode, warnings in ((0o644, 1), (0o600, 0)):
        probe.chmod(mode)
        loaded = load_config(ServeWish(site="a", probe_file=str(probe)))
        assert loaded.config.probe_secret == "abcdefghijklmnop"
        assert len(loaded.notices) == warnings


@pytest.mark.parametrize(
    "wish",
    [
        ServeWish(site="ä.tar", addr=(":1", "unix:x", "fd:3"), grace=0.5, threads=4),
        ServeWish(release="r", tls_addr=("[::1]:0",), control="c", log_format="json"),
        ServeWish(site="a", tls_addr=(":1",), cert="c", key="k", access_log="l"),
        ServeWish(site="a", tls_addr=(":1",), dev_cert=True),
    ],
)
def test_a_config_survives_the_handoff(wish: ServeWish) -> None:
    config = load_config(wish).config
    assert decode_config(encode_config(config)) == config


class Point(Record):
    x: int
    y: int = 2


def test_records_behave_like_frozen_dataclasses() -> None:
    assert Point(x=1) == Point(x=1, y=2) != Point(x=1, y=3)
    assert len({Point(x=1), Point(x=1)}) == 1
    assert repr(Point(x=1)) == "Point(x=1, y=2)"
    with pytest.raises(TypeError, match="needs `x`"):
        Point(y=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="has no `z`"):
        Point(x=1, z=1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="frozen"):
        Point(x=1).x = 2  # type: ignore[misc]
