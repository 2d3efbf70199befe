"""known_hosts, with keys and certificates that ssh-keygen made."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from support.process import run
from support.sshd import make_key

from zsops.errors import HostKeyRefused
from zsops.transport.known_hosts import (
    KnownHosts,
    KnownHostsInvalid,
    fingerprint,
    pin_line,
    server_name,
)

NOW = time.time()


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Name to `type base64` of some public keys."""
    return {
        name: " ".join(make_key(tmp_path / name, kind).with_suffix(".pub").read_text().split()[:2])
        for name, kind in (("one", "ed25519"), ("two", "ecdsa"), ("ca", "ed25519"))
    }


def blob(key: str) -> bytes:
    return base64.b64decode(key.split()[1])


def known(tmp_path: Path, *lines: str) -> KnownHosts:
    file = tmp_path / "known_hosts"
    file.write_text("".join(f"{line}\n" for line in lines))
    return KnownHosts.load([tmp_path / "absent", file])


def certificate(tmp_path: Path, *more: str, names: str = "web1.acme.net") -> bytes:
    """Of key `one`, by `ca`."""
    argv = ["ssh-keygen", "-q", "-s", tmp_path / "ca", "-I", "id", "-n", names, *more]
    done = run([*argv, tmp_path / "one.pub"])
    assert done.code == 0, done.stderr
    return blob((tmp_path / "one-cert.pub").read_text())


def test_a_known_key_is_accepted_and_another_refused(tmp_path: Path, keys: dict[str, str]) -> None:
    hosts = known(tmp_path, "# a comment", "", f"web1,192.0.2.1 {keys['one']} with a comment")
    hosts.check("web1", blob(keys["one"]), NOW)
    hosts.check("192.0.2.1", blob(keys["one"]), NOW)
    with pytest.raises(HostKeyRefused) as refused:
        hosts.check("web1", blob(keys["two"]), NOW)
    for part in (fingerprint(blob(keys["one"])), fingerprint(blob(keys["two"])), "known_hosts:3"):
        assert part in refused.value.message
    with pytest.raises(HostKeyRefused, match="none is known"):
        hosts.check("web2", blob(keys["one"]), NOW)


def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path, keys: dict[str, str]) -> None:
    said = run(["ssh-keygen", "-l", "-f", tmp_path / "one.pub"]).text
    assert fingerprint(blob(keys["one"])) == said.split()[1]


def test_hashed_names_and_ports(tmp_path: Path, keys: dict[str, str]) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"web1.acme.net {keys['one']}\n[127.0.0.1]:2222 {keys['two']}\n")
    assert run(["ssh-keygen", "-q", "-H", "-f", file]).code == 0
    assert "web1" not in file.read_text()
    hosts = KnownHosts.load([file])
    hosts.check("web1.acme.net", blob(keys["one"]), NOW)
    hosts.check(server_name("127.0.0.1", 2222), blob(keys["two"]), NOW)
    assert hosts.algorithms("127.0.0.1") == ()


@pytest.mark.parametrize(
    ("patterns", "covered", "left"),
    [
        ("*.acme.net", "a.acme.net", "acme.net"),
        ("*.acme.net,!evil.acme.net", "a.acme.net", "evil.acme.net"),
        ("[web?]:22??", "[web1]:2222", "web1"),
        ("WEB1", "web1", "web12"),
    ],
)
def test_patterns(
    tmp_path: Path, keys: dict[str, str], patterns: str, covered: str, left: str
) -> None:
    hosts = known(tmp_path, f"{patterns} {keys['one']}")
    assert hosts.algorithms(covered) == ("ssh-ed25519",)
    assert hosts.algorithms(left) == ()


def test_only_algorithms_of_known_keys_are_offered(tmp_path: Path, keys: dict[str, str]) -> None:
    hosts = known(tmp_path, f"web1 {keys['two']}", f"@cert-authority *.net {keys['ca']}")
    assert hosts.algorithms("web1") == ("ecdsa-sha2-nistp256",)
    assert all(each.endswith("-cert-v01@openssh.com") for each in hosts.algorithms("a.net"))


def test_revoked_keys_are_refused_though_known(tmp_path: Path, keys: dict[str, str]) -> None:
    hosts = known(tmp_path, f"web1 {keys['one']}", f"@revoked * {keys['one']}")
    with pytest.raises(HostKeyRefused, match="revokes"):
        hosts.check("web1", blob(keys["one"]), NOW)


def test_certificates(tmp_path: Path, keys: dict[str, str]) -> None:
    hosts = known(tmp_path, f"@cert-authority *.acme.net {keys['ca']}")
    good = certificate(tmp_path, "-h", "-V", "+1d")
    now = time.time()  # it is good from now on, and the machine may have been slow
    hosts.check("web1.acme.net", good, now)
    for shown, name, reason, moment in (
        (good, "web2.acme.net", "is for web1.acme.net", now),
        (good, "web1.acme.net", "not valid at this time", now + 2 * 86_400),
        (certificate(tmp_path, "-V", "+1d"), "web1.acme.net", "is a user's", now),
        (good[:-3] + b"xyz", "web1.acme.net", "wrong signature", now),
    ):
        with pytest.raises(HostKeyRefused, match=reason):
            hosts.check(name, shown, moment)
    other = known(tmp_path, f"@cert-authority *.acme.net {keys['one']}")
    with pytest.raises(HostKeyRefused, match="no authority for it"):
        other.check("web1.acme.net", good, now)
    revoked = known(
        tmp_path,
        f"@cert-authority *.acme.net {keys['ca']}",
        f"@revoked * {keys['one']}",
    )
    with pytest.raises(HostKeyRefused, match="revokes"):
        revoked.check("web1.acme.net", good, now)


@pytest.mark.parametrize(
    "line",
    [
        "web1",
        "web1 ssh-ed25519",
        "web1 ssh-ed25519 AAAA",
        "web1 ssh-ed25519 not-base64",
        "@trusted web1 {key}",
        "|1|salt {key}",
        "|1|AAAA|AAAA {key}",
        "web1,,web2 {key}",
        "web1 ssh-new AAAAB3NzaC1uZXc=",
    ],
)
def test_a_line_that_means_nothing_is_an_error(
    tmp_path: Path, keys: dict[str, str], line: str
) -> None:
    with pytest.raises(KnownHostsInvalid, match="known_hosts:2"):
        known(tmp_path, f"web1 {keys['one']}", line.format(key=keys["one"]))


def test_a_pin_is_read_back(tmp_path: Path, keys: dict[str, str]) -> None:
    hosts = known(tmp_path, pin_line("[web1]:2222", blob(keys["two"])))
    hosts.check("[web1]:2222", blob(keys["two"]), NOW)
