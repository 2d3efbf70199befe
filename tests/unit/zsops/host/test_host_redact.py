"""The rule of what evidence shows: no secret gets through, and what helps does."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsops.host import compare, redact
from zsops.host import messages as m

#: What may be in a URL unescaped, and what servers accept there all the same. A secret begins and
#: ends with something that no sentence would put behind a URL.
_INNER = st.text(st.sampled_from("abcXYZ019-._~!$'()*+,:@%\"/?"), min_size=2, max_size=20)
SECRETS = _INNER.map(lambda inner: f"k9{inner}z7")
PATHS = st.lists(st.text("abc-._1", min_size=1, max_size=6), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
NAMES = st.text("abc_-.1", min_size=1, max_size=12)
#: Where a URL stands in a line.
LINES = (
    "{}",
    "GET {} HTTP/1.1",
    '127.0.0.1 - - "GET {} HTTP/2" 200 5 "-"',
    "`{}`: status 502, expected 200",
    'sent to "{}", again',
    "see ({})",
)


def _quoted(url: str) -> bool:
    """Whether a page or JSON could hold it in quotes as it is."""
    return not set(url) & set("\"'<>\\`")


@given(PATHS, NAMES, SECRETS, st.sampled_from(["", "a=1&", "flag&", "a=1;"]))
def test_no_value_of_a_query_is_shown(path: str, name: str, secret: str, ahead: str) -> None:
    for host in ("", "https://shop.example"):
        for asked in (f"{ahead}{name}={secret}", f"{ahead}{secret}", f"{ahead}{secret}="):
            url = f"{host}{path}?{asked}"
            for shown in (redact.url(url), *(redact.line(each.format(url)) for each in LINES)):
                assert secret not in shown
                assert f"{host}{path}?" in shown
            assert secret not in redact.header("Location", url)
            if _quoted(url):
                assert secret not in redact.body(f'<a href="{url}">go</a>')
                assert secret not in redact.body(f'{{"next":"{url}","n":1}}')


@given(PATHS, SECRETS)
def test_no_fragment_user_or_path_parameter_is_shown(path: str, secret: str) -> None:
    plain = secret.translate(str.maketrans("", "", "/?#;@\"'"))
    for url in (
        f"https://shop.example{path}#access_token={secret}",
        f"https://ana:{plain}@shop.example{path}",
        f"https://{plain}@shop.example{path}",
        f"//{plain}@shop.example{path}",
        f"{path}x;jsessionid={plain}",
        f"/go/https://ana:{plain}@shop.example{path}",
    ):
        kept = secret if "#" in url else plain
        for shown in (
            redact.url(url),
            redact.header("location", url),
            *(redact.line(each.format(url)) for each in LINES),
        ):
            assert kept not in shown, url


@given(st.text("abcdefg-", min_size=1, max_size=20), SECRETS)
def test_of_an_unknown_header_only_the_name_is_shown(name: str, secret: str) -> None:
    if name not in redact.SHOWN_HEADERS:
        assert redact.header(name, secret) == redact.HIDDEN
    for known in ("Set-Cookie", "WWW-Authenticate", "Authorization", "Link", "X-Api-Key"):
        assert redact.header(known, secret) == redact.HIDDEN


@given(st.binary(min_size=36, max_size=36))
def test_no_token_of_a_known_shape_is_shown(raw: bytes) -> None:
    text = base64.urlsafe_b64encode(raw).decode()
    letters = raw.hex().upper()
    for token in (
        f"eyJhbGciOiJIUzI1NiJ9.{text}.{text}",
        f"ghp_{raw.hex()}",
        f"glpat-{text}",
        f"xoxb-{raw.hex()}",
        f"sk_live_{raw.hex()}",
        f"AKIA{letters[:16]}",
        f"AGE-SECRET-KEY-1{letters}",
        f"npm_{raw.hex()}",
        f"SG.{text}.{text}",
    ):
        for shown in (
            redact.line(f"refused {token} of ana"),
            redact.body(f"<p>{token}</p>"),
            redact.header("server", f"x {token}"),
        ):
            assert token not in shown
            assert token[8:] not in shown


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic c2VjcmV0OnNlY3JldA==",
        "> cookie: id=s3cr3t-value; more=s3cr3t-value",
        "Bearer s3cr3t-value",
        "password=s3cr3t-value",
        'db_password: "s3cr3t-value"',
        '{"access_token":"s3cr3t-value","n":1}',
        '{"sessionId": "a\\"s3cr3t-value',
        "X-CSRF-Token = s3cr3t-value",
        '<input type="hidden" name="csrf" value="s3cr3t-value">',
        '<meta content="s3cr3t-value" name="csrf-token">',
        "-----BEGIN PRIVATE KEY-----\ns3cr3t-value\n-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\ns3cr3t-value",
    ],
)
def test_what_stands_beside_a_telling_name_is_not_shown(text: str) -> None:
    for shown in (redact.line(text), redact.body(text)):
        assert "s3cr3t" not in shown
        assert "c2VjcmV0" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "loaded 1 entries from /srv/shop/r/i/web/current/site.tar (3072 bytes)",
        "https://127.0.0.1:18443 (as `localhost`, HTTP/2)",
        "listening on https://[::1]:443",
        "reload 5: serving generation 4",
        "`docs.example/a%20b.txt` over HTTP/2: the body hashes to 3fa91b0c77de…",
        "shows certificate 25e9a176591b…, the release has 17a0a176591b…",
        "serves sha256:25e9a176591b88afbc2c59b8c01e4c0925e9a176591b88afbc2c59b8c01e4c09",
        "what? no",
        'error[tls-key]: `tls/key.pem` does not fit "tls/cert.pem"; make both anew',
        "connection of 127.0.0.1:4242 ended: Broken pipe (os error 32)",
    ],
)
def test_what_helps_is_shown(text: str) -> None:
    assert redact.line(text) == text
    assert redact.body(text) == text


@given(st.text(max_size=200))
def test_applied_twice_it_changes_nothing_more(text: str) -> None:
    for rule in (redact.url, redact.line, redact.body):
        once = rule(text)
        assert rule(once) == once


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["a", "token", "-", "<meta ", "//@", ";", "?", '"a\\', "eyJa.", "="]
)
def test_a_long_line_ends(piece: str) -> None:
    """A pattern that looks back and forth would take hours for this."""
    text = piece * (200_000 // len(piece))
    assert redact.line(text)
    assert redact.body(text)


def test_a_check_is_told_without_what_its_path_and_headers_hide() -> None:
    check = m.StatusCheck("/login?token=abc", header=(("location", "/in?state=abc"),))
    assert compare.shown(check.path) == "/login?token=…"
    assert compare.shown("/a/b.html") == "/a/b.html"

    class Answer:
        status, body, sha256 = 200, b"", ""
        headers = (("location", "/in?state=xyz"),)

    found = compare.with_check(check, Answer())
    assert found.problem == (
        "header `location` is `/in?state=…`, expected `/in?state=…`; what differs is not shown"
    )
    for name, value in (("x-secret", "…"), ("set-cookie", "…"), ("x-zs", "abc")):
        found = compare.with_check(m.StatusCheck("/", header=((name, "abc"),)), Answer())
        assert found.problem == f"there is no header `{name}`, expected `{value}`"
