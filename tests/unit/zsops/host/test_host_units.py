"""Unit files: what systemd itself says of them, and what they must say."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.counterparts import SYSTEMD, require
from support.process import run

from zsops.host.systemd import is_ours
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
    assert len(made) == 1 + 2 * 4
    assert "Type=oneshot" in made["zsops-recover.service"]
    for name in ("zsops-web.service", "zsops-admin.service"):
        assert "Requires=zsops-recover.service" in made[name]
        assert "After=zsops-recover.service" in made[name]


@pytest.mark.parametrize("bad", ["/var/lib/zs ops", "/var/lib/%n", "relative"])
def test_a_path_that_a_unit_cannot_carry_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a unit"):
        units(UnitWish("/usr/bin/zsops-host", bad, "zsops"), ("web",))


@pytest.mark.parametrize("names", [("recover",), ("web", "expire-web")])
def test_an_instance_whose_units_would_have_the_name_of_others_is_refused(
    names: tuple[str, ...],
) -> None:
    with pytest.raises(ValueError, match="a second unit `zsops-"):
        units(WISH, names)


_SHOWN = """\
ExecStart={{ path=/usr/bin/zsops-host ; argv[]=/usr/bin/zsops-host supervise --root {root} \
--instance {name} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) }}
LoadState={state}
"""


@pytest.mark.parametrize(
    ("root", "name", "state", "ours"),
    [
        ("ROOT", "web", "loaded", True),
        ("LINK", "web", "loaded", True),
        ("ROOT", "blog", "loaded", False),
        ("/somewhere", "web", "loaded", False),
        ("ROOT", "web", "not-found", False),
    ],
)
def test_a_unit_is_an_instances_own_when_it_supervises_that_of_the_same_root(
    tmp_path: Path, root: str, name: str, state: str, ours: bool
) -> None:
    mine, link = tmp_path / "root", tmp_path / "link"
    mine.mkdir()
    link.symlink_to(mine)
    root = root.replace("ROOT", str(mine)).replace("LINK", str(link))
    shown = _SHOWN.format(root=root, name=name, state=state)
    assert is_ours(shown, mine, "web") is ours


@pytest.mark.parametrize("shown", ["", "LoadState=loaded", "LoadState=loaded\nExecStart="])
def test_a_unit_that_is_something_else_is_not_taken_for_ours(tmp_path: Path, shown: str) -> None:
    assert not is_ours(shown, tmp_path, "web")
