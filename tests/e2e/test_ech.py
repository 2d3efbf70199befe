"""Encrypted Client Hello with Go's and curl's clients: accepted, after a second hello, resumed,
rejected and tried again; keys that come and go.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import ssl
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import Connection, request
from support.counterparts import CHROMIUM, absent, require
from support.doh_stub import DohStub
from support.ech import GoClient, make_key
from support.polling import wait_until
from support.process import run
from support.server import Server
from support.trees import HELLO

pytestmark = [pytest.mark.e2e, pytest.mark.conformance]

PAGE = (HELLO / "index.html").read_text()
HIDDEN, PUBLIC = "hidden.test", "public.test"


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoClient:
    return GoClient(tmp_path_factory.mktemp("go-ech"))


class Place:
    """Certificates for both names in one directory, one file that trusts both, and keys."""

    def __init__(self, root: Path) -> None:
        self.root, self.certs, self.keys = root, root / "certs", root / "keys"
        self.certs.mkdir()
        self.pairs = {name: Certificate.make(root / name, (name,)) for name in (HIDDEN, PUBLIC)}
        for name, pair in self.pairs.items():
            both = pair.cert.read_bytes() + pair.key.read_bytes()
            (self.certs / f"{name}.pem").write_bytes(both)
        self.roots = root / "roots.pem"
        self.roots.write_bytes(b"".join(one.cert.read_bytes() for one in self.pairs.values()))

    def start(self, tar: Path, *flags: str | Path) -> Server:
        tls = ("--tls-addr", "127.0.0.1:0", "--cert-dir", self.certs, "--ech-key", self.keys)
        return Server(*tls, "--log-format", "json", *flags, tar, place=self.root / "server")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def log_lines(server: Server, count: int = 1) -> list[dict[str, object]]:
    """The log, once it has so many lines: they are written behind the answers."""
    wait_until(lambda: server.said.count('\n{"time"') >= count, what="the log")
    lines = [one for one in server.said.splitlines() if one.startswith('{"time"')]
    return [json.loads(one) for one in lines]


def test_go_is_accepted_resumed_and_asked_again(
    go: GoClient, place: Place, hello_tar: Path
) -> None:
    ech = make_key(place.keys / "1", PUBLIC)
    with place.start(hello_tar) as server:
        assert f'in DNS: ech="{ech}"' in server.said
        where = {"roots": place.roots, "name": HIDDEN, "ech": ech}
        first, second = go.fetch(server.address(), "-times", "2", **where)
        assert (first["accepted"], first["status"], first["body"]) == (True, 200, PAGE)
        assert (second["accepted"], second["resumed"], second["body"]) == (True, True, PAGE)
        (asked,) = go.fetch(server.address(), "-odd-group", **where)
        assert (asked["accepted"], asked["hellos"], asked["body"]) == (True, 2, PAGE)
        line = log_lines(server)[0]
        assert (line["sni"], line["sni_outer"], line["ech"]) == (HIDDEN, PUBLIC, True)
        assert str(line["ja4"]).startswith("t13d")
        assert str(line["ja4_inner"]).startswith("t13d")


@pytest.mark.parametrize("flags", [(), ("-odd-group",)])
def test_a_stale_config_is_rejected_and_replaced(
    go: GoClient, place: Place, hello_tar: Path, flags: tuple[str, ...]
) -> None:
    stale = make_key(place.root / "gone", PUBLIC)
    make_key(place.keys / "1", PUBLIC)
    newest = make_key(place.keys / "2", PUBLIC)
    with place.start(hello_tar) as server:
        where = {"roots": place.roots, "name": HIDDEN, "ech": stale}
        rejected, again = go.fetch(server.address(), *flags, **where)
        assert "rejected" in rejected["error"]
        assert rejected["retry"] == newest, "the newest config alone"
        assert (again["accepted"], again["body"]) == (True, PAGE)


def test_old_keys_still_open_and_one_that_goes_is_told(
    go: GoClient, place: Place, hello_tar: Path
) -> None:
    old = make_key(place.keys / "1", PUBLIC)
    with place.start(hello_tar) as server:
        new = make_key(place.keys / "2", PUBLIC)
        assert server.control.reload(None).ok
        for ech in (old, new):
            where = {"roots": place.roots, "name": HIDDEN, "ech": ech}
            (got,) = go.fetch(server.address(), **where)
            assert (got["accepted"], got["body"]) == (True, PAGE)
        (place.keys / "1").unlink()
        assert server.control.reload(None).ok
        assert "is gone: clients that still have its config" in server.said


def test_curl_is_accepted_and_grease_is_served_in_clear(place: Place, hello_tar: Path) -> None:
    curl = pytest.importorskip("curl_cffi.curl", reason="curl_cffi is absent")
    const = pytest.importorskip("curl_cffi.const")
    ech = make_key(place.keys / "1", PUBLIC)
    with place.start(hello_tar) as server:
        port = server.address()[1]
        cases = ((b"ecl:" + ech.encode(), True), (b"grease", False))
        for number, (setting, accepted) in enumerate(cases, 1):
            handle = curl.Curl()
            body = io.BytesIO()
            handle.setopt(const.CurlOpt.URL, f"https://{HIDDEN}:{port}/".encode())
            handle.setopt(const.CurlOpt.RESOLVE, [f"{HIDDEN}:{port}:127.0.0.1".encode()])
            handle.setopt(const.CurlOpt.CAINFO, str(place.roots).encode())
            handle.setopt(const.CurlOpt.ECH, setting)
            handle.setopt(const.CurlOpt.WRITEDATA, body)
            handle.perform()
            handle.close()
            assert body.getvalue().decode() == PAGE
            line = log_lines(server, number)[-1]
            assert (line["sni"], line["ech"]) == (HIDDEN, accepted)


@pytest.mark.parametrize(
    ("clear", "status"), [("serve", 200), ("refuse", "TLSV1_UNRECOGNIZED_NAME")]
)
def test_the_policy_for_hosts_named_in_clear(
    place: Place, hello_tar: Path, clear: str, status: int | str
) -> None:
    make_key(place.keys / "1", PUBLIC)
    with place.start(hello_tar, "--ech-clear", clear) as server:
        for name, expected in ((HIDDEN, status), (PUBLIC, 200)):
            context = place.pairs[name].context()
            try:
                with Connection.tls(server.address(), context, name=name) as asking:
                    asking.send(request(host=name))
                    got: int | str | None = asking.read_answer().status
            except ssl.SSLError as error:
                got = error.reason
            assert got == expected, name


def test_bad_keys_are_refused_by_name(place: Place, hello_tar: Path) -> None:
    def refusal() -> str:
        tls = ("--tls-addr", "127.0.0.1:0", "--cert-dir", place.certs, "--ech-key", place.keys)
        server = Server(*tls, hello_tar, place=place.root / "refused", wait=False)
        assert server.program.wait(60) == 1
        return server.said

    place.keys.mkdir()
    assert f"ECH key directory `{place.keys}` is empty" in refusal()
    make_key(place.keys / "1", PUBLIC)
    text = (place.keys / "1").read_text()
    (place.keys / "2").write_text(text)
    assert "duplicate ECH config_id 0x" in refusal()
    make_key(place.keys / "2", PUBLIC)
    (key, config) = (place.keys / "2").read_text().split("-----BEGIN ECH CONFIG")
    (place.keys / "2").write_text(
        text.split("-----BEGIN ECH CONFIG")[0] + "-----BEGIN ECH CONFIG" + config
    )
    assert "ECH key that does not belong to its config" in refusal()
    (place.keys / "2").write_text(key)
    assert "without its config behind it" in refusal()


def test_chromium_hides_the_name(place: Place, hello_tar: Path) -> None:
    """The browser has the config from encrypted DNS, as it would at home."""
    certutil = shutil.which("certutil")
    if certutil is None:
        absent("certutil")
    ech = make_key(place.keys / "1", PUBLIC)
    resolver = Certificate.make(place.root / "resolver", ("localhost",))
    database = place.root / ".pki" / "nssdb"
    database.mkdir(parents=True)
    assert run([certutil, "-d", f"sql:{database}", "-N", "--empty-password"]).code == 0
    trusted = {"resolver": resolver.cert, "hidden": place.pairs[HIDDEN].cert}
    for name, cert in trusted.items():
        added = run([certutil, "-d", f"sql:{database}", "-A", "-n", name, "-t", "CP,,", "-i", cert])
        assert added.code == 0, added.stderr
    profile = place.root / "profile"
    profile.mkdir()
    with place.start(hello_tar) as server:
        port = server.address()[1]
        with DohStub(resolver, HIDDEN, port, ech) as resolving:
            dns = {"mode": "secure", "templates": resolving.url}
            (profile / "Local State").write_text(json.dumps({"dns_over_https": dns}))
            flags = (
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking", "--disable-sync"),
                *("--disable-component-update", "--disable-dev-shm-usage"),
                f"--user-data-dir={profile}",
            )
            url = f"https://{HIDDEN}:{port}/"
            home = {"HOME": str(place.root)}
            got = run([require(CHROMIUM), *flags, "--dump-dom", url], env=home)
        title = re.search(r"<title>(.*?)</title>", PAGE)
        assert title is not None
        assert title[0] in got.text, (got.stderr[-2000:], resolving.asked)
        lines = [line for line in log_lines(server) if line["target"] == "/"]
        assert lines
        assert all((line["sni"], line["ech"]) == (HIDDEN, True) for line in lines)
