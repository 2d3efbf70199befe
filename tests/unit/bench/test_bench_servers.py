"""An absent peer is told, not failed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import packages
from bench.nginx import Lua, Nginx
from bench.packages import Absent, Program, find
from bench.workloads import Ground, Site


def test_what_is_on_the_path_is_taken() -> None:
    found = find("sh", [])
    assert isinstance(found, Program)
    assert found.env == {}


def test_a_package_that_does_not_exist_is_absent_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages, "UNPACKED", tmp_path)
    found = find("zeroserve-no-such-program", ["zeroserve-no-such-package"])
    assert isinstance(found, Absent)
    assert "apt" in found.reason
    assert not (tmp_path / "zeroserve-no-such-package").exists()


def test_nginx_loads_lua_for_the_sites_that_need_it_only(tmp_path: Path) -> None:
    found = Nginx(Program("nginx", "/a"), Lua((Path("/m/lua.so"),), "/l/?.lua", "/b"))
    assert found.scripted == Program("nginx", "/b:/a")
    for site, has_lua in ((Site.STATIC, False), (Site.HEADER, True), (Site.JSON, True)):
        found.command("nginx", Ground(tmp_path, site), 4433, tmp_path)
        conf = (tmp_path / "nginx.conf").read_text()
        assert ("load_module /m/lua.so;\n" in conf) is has_lua
        assert ('lua_package_path "/l/?.lua;;";' in conf) is has_lua
        assert ("by_lua_block" in conf) is has_lua


def test_nginx_without_its_lua_has_a_reason_where_lua_is_needed() -> None:
    found = Nginx(Program("nginx"), Absent("no package"))
    assert found.scripted == Absent("no package")
