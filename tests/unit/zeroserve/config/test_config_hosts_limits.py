"""Hosts, the redirect to HTTPS, the metrics listener and the limits: from flags to settings."""

import pytest

from zeroserve.config.hostname import parse_hostname
from zeroserve.config.load import ServeWish, load_config
from zeroserve.config.model import LIMITS_DEFAULT, Limits, decode_config, encode_config
from zeroserve.control.listeners import BoundListener
from zeroserve.control.service import engine_settings, https_port
from zeroserve.errors import UsageRefused

BOTH = {"site": "a", "addr": (":1",), "tls_addr": (":2",), "cert": "c", "key": "k"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.ORG", "example.org"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_host_names(text: str, name: str) -> None:
    assert parse_hostname(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a:443",
        "::1",
        "*.a",
        "a.",
        "-a",
        "a-",
        "a..b",
        "ü",
        "[::g]",
        "x" * 64,
        "a." * 127,
    ],
)
def test_what_is_no_host_name(text: str) -> None:
    with pytest.raises(ValueError, match="`"):
        parse_hostname(text)


def test_the_config_crosses_as_json() -> None:
    wish = ServeWish(
        **BOTH,  # type: ignore[arg-type]
        validate_hostnames="a.example, B.example,a.example",
        redirect_https=True,
        metrics_addr="127.0.0.1:9",
        limits=Limits(head_seconds=3, connections=5),
    )
    config = load_config(wish).config
    assert config.hostnames == ("a.example", "b.example")
    assert config.metrics_address is not None
    assert decode_config(encode_config(config)) == config


def test_settings_for_the_engine() -> None:
    wish = ServeWish(**BOTH, redirect_https=True, validate_hostnames="a")  # type: ignore[arg-type]
    listeners = [
        BoundListener(scheme="http", address="[::]:1", sockets=()),
        BoundListener(scheme="https", address="[::]:8443", sockets=()),
        BoundListener(scheme="https", address="[::]:9443", sockets=()),
    ]
    settings = engine_settings(load_config(wish).config, listeners, 2, {})
    assert settings["redirect_https_port"] == 8443
    assert settings["hostnames"] == ["a"]
    assert settings["limits"] == LIMITS_DEFAULT.as_dict()
    plain = load_config(ServeWish(**BOTH)).config  # type: ignore[arg-type]
    assert engine_settings(plain, listeners, 2, {})["redirect_https_port"] is None
    assert engine_settings(plain, listeners, 2, {})["hostnames"] is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"site": "a", "redirect_https": True}, "needs a listener to redirect from"),
        (
            {**BOTH, "addr": (), "redirect_https": True},
            "needs a listener to redirect from",
        ),
        ({**BOTH, "https_port": 443}, "is for `--redirect-https`"),
        (
            {**BOTH, "tls_addr": ("unix:/s",), "redirect_https": True},
            "`unix:/s` has no port to redirect to",
        ),
        ({**BOTH, "metrics_addr": ":1"}, "`:1` is given twice"),
        ({**BOTH, "metrics_addr": "x"}, "invalid socket address"),
        ({**BOTH, "validate_hostnames": ""}, "is not a host name"),
        ({**BOTH, "validate_hostnames": "a,,b"}, "is not a host name"),
        ({**BOTH, "validate_hostnames": "a:1"}, "without its port"),
    ],
)
def test_contradictions(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageRefused, match=message):
        load_config(ServeWish(**fields))  # type: ignore[arg-type]


def test_a_port_may_be_named_where_the_listener_has_none() -> None:
    wish = ServeWish(  # type: ignore[arg-type]
        **{**BOTH, "tls_addr": ("unix:/s",)}, redirect_https=True, https_port=443
    )
    assert https_port(load_config(wish).config, []) == 443
    inherited = ServeWish(**{**BOTH, "tls_addr": ("fd:7",)}, redirect_https=True)  # type: ignore[arg-type]
    config = load_config(inherited).config
    listener = BoundListener(scheme="https", address="unix:/x:443", sockets=())
    with pytest.raises(UsageRefused, match="has no port"):
        https_port(config, [listener])


@pytest.mark.parametrize(
    ("address", "warned"),
    [("127.0.0.1:9", False), ("[::1]:9", False), (":9", True), ("192.0.2.1:9", True)],
)
def test_metrics_for_everybody_are_warned_of(address: str, warned: bool) -> None:
    notices = load_config(ServeWish(**BOTH, metrics_addr=address)).notices  # type: ignore[arg-type]
    assert any("can read the metrics" in notice for notice in notices) is warned


def test_secrets_are_not_shown() -> None:
    config = load_config(ServeWish(**BOTH)).config  # type: ignore[arg-type]
    fields = {**config.as_dict(), "probe_secret": "abcdefghijklmnop"}
    assert "abcdefgh" not in repr(type(config)(**fields))
