"""Serve: the loop of a development server. Watch, build, start, and again after every change."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from zeroserve.dev.events import EventServer
from zeroserve.dev.session import END_SECONDS_MAX, Build, Say, Session
from zeroserve.dev.watch import Changes, Watched, watching
from zeroserve.process import Child

#: How often it is looked whether the server still runs.
LOOK_SECONDS = 1.0


def listen_arguments(address: str, *, plain: bool) -> list[str]:
    """The server's arguments to listen at `address`; with TLS, by a certificate of this run."""
    return ["--addr", address] if plain else ["--tls-addr", address, "--dev-cert"]


def serve(
    build: Build, watched: Callable[[], Watched], listen: Sequence[str], say: Say, warn: Say
) -> bool:
    """Serve what `build` builds until SIGINT or SIGTERM. False when the server ended by itself.

    `watched` is asked again after every change: what to look at may have changed, too. `warn` is
    told what is wrong, `say` the rest.
    Raises `ZeroserveError` (`dev-watch`, `dev-server`).
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server ends with us
    try:
        with (
            closing(EventServer()) as events,
            tempfile.TemporaryDirectory(prefix="zeroserve-dev-") as place,
        ):
            session = Session(build, Path(place), events, say, warn)
            return _serve(session, watched, [*listen, "--grace", "1"], say)
    except KeyboardInterrupt:
        return True  # whenever it comes: while the server starts, too


def _serve(
    session: Session, watched: Callable[[], Watched], arguments: list[str], say: Say
) -> bool:
    child: Child | None = None
    try:
        while child is None or not child.has_ended():
            looking = watched()
            # Each build happens under its watch, so that no change falls between the two.
            with watching(looking) as changes:
                if child is None:
                    session.build_first()
                    child = session.start(arguments)
                else:
                    session.refresh()
                is_same = True
                while is_same and not child.has_ended():
                    if _has_changed(changes, say):
                        is_same = watched() == looking
                        if is_same:
                            session.refresh()
    finally:
        if child is not None:
            child.end(END_SECONDS_MAX)
    return False


def _has_changed(changes: Changes, say: Say) -> bool:
    paths = changes.wait(LOOK_SECONDS)
    if paths:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        say(f"changed: {paths[0]}{more}")
    return bool(paths)
