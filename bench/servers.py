"""The servers under test: where each comes from, its settings, its command line.

Each has one worker and no request log, and otherwise the defaults of its package.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.packages import Absent, Program, find
from bench.process import run
from bench.workloads import Ground

_NGINX = """\
worker_processes 1;
daemon off;
{user}pid {run}/nginx.pid;
error_log {run}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    types {{ text/html html; application/octet-stream bin; }}
    access_log off;
    sendfile on;
    tcp_nopush on;
    gzip on;
    keepalive_requests 1000000000;  # else the bench would measure handshakes
    client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        root {folder};
    }}
}}
"""

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
    """A server that can be started. `command` gets the files, a port and a directory of its own."""

    name: str
    program: Program | Absent
    command: Callable[[str, Ground, int, Path], list[str]]
    version_flag: str
    env: Mapping[str, str] = field(default_factory=dict)

    def version(self) -> str:
        """What it says its version is."""
        assert isinstance(self.program, Program)
        said = run([self.program.path, self.version_flag], env=self.program.env).said
        found = re.search(r"\d+(\.\d+)+", said)
        return found[0] if found else "unknown"


def servers() -> tuple[Server, ...]:
    """All of them, nginx first: ratios are to the first."""
    ours = Path(sys.executable).with_name("zeroserve")
    present = Program(str(ours)) if ours.exists() else Absent("not built; `make demo` builds it")
    return (
        Server("nginx", find("nginx", ["nginx", "libpcre2-8-0"]), _nginx, "-v"),
        Server("caddy", find("caddy", ["caddy"]), _caddy, "version", {"GOMAXPROCS": "1"}),
        Server("zeroserve", present, _zeroserve, "--version"),
    )


def _fill(template: str, ground: Ground, port: int, own: Path) -> str:
    user = "user root;\n" if os.geteuid() == 0 else ""
    values = {"cert": ground.cert, "key": ground.key, "folder": ground.folder}
    return template.format(port=port, run=own, user=user, **values)


def _nginx(path: str, ground: Ground, port: int, own: Path) -> list[str]:
    conf = own / "nginx.conf"
    conf.write_text(_fill(_NGINX, ground, port, own))
    return [path, "-p", str(own), "-e", str(own / "error.log"), "-c", str(conf)]


def _caddy(path: str, ground: Ground, port: int, own: Path) -> list[str]:
    conf = own / "Caddyfile"
    conf.write_text(_fill(_CADDY, ground, port, own))
    return [path, "run", "--adapter", "caddyfile", "--config", str(conf)]


def _zeroserve(path: str, ground: Ground, port: int, _own: Path) -> list[str]:
    listen = ["--tls-addr", f"127.0.0.1:{port}", "--cert", str(ground.cert)]
    return [path, *listen, "--key", str(ground.key), "--log-format", "off", str(ground.tar)]
