"""h2spec, the conformance suite for HTTP/2 and HPACK, over TLS and with prior knowledge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.certs import Certificate
from support.counterparts import H2SPEC, require
from support.process import run
from support.server import Server
from support.trees import HELLO, pack_tree

pytestmark = [pytest.mark.e2e, pytest.mark.conformance, pytest.mark.xdist_group("h2spec")]

CASES = 145
#: The port without TLS takes HTTP/1.1 too, so bytes that are no preface are a bad HTTP/1.1 request:
#: it gets a 400 and the connection ends, where the suite wants an end without an answer.
ANSWERED_AS_HTTP1 = {"Sends invalid connection preface"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("h2spec")
    tar = pack_tree(HELLO, place / "hello.tar")
    certificate = Certificate.make(place)
    with Server(
        "--addr", "127.0.0.1:0", "--log-format", "off", tar, place=place, certificate=certificate
    ) as running:
        yield running


def failures(server: Server, scheme: str, report: Path) -> set[str]:
    """The names of the cases that failed; all must have run."""
    host, port = server.address(scheme)
    tls = ["-t", "-k"] if scheme == "https" else []
    arguments = ["-h", host, "-p", str(port), "--timeout", "5", "-P", "/", "-j", str(report)]
    run([require(H2SPEC), *tls, *arguments], timeout_s=300)
    cases = list(ElementTree.parse(report).iter("testcase"))
    skipped = [case for case in cases if case.find("skipped") is not None]
    assert (len(cases), len(skipped)) == (CASES, 0)
    bad = [
        case for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]
    return {case.attrib["classname"] for case in bad}


def test_every_case_over_tls(server: Server, tmp_path: Path) -> None:
    assert failures(server, "https", tmp_path / "report.xml") == set()


def test_every_case_with_prior_knowledge(server: Server, tmp_path: Path) -> None:
    assert failures(server, "http", tmp_path / "report.xml") <= ANSWERED_AS_HTTP1
