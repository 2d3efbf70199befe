"""A name server on loopback that knows the records it was given, and no others."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class DnsServer:
    """As a context manager. `records`: lines as in a zone file."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        return "{}:{}".format(*self._socket.getsockname())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        host, port = self._socket.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (host, port))
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, client = self._socket.recvfrom(4096)
            if not wire:
                return
            query = dns.message.from_wire(wire)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA
            wanted = query.question[0]
            found = [self._rrset(line) for line in self.records]
            mine = [
                each for each in found if (each.name, each.rdtype) == (wanted.name, wanted.rdtype)
            ]
            answer.answer.extend(mine)
            if not mine:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(answer.to_wire(), client)

    @staticmethod
    def _rrset(line: str) -> dns.rrset.RRset:
        owner, ttl, _, kind, rest = line.split(" ", 4)
        return dns.rrset.from_text(owner, int(ttl), "IN", kind, rest)
