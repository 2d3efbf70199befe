"""Listening sockets that one process copies from another."""

from __future__ import annotations

import os
import socket

from zsops.host.sockets import of_process


def test_a_descriptor_that_closes_during_the_look_hides_no_listener() -> None:
    """Reading `/proc/PID/fd` opens a descriptor that is listed and closed before it is looked at:
    as those of visitors are on a busy daemon. Here it has a lower number than the listener."""
    spare = [os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC) for _ in range(32)]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for each in spare:
            os.close(each)
        copies = of_process(os.getpid())
        names = [each.getsockname() for each in copies]
        for each in copies:
            each.close()
        assert listener.getsockname() in names
