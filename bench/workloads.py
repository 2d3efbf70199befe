"""What is asked for: two files, one certificate, and the folder they lie in."""

from __future__ import annotations

import random
import ssl
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

from zeroserve.pack.archive import PackOptions, pack
from zeroserve.tls.certificates import make_dev_certificate

CONNECTIONS = 100
#: One suite and one group for all, so that no server wins by negotiating a cheaper one.
SUITE = "TLS_AES_256_GCM_SHA384"


@dataclass(frozen=True)
class Workload:
    """A file that is asked for over and over, on connections that stay open."""

    name: str
    path: str
    size: int


WORKLOADS = (
    Workload("static-174", "/small.html", 174),
    Workload("static-100k", "/big.bin", 100 * 1024),
)


@dataclass(frozen=True)
class Ground:
    """Files that all servers serve."""

    root: Path

    @property
    def folder(self) -> Path:
        """The tree."""
        return self.root / "site"

    @property
    def tar(self) -> Path:
        """The tree, packed."""
        return self.root / "site.tar"

    @property
    def cert(self) -> Path:
        """Self-signed, ECDSA P-256, for localhost."""
        return self.root / "cert.pem"

    @property
    def key(self) -> Path:
        """Its key."""
        return self.root / "key.pem"

    @property
    def client_conf(self) -> Path:
        """OpenSSL settings of the load generator."""
        return self.root / "client.cnf"


def lay(root: Path) -> Ground:
    """Write everything below `root`. The bytes are always the same, the certificate is new."""
    ground = Ground(root)
    ground.folder.mkdir()
    root.chmod(0o755)  # nginx drops to another user, who must reach the files
    head = b"<!doctype html><title>bench</title><p>"
    small, big = (ground.folder / each.path.lstrip("/") for each in WORKLOADS)
    small.write_bytes(head + b"x" * (WORKLOADS[0].size - len(head) - 1) + b"\n")
    big.write_bytes(random.Random(1).randbytes(WORKLOADS[1].size))
    with ground.tar.open("wb") as output:
        pack(ground.folder, output, PackOptions())
    made = make_dev_certificate(["localhost", "127.0.0.1"])
    ground.cert.write_bytes(made.cert_pem)
    ground.key.write_bytes(made.key_pem)
    ground.client_conf.write_text(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = all\n[all]\n"
        f"MinProtocol = TLSv1.3\nCiphersuites = {SUITE}\nGroups = X25519\n"
    )
    return ground


def check(ground: Ground, port: int, workload: Workload) -> None:
    """Ask twice on one connection and compare: who does other work is not measured.

    Raises RuntimeError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ground.cert)
    connection = HTTPSConnection("localhost", port, context=context, timeout=10)
    connection.connect()
    link = connection.sock
    wanted = (ground.folder / workload.path.lstrip("/")).read_bytes()
    for _ in range(2):
        connection.request("GET", workload.path)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or body != wanted:
            raise RuntimeError(f"answered {response.status} with {len(body)} bytes, not the file")
    if connection.sock is not link:
        raise RuntimeError("closed a connection that should have stayed open")
    if not isinstance(link, ssl.SSLSocket) or link.version() != "TLSv1.3":
        raise RuntimeError("did not speak TLS 1.3")
    connection.close()
