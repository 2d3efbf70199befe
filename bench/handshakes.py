"""`python -m bench.handshakes PORT PATH SECONDS PROCESSES`: a full handshake for each request.

wrk can't do this: with `Connection: close` it resumes the session from the second connection on.
Each process connects, asks once, reads to the end and begins again. Prints one line of JSON: the
time of each connection in µs, and how many were no good, a resumed one among them.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import socket
import ssl
import sys
import time

from bench.workloads import SUITE


def main() -> int:
    """Returns 0."""
    port, path, seconds, processes = sys.argv[1:]
    until = time.monotonic() + float(seconds)
    work = [(int(port), path, until)] * int(processes)
    with multiprocessing.get_context("fork").Pool(len(work)) as pool:
        parts = pool.starmap(ask, work, chunksize=1)
    told = {
        "times_us": list(itertools.chain.from_iterable(times for times, _, _ in parts)),
        "faults": sum(faults for _, faults, _ in parts),
        "error": max(error for _, _, error in parts),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def ask(port: int, path: str, until: float) -> tuple[list[int], int, str]:
    """(µs of each connection, faults, the last error) of one client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    times, faults, error = [], 0, ""
    while (began := time.monotonic()) < until:
        try:
            plain = socket.create_connection(("127.0.0.1", port), 5)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain, server_hostname="localhost") as link:
                link.sendall(request)
                first = link.recv(65536)
                while link.recv(65536):
                    pass
                cipher = link.cipher()
                fine = first.startswith(b"HTTP/1.1 200") and not link.session_reused
                faults += not fine or cipher is None or cipher[0] != SUITE
        except OSError as failed:
            faults, error = faults + 1, str(failed)
        else:
            times.append(int((time.monotonic() - began) * 1e6))
    return times, faults, error


if __name__ == "__main__":
    sys.exit(main())
