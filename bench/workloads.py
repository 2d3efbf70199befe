"""What is asked for: the sites, one certificate, and what each answer must be."""

from __future__ import annotations

import random
import shutil
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass, replace
from enum import Enum
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path

from zeroserve.pack.archive import PackOptions, pack
from zeroserve.tls.self_signed import make_dev_certificate

#: One suite and one group for all, so that no server wins by negotiating a cheaper one.
SUITE = "TLS_AES_256_GCM_SHA384"
JSON = b'{"status":"ok"}'


class Site(Enum):
    """What a server is set up for. All have the same two files."""

    STATIC = "static"
    #: A script sets `X-Bench: 1` on every answer.
    HEADER = "header"
    #: A script answers `/status`.
    JSON = "json"
    #: A script never ends on `/spin`.
    ENDLESS = "endless"


class Client(Enum):
    """Who asks."""

    #: wrk, on connections that stay open
    WRK = "wrk"
    #: h2load: HTTP/2, 32 requests at a time on each connection
    H2LOAD = "h2load"
    #: a connection, so a full handshake, for each request
    HANDSHAKES = "handshakes"
    #: wrk, a connection for each request, resumed by ticket
    RESUMING = "resuming"


@dataclass(frozen=True)
class Workload:
    """One thing that is asked for over and over."""

    name: str
    path: str
    site: Site = Site.STATIC
    client: Client = Client.WRK
    connections: int = 100


#: The two files, which other comparisons use, too.
FILES = (Workload("static-174", "/small.html"), Workload("static-100k", "/big.bin"))
WORKLOADS = (
    *FILES,
    Workload("header", "/small.html", Site.HEADER),
    Workload("json", "/status", Site.JSON),
    Workload("h2-174", "/small.html", client=Client.H2LOAD, connections=32),
    Workload("handshake", "/small.html", client=Client.HANDSHAKES, connections=16),
    Workload("resume", "/small.html", client=Client.RESUMING, connections=32),
)
SIZES = {"/small.html": 174, "/big.bin": 100 * 1024}

#: The scripts; nginx has the same in Lua.
SCRIPTS = {
    Site.HEADER: """\
#include <zeroserve.h>

ZS_ENTRY zs_u64 entry(void) {
  zs_meta_set(ZS_STR("zs.response.header.X-Bench"), ZS_STR("1"));
  return 0;
}
""",
    Site.JSON: """\
#include <zeroserve.h>

ZS_ENTRY zs_u64 entry(void) {
  char path[16];
  zs_req_path(path, sizeof(path));
  if (zs_strcmp(path, "/status") != 0) return 0;
  zs_meta_set(ZS_STR("zs.response.header.content-type"), ZS_STR("application/json"));
  zs_respond(200, ZS_STR("{\\"status\\":\\"ok\\"}"));
  return 0;
}
""",
    Site.ENDLESS: """\
#include <zeroserve.h>

ZS_ENTRY zs_u64 entry(void) {
  char path[32];
  zs_req_path(path, sizeof path);
  if (zs_strcmp(path, "/spin") == 0) for (volatile zs_u64 i = 0;; i++) {}
  return 0;
}
""",
}


@dataclass(frozen=True)
class Ground:
    """Files that all servers serve, and which of the sites is meant."""

    root: Path
    site: Site = Site.STATIC

    def of(self, site: Site) -> Ground:
        """The same ground, for another site."""
        return replace(self, site=site)

    @property
    def folder(self) -> Path:
        """The tree, without scripts."""
        return self.root / "site"

    @property
    def tar(self) -> Path:
        """The site, packed."""
        return self.root / f"{self.site.value}.tar"

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
        """OpenSSL settings of the load generators."""
        return self.root / "client.cnf"


def lay(root: Path) -> Ground:
    """Write everything below `root`. The bytes are always the same, the certificate is new."""
    ground = Ground(root)
    ground.folder.mkdir()
    root.chmod(0o755)  # nginx drops to another user, who must reach the files
    head = b"<!doctype html><title>bench</title><p>"
    small, big = (ground.folder / path.lstrip("/") for path in SIZES)
    small.write_bytes(head + b"x" * (SIZES["/small.html"] - len(head) - 1) + b"\n")
    big.write_bytes(random.Random(1).randbytes(SIZES["/big.bin"]))
    for site in Site:
        pack_site(ground.of(site), SCRIPTS.get(site))
    made = make_dev_certificate(["localhost", "127.0.0.1"])
    ground.cert.write_bytes(made.cert_pem)
    ground.key.write_bytes(made.key_pem)
    ground.client_conf.write_text(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = all\n[all]\n"
        f"MinProtocol = TLSv1.3\nCiphersuites = {SUITE}\nGroups = X25519\n"
    )
    return ground


def pack_site(ground: Ground, script: str | None) -> None:
    """Make `ground.tar` of the files, and of a script where there is one."""
    tree = ground.folder
    if script is not None:
        tree = ground.root / f"{ground.site.value}-tree"
        shutil.copytree(ground.folder, tree)
        place = tree / ".zeroserve" / "scripts"
        place.mkdir(parents=True)
        (place / f"{ground.site.value}.c").write_text(script)
    with ground.tar.open("wb") as output:
        pack(tree, output, PackOptions())


def check(ground: Ground, port: int, workload: Workload) -> None:
    """Ask twice on one connection and compare: who does other work is not measured.

    Raises RuntimeError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ground.cert)
    with closing(HTTPSConnection("localhost", port, context=context, timeout=10)) as connection:
        connection.connect()
        link = connection.sock
        for _ in range(2):
            connection.request("GET", workload.path)
            response = connection.getresponse()
            _compare(ground, workload, response, response.read())
        if connection.sock is not link:
            raise RuntimeError("closed a connection that should have stayed open")
        if not isinstance(link, ssl.SSLSocket) or link.version() != "TLSv1.3":
            raise RuntimeError("did not speak TLS 1.3")
        session = link.session  # its tickets came with the first answer
    if workload.client is Client.RESUMING and not _shaken(port, context, session)[1]:
        raise RuntimeError("did not resume a session")
    if workload.client is Client.H2LOAD:
        context.set_alpn_protocols(["h2"])
        if _shaken(port, context, None)[0] != "h2":
            raise RuntimeError("did not choose HTTP/2")


def _compare(ground: Ground, workload: Workload, response: HTTPResponse, body: bytes) -> None:
    wanted = JSON
    if workload.path in SIZES:
        wanted = (ground.folder / workload.path.lstrip("/")).read_bytes()
    if response.status != 200 or body != wanted:
        raise RuntimeError(f"answered {response.status} with {len(body)} bytes, not what is wanted")
    if workload.site is Site.HEADER and response.getheader("X-Bench") != "1":
        raise RuntimeError("did not set the header")
    if workload.site is Site.JSON and response.getheader("Content-Type") != "application/json":
        raise RuntimeError("did not say that it is JSON")


def _shaken(
    port: int, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[str | None, bool]:
    """One more connection: the protocol that was chosen, and whether the session was resumed."""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as link,
    ):
        return link.selected_alpn_protocol(), bool(link.session_reused)
