"""Unit files: what systemd itself says of them, and what they must say."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.counterparts import SYSTEMD, require
from support.process import run

from zsops.host.units import UnitWish, units

WISH = UnitWish(program="/usr/bin/env", root="/var/lib/zsops", user="zsops")


def test_systemd_accepts_every_unit(tmp_path: Path) -> None:
    analyze = require(SYSTEMD)
    for name, text in units(WISH, ("web",)).items():
        (tmp_path / name).write_text(text)
    found = run([analyze, "verify", "--recursive-errors=no", *sorted(tmp_path.iterdir())])
    said = [line for line in found.stderr.splitlines() if str(tmp_path) in line or "zsops" in line]
    assert (found.code, said) == (0, []), found.stderr


def test_a_unit_that_is_wrong_is_found(tmp_path: Path) -> None:
    analyze = require(SYSTEMD)
    text = units(WISH, ("web",))["zsops-web.service"]
    (tmp_path / "zsops-web.service").write_text(text.replace("ExecStart=", "ExecStrat="))
    assert run([analyze, "verify", tmp_path / "zsops-web.service"]).code != 0


def test_no_unit_hides_a_containers_boot_id() -> None:
    """Found out on a booted host: the supervisor took every deployment for one before a restart."""
    for text in units(WISH, ("web",)).values():
        assert "ProtectKernelTunables" not in text
        assert "ProtectControlGroups" not in text


def test_recovery_runs_before_any_supervisor() -> None:
    made = units(WISH, ("web", "admin"))
    assert len(made) == 1 + 2 * 3
    assert "Type=oneshot" in made["zsops-recover.service"]
    for name in ("zsops-web.service", "zsops-admin.service"):
        assert "Requires=zsops-recover.service" in made[name]
        assert "After=zsops-recover.service" in made[name]


@pytest.mark.parametrize("bad", ["/var/lib/zs ops", "/var/lib/%n", "relative"])
def test_a_path_that_a_unit_cannot_carry_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a unit"):
        units(UnitWish("/usr/bin/zsops-host", bad, "zsops"), ("web",))
