"""`make demo`: a real site packed, served, deployed, changed under load, and rolled back.

Everything happens on loopback and in one temporary directory, and all of it is gone at the end,
also after Ctrl-C. Ends with 0 only if every check held.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from show import acts
from show.narration import Narrator
from show.process import CommandError
from show.stage import Stage


def main() -> int:
    """Run the show. Returns the exit code: 0, 1 for a check that failed, 130 when interrupted."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    narrator = Narrator()
    stage = Stage.open()
    try:
        _play(stage, narrator)
    except KeyboardInterrupt:
        narrator.say("interrupted")
        return 130
    except CommandError as refused:
        narrator.check(good=False, text=str(refused))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if arguments.keep and narrator.failures == 0:
            narrator.kept(stage)
        else:
            stage.close()
    narrator.verdict()
    return 1 if narrator.failures else 0


def _play(stage: Stage, narrator: Narrator) -> None:
    for title, act in acts.ALL:
        with narrator.step(title):
            act(stage, narrator)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--keep", action="store_true", help="leave the deployed site running; says how to stop it"
    )
    return parser.parse_args()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
