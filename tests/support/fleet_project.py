"""A project whose hosts are real OpenSSH servers on loopback, with real daemons behind them."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.process import PROGRAMS, Finished, Program, run
from support.sshd import Farm, Server
from support.trees import HELLO

CONFIG = """\
version: 1
project: demo
defaults:
  health: {{interval: 50ms, timeout: 5s}}
  confirm: {{window: 30s}}
  ssh:
    port: {port}
    identity: {home}/id
    known_hosts: {home}/known_hosts
    config: {home}/ssh_config
sites:
  hello: {{src: site, checks: [{{path: /, status: 200, body_contains: "<title>"}}]}}
strategies:
  careful: {{waves: [canary, "100%"], batch: 2, on_fail: revert_wave}}
environments:
  prod:
    strategy: careful
    hosts:
      web{first}: {{addr: "127.0.1.{{n}}", groups: [canary], ssh: {{{extra}}}}}
      web[{second}-{last}]: {{addr: "127.0.1.{{n}}", groups: [rest], ssh: {{{extra}}}}}
    instances:
      web: {{listen: {{https: "{{addr}}:{https}"}}, site: hello}}
"""


@dataclass
class Project:
    """An operator's project and the hosts it goes to."""

    directory: Path
    farm: Farm
    https: int

    @classmethod
    def make(cls, directory: Path, hosts: Farm, *, extra: str = "") -> Project:
        """A copy of the example site for every host of the farm."""
        with closing(socket.create_server((hosts.servers[0].address, 0))) as taken:
            https: int = taken.getsockname()[1]
        shutil.copytree(HELLO, directory / "site")
        numbers = [each.name.removeprefix("web") for each in hosts.servers]
        text = CONFIG.format(
            port=hosts.port, home=hosts.home, https=https, extra=extra,
            first=numbers[0], second=numbers[1], last=numbers[-1],
        )  # fmt: skip
        (directory / "zsops.yaml").write_text(text)
        return cls(directory, hosts, https)

    def zsops(self, *arguments: str) -> Finished:
        """Run it in the project."""
        argv = [PROGRAMS / "zsops", *arguments]
        return run(argv, cwd=self.directory, env={"ZSOPS_WHO": "tester"})

    def document(self, *arguments: str) -> dict[str, Any]:
        """Run it with `--json`."""
        found: dict[str, Any] = json.loads(self.zsops(*arguments, "--json").text)
        return found

    def start(self, *arguments: str) -> Program:
        """Run it beside the test."""
        argv = [PROGRAMS / "zsops", *arguments]
        env = {"ZSOPS_WHO": "tester"}
        return Program(argv, self.directory / "zsops.log", cwd=self.directory, env=env)

    def write(self, text: str) -> bytes:
        """Change the first page."""
        body = f"<!doctype html><title>{text}</title>".encode()
        (self.directory / "site" / "index.html").write_bytes(body)
        return body

    def page(self, server: Server) -> bytes:
        """The first page of a host, by its own certificate."""
        trusted = server.root / "i" / "web" / "current" / "tls" / "cert.pem"
        context = ssl.create_default_context(cafile=str(trusted))
        url = f"https://{server.address}:{self.https}/"
        with urllib.request.urlopen(url, context=context, timeout=20) as answer:
            body: bytes = answer.read()
        return body

    def pages(self) -> list[bytes]:
        """The first page of every host."""
        return [self.page(each) for each in self.farm.servers]
