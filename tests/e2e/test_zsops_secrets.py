"""Keys are where they must be, and nowhere else: every output of a deployment is searched."""

from __future__ import annotations

import re
import socket
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
import pytest
from support.leaks import ProcessWatch, Secret, files_below, leaks
from support.material import NAME, OperatorKey, keep, make_pair
from support.process import PROGRAMS, Finished, run

from zeroserve.tls.ech import EchKey, generate
from zsops.transport.local import LocalTransport

pytestmark = pytest.mark.e2e

CONFIG = """\
version: 1
project: demo
defaults:
  health: {{interval: 50ms, timeout: 10s}}
tls:
  shop: {{cert: secrets/shop.crt, key: age:secrets/shop.key.age}}
ech:
  cover: {{public_name: cover.example, dir: age:secrets/ech}}
sites:
  hello: {{src: site}}
environments:
  local:
    instances:
      web:
        listen: {{https: "127.0.0.1:{port}"}}
        sites: {{hello: [{name}]}}
        tls: shop
        ech: cover
"""
#: Where keys have to be: in releases, for the server.
AT_HOME = re.compile(r"state/i/web/releases/\d{6}-[0-9a-f]{4}/(tls/key|ech/[\w-]+)\.pem")
#: What the host makes for itself before anything is deployed.
OWN = re.compile(r"state/i/web/(secrets|releases/000000-[0-9a-f]{4}/tls)/key\.pem")


@dataclass
class Place:
    """A project, its host, and everything that was said there."""

    directory: Path
    operator: OperatorKey
    secrets: list[Secret] = field(default_factory=list)
    said: dict[str, bytes] = field(default_factory=dict)
    planted: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def renew(self) -> None:
        """A new key pair and a new ECH key, which from now on are searched for."""
        number = len(self.secrets)
        pair, ech = make_pair(NAME), generate("cover.example")
        keep(self.directory, pair, self.operator.recipient)
        folder = self.directory / "secrets" / "ech"
        folder.mkdir(exist_ok=True)
        sealed = pyrage.encrypt(ech.bundle(), [self.operator.identity.to_public()])
        (folder / "one.pem.age").write_bytes(sealed)
        self.secrets.append(Secret(f"key {number}", pair.key, (pair.der, pair.scalar)))
        self.secrets.append(_ech_secret(ech, number))
        identity = str(self.operator.identity).encode()
        if not number:
            self.secrets.append(Secret("the operator's identity", identity, ()))

    def zsops(self, *arguments: str) -> Finished:
        env = {"ZSOPS_ROOT": str(self.state), "ZSOPS_WHO": "tester", **self.operator.env}
        done = run([PROGRAMS / "zsops", *arguments], cwd=self.directory, env=env | self.planted)
        name = f"zsops {' '.join(arguments)} ({len(self.said)})"
        self.said |= {f"{name} stdout": done.stdout, f"{name} stderr": done.stderr.encode()}
        return done

    def places(self) -> dict[str, bytes]:
        """Every file but those that hold a key by right."""
        found = files_below(self.directory)
        by_right = [path for path in found if AT_HOME.fullmatch(path) or OWN.fullmatch(path)]
        for path in by_right:
            assert (self.directory / path).stat().st_mode & 0o777 == 0o600, path
        kept = {path: data for path, data in found.items() if path not in by_right}
        del kept["operator.age"]
        return kept | self.said


def _ech_secret(key: EchKey, number: int) -> Secret:
    return Secret(
        f"ECH key {number}", key.bundle().split(b"-----BEGIN ECH CONFIG")[0], (key.private,)
    )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, OperatorKey.make(tmp_path / "operator.age"))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<title>one</title>")
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
    (tmp_path / "zsops.yaml").write_text(CONFIG.format(port=port, name=NAME))
    made.renew()
    yield made
    if made.state.exists():
        with LocalTransport(made.state).connect() as session:
            session.stop_daemon("web")


def test_no_output_holds_a_key(place: Place) -> None:
    with ProcessWatch(str(place.state).encode()) as watch:
        assert place.zsops("deploy", "-v", "--yes").code == 0
        place.renew()
        assert place.zsops("plan", "--json", "--full", "--out", "saved.plan").code == 0
        assert place.zsops("deploy", "--jsonl", "--plan", "saved.plan").code == 0
        (place.directory / "secrets" / "shop.key.age").write_bytes(b"age-encryption.org/v1\nbroken")
        assert place.zsops("deploy", "--json").code == 8
        assert place.zsops("rollback", "--json", "--to", _first(place), "--with-secrets").code == 0
        for arguments in (("status", "--json"), ("history", "--all", "--json"), ("audit",)):
            place.zsops(*arguments)
    assert len(watch.seen) > 5
    assert leaks(place.secrets, place.places() | watch.seen) == []
    assert place.state.stat().st_mode & 0o007 == 0
    # The search knows what it looks for: the keys are where the server needs them.
    home = {
        path: data for path, data in files_below(place.directory).items() if AT_HOME.match(path)
    }
    assert {each.partition(": ")[2] for each in leaks(place.secrets, home)} >= {
        "key 0 as pem",
        "ECH key 0 as pem",
        "ECH key 0 as base64",
    }


