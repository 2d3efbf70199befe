"""Where the show happens: one temporary directory with a project, its state and its logs."""

from __future__ import annotations

import shutil
import ssl
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from show.client import trust
from show.process import Finished, Server, free_port, pids_of, run, stop_all

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PAGES = CHECKOUT / "sites" / "docs"
INSTANCE = "docs"

_PROJECT = """\
version: 1
project: demo
sites:
  docs:
    src: site
    checks:
      - {{path: /, status: 200, body_contains: "<title>"}}
      - {{path: /no-such-page, status: 404}}
environments:
  local:
    instances:
      docs: {{listen: {{https: "127.0.0.1:{port}"}}, site: docs}}
"""


@dataclass
class Stage:
    """The temporary directory and what runs in it."""

    root: Path
    port: int
    server: Server | None = None

    @classmethod
    def open(cls) -> Stage:
        """Make the directory."""
        return cls(Path(tempfile.mkdtemp(prefix="zeroserve-demo-")), free_port())

    @property
    def site(self) -> Path:
        """The tree that is deployed: a copy, so that the show may change it."""
        return self.root / "site"

    @property
    def tar(self) -> Path:
        """The packed site."""
        return self.root / "site.tar"

    @property
    def state(self) -> Path:
        """`ZSOPS_ROOT`."""
        return self.root / "state"

    @property
    def certificate(self) -> Path:
        """The certificate of the release in service."""
        return self.state / "i" / INSTANCE / "current" / "tls" / "cert.pem"

    def write_project(self) -> None:
        """Copy the pages and write a `zsops.yaml` beside them."""
        shutil.copytree(PAGES, self.site)
        (self.root / "zsops.yaml").write_text(_PROJECT.format(port=self.port))

    def zsops(self, *arguments: str) -> Finished:
        """Run `zsops` in the project. Raises CommandError."""
        return run(
            ["zsops", *arguments],
            cwd=self.root,
            env={"ZSOPS_ROOT": str(self.state), "ZSOPS_WHO": "demo"},
        )

    def trust(self) -> ssl.SSLContext:
        """TLS that trusts what was deployed."""
        return trust(self.certificate.read_text())

    def pids(self) -> list[int]:
        """What runs for this stage."""
        return pids_of(self.root)

    def close(self) -> None:
        """Stop everything that was started here and remove the directory."""
        if self.server is not None:
            self.server.stop()
            self.server = None
        stop_all(self.root)
        shutil.rmtree(self.root, ignore_errors=True)


def build_pages() -> None:
    """Build `docs/` unless the built pages are newer than every source. Raises CommandError."""
    sources = [each for each in (CHECKOUT / "docs").rglob("*") if each.is_file()]
    built = PAGES / "index.html"
    if built.exists() and built.stat().st_mtime >= max(each.stat().st_mtime for each in sources):
        return
    sphinx = ["-m", "sphinx", "-q", "-W", "-E", "-b", "dirhtml", "-d", "build/doctrees"]
    shutil.rmtree(PAGES, ignore_errors=True)
    run([Path(sys.executable).name, *sphinx, "docs", "sites/docs"], cwd=CHECKOUT)
