"""Entry of `zsops`, also as `python -m zsops`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from zsops.cli.app import run
    except ModuleNotFoundError as missing:
        # The wheel without its extra: the server and zsops-host work, this command needs more.
        if (missing.name or "").partition(".")[0] in ("pydantic", "rich", "ruamel", "typer"):
            sys.stderr.write(
                f"error[extra-missing]: `{missing.name}` is not installed\n"
                "hint: pip install 'zeroserve[ops]'\n"
            )
            sys.exit(2)
        raise
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
