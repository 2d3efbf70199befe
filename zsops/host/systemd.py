"""The unit of an instance, where systemd runs its supervisor: that is what a start has to start.

Root asks systemd itself. Whoever else the units were made for may not; for that user a `.path` unit
watches a file of the instance, and starts the service when it is written.
"""

from __future__ import annotations

import os
from pathlib import Path

from zsops import process
from zsops.frozen import frozen

_BOOTED = Path("/run/systemd/system")
_ANSWER_S = 20.0
#: In the instance's `run/`: written to have the service started.
WISH = "start.wish"


@frozen
class Unit:
    """`zsops-NAME.service`, installed for this very root."""

    root: Path
    instance: str

    @property
    def service(self) -> str:
        return f"zsops-{self.instance}.service"

    @property
    def path(self) -> str:
        return f"zsops-{self.instance}.path"

    def start(self, wish: Path) -> str | None:
        """Have systemd start it; why it does not. Asking again does no harm: systemd may not have
        seen the last one end yet. `wish`: the file that the `.path` unit watches.
        """
        try:
            if os.geteuid() == 0:
                done = _systemctl("start", self.service)
                return None if done.code == 0 else f"`{self.service}`: {done.errors.strip()}"
            if _systemctl("is-active", "--quiet", self.path).code == 0:
                wish.write_text("")
                return None
        except OSError as error:
            return f"systemd cannot be asked for `{self.service}`: {error.strerror or error}"
        return (
            f"systemd runs this instance, and only root may start `{self.service}`: run `sudo "
            f"systemctl start {self.service}` on the host; with units written anew by "
            f"`zsops-host units`, `{self.path}` does it for `zsops daemon start`"
        )


def unit_of(root: Path, instance: str) -> Unit | None:
    """The unit that supervises this instance of this root; None where systemd has none."""
    if not _BOOTED.is_dir():
        return None
    unit = Unit(root, instance)
    try:
        shown = _systemctl("show", unit.service, "--property=LoadState,ExecStart")
    except OSError:
        return None
    return unit if shown.code == 0 and is_ours(shown.output, root, instance) else None


def is_ours(shown: str, root: Path, instance: str) -> bool:
    """Whether what `systemctl show` says is about a supervisor of this root and instance."""
    properties = dict(line.partition("=")[::2] for line in shown.splitlines())
    if properties.get("LoadState") != "loaded":
        return False
    # `{ path=… ; argv[]=/usr/bin/zsops-host supervise --root /r --instance web ; …`
    argv = properties.get("ExecStart", "").partition("argv[]=")[2].partition(" ; ")[0].split()
    options = dict(zip(argv[2::2], argv[3::2], strict=False))
    named = Path(options.get("--root", "/nowhere"))
    ours = argv[1:2] == ["supervise"] and options.get("--instance") == instance
    return ours and named.resolve() == root.resolve()


def _systemctl(*words: str) -> process.Finished:
    argv = ["systemctl", "--no-ask-password", "--no-pager", *words]
    return process.run(argv, timeout_s=_ANSWER_S)
