"""Notify: tells systemd how far we are, over the datagram socket it names in `NOTIFY_SOCKET`.

Protocol: sd_notify(3). Without the variable nothing is sent; a socket that fails is ignored, since
serving must not depend on who watches.
"""

import os
import socket
import time


def notify(*lines: str) -> bool:
    """Send assignments as `READY=1`. Returns whether somebody was told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as peer:
            peer.connect(address)
            peer.send("\n".join(lines).encode())
    except OSError:
        return False
    return True


def notify_reloading() -> bool:
    """Say that a reload begins. systemd wants the monotonic clock with it, in microseconds."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