def _first(place: Place) -> str:
    releases = sorted(each.name for each in (place.state / "i" / "web" / "releases").iterdir())
    return next(each for each in releases if each.startswith("000001"))


#: What visitors' answers, addresses and a log hold, by where it is.
TOKENS = {
    where: f"k9-{where}-{'7f3a' * 3}-z7"
    for where in ("cookie", "query", "state", "challenge", "csrf", "json", "log")
}
_CHECKS = """{{src: site, checks: [
    {{path: "/login?code={query}", status: 302}}, {{path: "/{page}", status: 200}}]}}"""
#: Where they are by right: the site's bytes, and the logs themselves.
HOLDS_TOKENS = re.compile(
    r"state/(blobs/.*|i/web/releases/.*/site\.tar|i/web/log/(daemon|access)\.log)"
)


def _fail_with(place: Place, page: str, status: int) -> None:
    """A deployment whose check of `page` fails; the site answers with tokens of all kinds."""
    text = (place.directory / "zsops.yaml").read_text()
    checks = _CHECKS.format(query=TOKENS["query"], page=page).replace("200", str(status))
    text = re.sub(r"hello: \{src(.|\n)*?\}\n(?=environ)", f"hello: {checks}\n", text)
    text = text.replace("timeout: 10s", "timeout: 2s")
    (place.directory / "zsops.yaml").write_text(text)
    site = place.directory / "site"
    (site / "data.json").write_text(f'{{"access_token":"{TOKENS["json"]}","page":"{page}"}}')
    (site / "form.html").write_text(f'<input name="csrf" value="{TOKENS["csrf"]}">{page}')
    (site / "_headers").write_text(
        f"/*\n  Set-Cookie: id={TOKENS['cookie']}\n"
        f"  WWW-Authenticate: Digest nonce={TOKENS['challenge']}\n"
    )
    target = f"https://example.org/in?state={TOKENS['state']}"
    (site / "_redirects").write_text(f"/login {target} 302\n")
    with (place.state / "i" / "web" / "log" / "daemon.log").open("a") as log:
        log.write(f"connection of 127.0.0.1: GET /a?b={TOKENS['log']} ended\n")
    assert place.zsops("deploy", "--jsonl", "--yes").code == 8


def test_evidence_holds_no_token(place: Place) -> None:
    assert place.zsops("deploy", "--yes").code == 0
    place.secrets = [Secret(where, b"", (token.encode(),)) for where, token in TOKENS.items()]
    for page, status in (
        ("data.json", 404),
        ("form.html", 404),
        ("login?code=" + TOKENS["query"], 200),
    ):
        _fail_with(place, page, status)
    for arguments in (
        ("history", "--evidence", "--all"),
        ("history", "--evidence", "--all", "--json"),
        ("history", "--all", "--json"),
        ("status", "--json"),
        ("audit", "--json"),
    ):
        assert place.zsops(*arguments).code == 0
    shown = b"".join(data for name, data in place.said.items() if "--evidence" in name)
    for part in (
        b"/login?code=",
        b"https://example.org/in?state=",
        b"set-cookie",
        b"GET /a?b=",
    ):
        assert part in shown
    searched = {
        path: data
        for path, data in place.places().items()
        if path.startswith(("state/", "zsops ")) and not HOLDS_TOKENS.fullmatch(path)
    }
    assert sum(path.endswith("/evidence.json") for path in searched) == 3
    assert leaks(place.secrets, searched) == []


#: What a careless line would do with the plain bytes, put where both sides open files.
PLANTS = {
    "stderr": "sys.stderr.write(plain.decode())",
    "one-line": "sys.stderr.write(json.dumps({'key': plain.decode()}))",
    "a-file": "open(os.environ['ZSOPS_ROOT'] + '/debug', 'ab').write(base64.b64encode(plain))",
    "argv": "subprocess.run(['sh', '-c', 'sleep 1', plain.decode()])",
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_leak_is_found(place: Place, plant: str) -> None:
    """The search is able to fail: a leak behind the decryption is seen, whichever way it takes."""
    folder = place.directory.parent / f"plant-{place.directory.name}"
    folder.mkdir()
    code = f"""\
        import base64, json, os, subprocess, sys
        import pyrage
        real = pyrage.decrypt
        def decrypt(sealed, identities):
            plain = real(sealed, identities)
            {PLANTS[plant]}
            return plain
        pyrage.decrypt = decrypt
        """
    (folder / "sitecustomize.py").write_text(textwrap.dedent(code))
    place.planted = {"PYTHONPATH": str(folder)}
    with ProcessWatch(str(place.state).encode()) as watch:
        place.zsops("deploy", "--yes")
    assert any("key 0" in each for each in leaks(place.secrets, place.places() | watch.seen))
