"""Entry of the command line. Its first statement blocks SIGHUP, which would kill a server that is
just starting; the daemon inherits the mask and takes the signal when it is ready.
"""

import signal

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

import sys  # noqa: E402


def main() -> int:
    """Run the command line of this process. Returns the exit code."""
    from zeroserve.cli.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
