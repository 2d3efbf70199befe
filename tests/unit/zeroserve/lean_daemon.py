"""Run as a script with `-I -S`: the daemon as it boots, with a fake engine or with the real one.

argv[1] is a JSON file with `paths`, `config`, `engine` (`fake` or `real`) and `holds_requests`.
Writes the names of all loaded modules to stdout when the daemon has ended. The fake is written out
here because nothing may be loaded that a lean daemon would not load.
"""

import json
import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOLDS = False


class Engine:
    """Answers like an engine. A site that begins with `bad` is refused, with `dies` it ends, with
    `half dies` one of its loops does, and the load of one that begins with `large` never ends.
    """

    def __init__(self, settings: bytes) -> None:
        self.summary = self.reload(json.dumps(json.loads(settings)["generation"]).encode())

    def reload(self, spec: bytes) -> "dict[str, Any]":
        from zeroserve.errors import ConfigRefused

        site = json.loads(spec)["site"]
        content = os.pread(site["fd"], 1 << 20, 0)
        if content.startswith(b"bad"):
            raise ConfigRefused("config-refused", f"`{site['path']}`: not a tar archive")
        self.ended = content.startswith(b"dies")
        self.lost_a_loop = content.startswith(b"half dies")
        if content.startswith(b"large"):
            os.write(2, b"loading\n")
            threading.Event().wait()
        return {"members": 1, "bytes": len(content), "site_digest": "sha256:" + "0" * 64}

    def log(self, descriptor: int) -> None:
        os.write(descriptor, b"switched\n")

    def stats(self) -> "dict[str, Any]":
        return {}

    def drain(self) -> None:
        self.ended = not HOLDS

    def wait(self, _timeout_ms: int) -> bool:
        from zeroserve.errors import EngineBug

        if self.lost_a_loop:
            raise EngineBug("engine-bug", "1 of 2 event loops died")
        return self.ended

    def stop(self) -> None:
        """Nothing to free."""


def main() -> int:
    global HOLDS  # noqa: PLW0603  # set once, before anything runs
    descriptor = os.open(sys.argv[1], os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        payload = json.loads(file.read())
    sys.path.extend(payload["paths"])
    from zeroserve.config.model import decode_config
    from zeroserve.control import daemon

    HOLDS = payload["holds_requests"]
    start = Engine if payload["engine"] == "fake" else None
    code = daemon.run(decode_config(payload["config"]), ["site.tar"], start)
    os.write(1, b"\n" + json.dumps(sorted(sys.modules)).encode())
    return code


if __name__ == "__main__":
    sys.exit(main())
