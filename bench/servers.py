"""The servers under test: where each comes from, its settings, its command line.

Each has one worker and no request log, and otherwise the defaults of its package.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.nginx import find_nginx
from bench.packages import Absent, Program, find
from bench.process import run
from bench.workloads import Ground, Site

_CADDY = """\
{{
    admin off
    auto_https off
    default_sni localhost
    log {{
        output discard
    }}
}}
https://localhost:{port} {{
    bind 127.0.0.1
    tls {cert} {key} {{
        protocols tls1.3
    }}
    root * {folder}
    file_server
}}
"""


@dataclass(frozen=True)
class Server:
    """A server that can be started. `command` gets the ground, a port and a directory of its own.

    `scripted`: the program for sites with scripts, where it is another one or there is none.
    """

    name: str
    program: Program | Absent
    command: Callable[[str, Ground, int, Path], list[str]]
    version_flag: str
    env: Mapping[str, str] = field(default_factory=dict)
    scripted: Program | Absent | None = None

    def of(self, site: Site) -> Program | Absent:
        """The program that serves this site."""
        return self.program if site is Site.STATIC else self.scripted or self.program

    def version(self) -> str:
        """What it says its version is."""
        assert isinstance(self.program, Program)
        said = run([self.program.path, self.version_flag], env=self.program.env).said
        found = re.search(r"\d+(\.\d+)+", said)
        return found[0] if found else "unknown"


def servers() -> tuple[Server, ...]:
    """All of them, nginx first: ratios are to the first."""
    nginx = find_nginx()
    caddy = find("caddy", ["caddy"])
    no_scripts = Absent("it has no scripts")
    one_thread = {"GOMAXPROCS": "1"}
    return (
        Server("nginx", nginx.program, nginx.command, "-v", scripted=nginx.scripted),
        Server("caddy", caddy, _caddy, "version", one_thread, scripted=no_scripts),
        ours(),
    )


def ours() -> Server:
    """The zeroserve of this checkout's environment."""
    path = Path(sys.executable).with_name("zeroserve")
    program = Program(str(path)) if path.exists() else Absent("not built; `make demo` builds it")
    return Server("zeroserve", program, zeroserve_command, "--version")


def zeroserve_command(path: str, ground: Ground, port: int, _own: Path) -> list[str]:
    """Our command line, for `ground.tar`."""
    listen = ["--tls-addr", f"127.0.0.1:{port}", "--cert", str(ground.cert)]
    return [path, *listen, "--key", str(ground.key), "--log-format", "off", str(ground.tar)]


def _caddy(path: str, ground: Ground, port: int, own: Path) -> list[str]:
    conf = own / "Caddyfile"
    conf.write_text(
        _CADDY.format(port=port, cert=ground.cert, key=ground.key, folder=ground.folder)
    )
    return [path, "run", "--adapter", "caddyfile", "--config", str(conf)]
