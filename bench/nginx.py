"""nginx, and its Lua: both of the system's packages, or unpacked from them.

The Lua module fits one build of nginx only, so a trial start decides whether it counts as there.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.packages import Absent, Program, find, unpack
from bench.process import run
from bench.workloads import Ground, Site

_CONF = """\
{modules}worker_processes 1;
daemon off;
{user}pid {own}/nginx.pid;
error_log {own}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {own}/body; proxy_temp_path {own}/proxy; fastcgi_temp_path {own}/fastcgi;
    uwsgi_temp_path {own}/uwsgi; scgi_temp_path {own}/scgi;
    {lua_path}
    {more}
}}
"""

_SERVER = """\
types {{ text/html html; application/octet-stream bin; }}
    sendfile on;
    tcp_nopush on;
    gzip on;
    keepalive_requests 1000000000;  # else the bench would measure handshakes
    server {{
        listen 127.0.0.1:{port} ssl http2;  # newer ones prefer `http2 on`, and take this
        ssl_protocols TLSv1.3;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        root {folder};
        location / {{ {location} }}
    }}"""

_LOCATIONS = {
    Site.HEADER: "header_filter_by_lua_block { ngx.header['X-Bench'] = '1' }",
    Site.JSON: "content_by_lua_block { ngx.header['Content-Type'] = 'application/json'; "
    'ngx.print(\'{"status":"ok"}\') }',
}

_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
_INSTALLED = Path("/usr/lib/nginx/modules")
_PACKAGES = (
    *("libnginx-mod-http-ndk", "libnginx-mod-http-lua"),
    *("lua-resty-core", "lua-resty-lrucache"),
)
#: Of these each release of Debian has some: the trial start tells whether it was enough.
_LIBRARIES = ("libluajit2-5.1-2", "libluajit-5.1-2", "libpcre3")


@dataclass(frozen=True)
class Lua:
    """Where nginx's Lua lies: its modules, and where Lua looks for its own (`?.lua`)."""

    modules: tuple[Path, ...] = ()
    package_path: str = ""
    library_path: str = ""


@dataclass(frozen=True)
class Nginx:
    """The server and its Lua."""

    program: Program | Absent
    lua: Lua | Absent

    @property
    def scripted(self) -> Program | Absent:
        """The program that finds Lua's libraries, too."""
        if isinstance(self.program, Absent) or isinstance(self.lua, Absent):
            return self.program if isinstance(self.program, Absent) else Absent(self.lua.reason)
        parts = (self.lua.library_path, self.program.library_path)
        return Program(self.program.path, ":".join(part for part in parts if part))

    def command(self, path: str, ground: Ground, port: int, own: Path) -> list[str]:
        """Write the settings into `own`. Lua is loaded for the sites that need it only."""
        location = _LOCATIONS.get(ground.site, "")
        server = _SERVER.format(
            port=port, cert=ground.cert, key=ground.key, folder=ground.folder, location=location
        )
        lua = self.lua if isinstance(self.lua, Lua) and location else Lua()
        return _argv(path, _write(own, lua, server))


def find_nginx() -> Nginx:
    """Both, or why one of them is not there."""
    program = find("nginx", ["nginx", "libpcre2-8-0"])
    found = Nginx(program, _installed() or _unpacked())
    reason = _trial(found)
    return Nginx(program, Absent(reason)) if reason else found


def _installed() -> Lua | None:
    modules = tuple(_INSTALLED / each for each in _MODULES)
    return Lua(modules) if all(each.exists() for each in modules) else None


def _unpacked() -> Lua | Absent:
    roots = []
    for package in (*_PACKAGES, *_LIBRARIES):
        root = unpack(package)
        if isinstance(root, Absent):
            if package in _PACKAGES:
                return root
            continue
        roots.append(root)
    modules = tuple(
        path
        for each in _MODULES
        for root in roots
        for path in root.glob(f"usr/lib/nginx/**/{each}")
    )
    scripts = [f"{root}/usr/share/lua/5.1/?.lua" for root in roots]
    # In this order: of two that have the same name the first one counts.
    libraries = {str(each.parent): 0 for root in roots for each in root.glob("**/lib/*/*.so*")}
    return Lua(modules, ";".join(scripts), ":".join(libraries))


def _trial(found: Nginx) -> str:
    """Why the two do not go together, or nothing."""
    scripted = found.scripted
    if isinstance(scripted, Absent) or isinstance(found.lua, Absent):
        return ""
    with tempfile.TemporaryDirectory(prefix="bench-lua-") as directory:
        conf = _write(Path(directory), found.lua, "init_by_lua_block { require 'resty.core' }")
        tried = run([*_argv(scripted.path, conf), "-t"], env=scripted.env)
    return "" if tried.code == 0 else f"nginx does not take its Lua: {tried.said.strip()[-300:]}"


def _argv(path: str, conf: Path) -> list[str]:
    return [path, "-p", str(conf.parent), "-e", str(conf.parent / "error.log"), "-c", str(conf)]


def _write(own: Path, lua: Lua, more: str) -> Path:
    conf = own / "nginx.conf"
    conf.write_text(
        _CONF.format(
            modules="".join(f"load_module {each};\n" for each in lua.modules),
            user="user root;\n" if os.geteuid() == 0 else "",
            own=own,
            lua_path=f'lua_package_path "{lua.package_path};;";' if lua.package_path else "",
            more=more,
        )
    )
    return conf
