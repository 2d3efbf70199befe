"""The engine's table of connections, tried on a running server: each row whole, and cut in two."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator, Sequence

import pytest
from support.client import Answer, Connection
from support.server import Server
from support.trees import pack_files
from support.wire_cases import WireCase, wire_cases

pytestmark = pytest.mark.e2e

CASES = wire_cases()
CASES_MIN = 150
CUTS = 3
#: Behind what is refused: a fault in a head that has not ended may be seen only when the end comes,
#: and no end can make it good.
END = b"\r\n\r\n"
#: What a request of the table may be answered with: the files are not what it is about.
ORDINARY = {200, 204, 308, 404, 405}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("cases")
    tar = pack_files({"index.html": b"<!doctype html><title>root</title>"}, place / "site.tar")
    arguments = ("--addr", "127.0.0.1:0", "--disable-request-logging", tar)
    with Server(*arguments, place=place) as running:
        yield running


def answers(server: Server, case: WireCase, parts: Sequence[bytes]) -> list[Answer]:
    """Send the parts, say that no more will come, and take apart all that comes back."""
    with server.connect_plain() as connection:
        connection.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.send(part)
        if case.refusal is not None:
            connection.send(END)
        connection.peer.shutdown(socket.SHUT_WR)
        received = connection.read_to_end()
        whole = Connection(connection.peer)
        whole.pending = received
        method = "HEAD" if case.sent.startswith(b"HEAD ") else "GET"
        found = []
        while whole.pending:
            found.append(whole.read_answer(method))
        return found


def fault(case: WireCase, found: list[Answer]) -> str:
    """What is wrong with these answers, or nothing."""
    statuses = [each.status for each in found]
    ordinary, refusals = statuses[: case.answered], statuses[case.answered :]
    if len(ordinary) < case.answered or not set(ordinary) <= ORDINARY:
        return f"{statuses} where {case.answered} requests were to be answered"
    # A fault in a body ends the connection after the answer to its request, which was sent already.
    wanted = [] if case.refusal is None else [case.refusal]
    if refusals != wanted and not (case.answered and wanted and not refusals):
        return f"{statuses} where {wanted} was to come last"
    if wanted and found[-1].fields.get("connection") != "close" and refusals:
        return f"{statuses} without `Connection: close`"
    return ""


def test_a_server_gives_every_row_its_verdict(server: Server) -> None:
    assert len(CASES) >= CASES_MIN
    chance = random.Random(1)
    wrong, tried = [], 0
    for case in CASES:
        cuts = chance.sample(range(1, len(case.sent)), min(CUTS, len(case.sent) - 1))
        for parts in ((case.sent,), *((case.sent[:at], case.sent[at:]) for at in cuts)):
            tried += 1
            if text := fault(case, answers(server, case, parts)):
                wrong.append(f"cases.tsv:{case.line}, {[len(each) for each in parts]}: {text}")
    print(f"{len(CASES)} wire cases, {tried} connections")
    assert not wrong, "\n".join(wrong)
