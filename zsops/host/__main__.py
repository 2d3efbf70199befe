"""`zsops-host`: the program an operator's side speaks to, and the supervisor of an instance.

Commands: `serve` (a session on stdin and stdout), `supervise`, `expire` (what the revert timer
runs), `recover` (before the daemon starts), `units` (for systemd), `allow` (which wheels may be
brought). All take `--root`.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zsops.errors import ExitCode, UsageError, ZsopsError

if TYPE_CHECKING:
    import argparse


def default_root() -> Path:
    """`$ZSOPS_ROOT`, else `$XDG_STATE_HOME/zsops`, else `~/.local/state/zsops`."""
    own = os.environ.get("ZSOPS_ROOT")
    if own:
        return Path(own).absolute()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser().absolute() / "zsops"


def _session(words: Sequence[str]) -> tuple[Path | None, list[str]] | None:
    """Root and instances of a plain `serve`, which every session begins with: without `argparse`
    it starts with a fifth less work. None: anything else, a mistake among it."""
    if len(words) % 2 != 1 or words[0] != "serve":
        return None
    root, instances = None, []
    for name, value in zip(words[1::2], words[2::2], strict=True):
        if name == "--root":
            root = Path(value)
        elif name == "--instance":
            instances.append(value)
        else:
            return None
        if value.startswith("-"):
            return None
    return root, instances


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(prog="zsops-host", description="the on-host half of zsops")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("serve", "speak the deploy protocol on stdin and stdout"),
        ("supervise", "keep an instance's daemon running and its revert deadline"),
        ("expire", "revert an instance if its deadline has passed"),
        ("recover", "bring instances to rest before their daemons start"),
        ("units", "write systemd units for this host's instances"),
        ("allow", "let a wheel in that sessions with few rights may bring, or list them"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument(
            "--root", type=Path, default=None, help="where the host keeps its state"
        )
        if name == "serve":
            command.add_argument(
                "--instance",
                action="append",
                default=[],
                help="an instance this session may touch (repeatable); all without it",
            )
        if name == "units":
            command.add_argument("--out", type=Path, required=True, help="directory for the units")
            command.add_argument("--user", required=True, help="the user that runs them")
        if name == "allow":
            command.add_argument("wheels", nargs="*", metavar="FILE|sha256:DIGEST")
        if name in ("supervise", "expire"):
            command.add_argument("--instance", required=True)
        if name == "supervise":
            command.add_argument("--detach", action="store_true", help="return once it is started")
            command.add_argument(
                "--settled", action="store_true", help="skip recovery: it was done"
            )
    return parser


def _serve(root: Path | None, instances: Sequence[str]) -> int:
    # What is loaded stays: to look through it for garbage while it grows is a waste.
    gc.disable()
    from zsops.host.serve import serve

    gc.freeze()
    gc.enable()
    return serve(_absolute(root), instances)


def _absolute(root: Path | None) -> Path:
    return default_root() if root is None else root.absolute()


def _run(words: Sequence[str]) -> int:
    plain = _session(words)
    if plain is not None:
        return _serve(*plain)
    wish = _parser().parse_args(words)
    root = _absolute(wish.root)
    if wish.command == "serve":
        return _serve(root, wish.instance)
    if wish.command == "supervise":
        from zsops.host.supervise import supervise

        return supervise(root, wish.instance, detach=wish.detach, settled=wish.settled)
    from zsops.host.machine import Machine
    from zsops.host.service import HostService

    service = HostService(Machine(root), str(root))
    if wish.command == "units":
        return _write_units(root, service.instances(), wish)
    if wish.command == "allow":
        for digest in service.allow_wheels([_digest(each) for each in wish.wheels]):
            print(digest)  # noqa: T201 - the answer
    elif wish.command == "expire":
        _say(service.expire(wish.instance).note)
    else:
        for instance in service.instances():
            settled = service.recover(instance)
            _say(None if settled is None else settled.note)
    return 0


def _write_units(root: Path, instances: Sequence[str], wish: argparse.Namespace) -> int:
    from zsops.host.units import UnitWish, units

    program = str(Path(sys.argv[0]).absolute())
    try:
        made = units(UnitWish(program, str(root), wish.user), instances)
    except ValueError as error:
        raise UsageError(str(error)) from error
    for name, text in made.items():
        (wish.out / name).write_text(text)
        print(wish.out / name)  # noqa: T201 - the answer
    return 0


def _digest(wheel: str) -> str:
    if wheel.startswith("sha256:"):
        return wheel
    import hashlib

    with Path(wheel).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _say(note: str | None) -> None:
    if note is not None:
        print(note, file=sys.stderr, flush=True)  # noqa: T201 - talk goes to stderr


def main() -> int:
    """Entry point. Exit codes: as zsops's own."""
    try:
        return _run(sys.argv[1:])
    except ZsopsError as error:
        print(error.render(), file=sys.stderr)  # noqa: T201
        return int(error.exit_code)
    except OSError as error:
        text = ZsopsError(f"{error.strerror or error}: `{error.filename}`").render()
        print(text, file=sys.stderr)  # noqa: T201
        return int(ExitCode.BUG)


if __name__ == "__main__":
    sys.exit(main())
