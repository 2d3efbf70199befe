"""Boot: what the lean interpreter runs first. Not imported by anything; see `handoff`.

Started as a script with `-I -S`: argv[1] is the descriptor that holds the config.
"""

import signal

# The mask was inherited blocked; once more, so that this file is safe on its own as well. A SIGHUP
# that comes before the daemon waits for it stays pending instead of killing the process.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402


def main() -> int:
    """Read the config, find the package, and serve. Returns the exit code."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        payload = json.loads(file.read())
    sys.path.extend(payload["paths"])
    from zeroserve.config.model import decode_config
    from zeroserve.control.daemon import run

    code: int = run(decode_config(payload["config"]), sys.argv[2:])
    return code


if __name__ == "__main__":
    sys.exit(main())
