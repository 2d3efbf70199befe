"""Scripts on a real server: they answer, they change requests, and they can hurt nobody."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import request
from support.load import Load, Target, versioned
from support.polling import wait_until
from support.process import run
from support.scripted import compile_script, scripted_tar
from support.server import Server
from support.trees import foreign_tar

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("load")]

SITE = """
static char path[256];

ZS_ENTRY zs_u64 entry(void) {
  zs_req_path(path, sizeof path);
  zs_meta_set(ZS_STR("visitor"), ZS_STR("<you>"));
  zs_meta_set(ZS_STR("zs.response.header.X-Script"), ZS_STR("first"));
  if (zs_strcmp(path, "/hello") == 0) zs_respond(200, ZS_STR("hello\\n"));
  if (zs_strcmp(path, "/old") == 0) zs_req_set_header(ZS_STR("If-None-Match"), ZS_STR("*"));
  if (zs_strcmp(path, "/fail") == 0) zs_meta_set("", 0, "", 0);
  if (zs_strcmp(path, "/spin") == 0) for (volatile zs_u64 i = 0;; i++) {}
  if (zs_strcmp(path, "/body") == 0) {
    zs_s64 body = zs_req_body_json();
    if (body < 0) zs_respond(400, ZS_STR("no JSON\\n"));
    else zs_json_respond(200, body);
  }
  return 0;
}
"""
SECOND = """
ZS_ENTRY zs_u64 entry(void) {
  zs_meta_set(ZS_STR("zs.response.header.X-Second"), ZS_STR("ran"));
  return 0;
}
"""
PAGES = {
    "index.html": b"<p><zs-meta>visitor</zs-meta>|<zs-meta raw>visitor</zs-meta></p>\n",
    "plain.txt": b"plain\n",
    "old": b"old\n",
}
SPINNERS = 100


@pytest.fixture(scope="module")
def tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scripts")
    return scripted_tar(place / "site.tar", {"10-site": SITE, "20-second": SECOND}, PAGES)


@pytest.fixture
def server(tmp_path: Path, certificate: Certificate, tar: Path) -> Iterator[Server]:
    with Server(tar, place=tmp_path, certificate=certificate) as running:
        yield running


def post(path: str, body: bytes, *, chunked: bool = False, expect: bool = False) -> bytes:
    fields = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    if expect:
        fields["Expect"] = "100-continue"
    head = request(path, method="POST", fields=fields)
    if not chunked:
        return head + body
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    chunks = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces]
    return head + b"".join(chunks) + b"0\r\n\r\n"


def test_scripts_answer_change_and_decorate_requests(server: Server) -> None:
    with server.connect() as client:
        hello = client.ask("/hello")
        assert (hello.status, hello.body) == (200, b"hello\n")
        assert hello["content-type"] == "text/plain; charset=utf-8"
        assert hello["x-script"] == "first"
        assert "x-second" not in hello.fields, "the chain went on behind an answer"
        page = client.ask("/")
        assert page.body == b"<p>&lt;you&gt;|<you></p>\n"
        assert "etag" not in page.fields
        plain = client.ask("/plain.txt")
        assert plain.body == b"plain\n"
        assert plain["x-second"] == "ran"
        again = client.ask("/plain.txt", fields={"If-None-Match": plain["etag"]})
        assert (again.status, again["x-script"]) == (304, "first")
        assert client.ask("/old").status == 304, "the changed request was not looked at"
        missing = client.ask("/missing")
        assert (missing.status, missing["x-script"]) == (404, "first")
        head = client.ask("/hello", method="HEAD")
        assert (head.status, head["content-length"], head.body) == (200, "6", b"")


def test_a_failing_script_takes_its_own_request_along_and_says_where(server: Server) -> None:
    with server.connect() as client:
        failed = client.ask("/fail")
        assert (failed.status, failed.body) == (500, b"")
        assert failed["x-script"] == "first"
        assert client.ask("/hello").status == 200
    server.program.wait_said("helper `zs_meta_set`: an empty key", 10)
    assert "script `10-site.o`, function `entry` (10-site.c:" in server.said


def test_a_script_reads_bodies_however_they_come(server: Server) -> None:
    value = {"b": [1, 2, {"c": "\u00e9"}], "a": None}
    text = json.dumps(value).encode()
    with server.connect() as client:
        for chunked in (False, True):
            client.send(post("/body", text, chunked=chunked) + request("/hello"))
            assert json.loads(client.read_answer().body) == value
            assert client.read_answer().body == b"hello\n", "the next request was lost"
        for byte in post("/body", text):
            client.send(bytes([byte]))
        assert json.loads(client.read_answer().body) == value
        head, _, body = post("/body", text, expect=True).partition(b"\r\n\r\n")
        client.send(head + b"\r\n\r\n")
        assert client.read_head().status == 100
        client.send(body)
        assert json.loads(client.read_answer().body) == value
        client.send(post("/body", b"{"))
        assert client.read_answer().status == 400
    with server.connect() as client:
        client.send(post("/body", b"1" * (300 << 10)))
        assert client.read_answer().status == 400


def test_http2_bodies_reach_scripts(server: Server, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    assert curl is not None
    value = {"a": ["x" * 1000] * 100}
    body = tmp_path / "body.json"
    body.write_text(json.dumps(value))
    assert server.certificate is not None
    told = run(
        [
            *(curl, "-s", "--http2", "--cacert", server.certificate.cert),
            *("-w", "\n%{http_version}", "--data-binary", f"@{body}", f"{server.url}/body"),
        ],
        timeout_s=60,
    )
    assert told.code == 0, told.stderr
    answer, _, version = told.text.rpartition("\n")
    assert version == "2"
    assert json.loads(answer) == value


def test_a_hundred_endless_scripts_keep_nobody_from_being_served(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        spinners = [stack.enter_context(server.connect()) for _ in range(SPINNERS)]
        for spinner in spinners:
            spinner.send(request("/spin"))
        wait_until(lambda: stats(server)["connections_open"] >= SPINNERS, timeout_s=30)
        with server.connect() as client:
            slowest = 0.0
            for _ in range(50):
                began = time.monotonic()
                assert client.ask("/hello").status == 200
                slowest = max(slowest, time.monotonic() - began)
        print(f"slowest answer beside {SPINNERS} endless scripts: {slowest * 1000:.0f} ms")
        assert slowest < 10
    # Each ends when its client has left.
    wait_until(lambda: stats(server)["connections_open"] <= 1, timeout_s=60)
    before = cpu_seconds(server)
    with server.connect() as client:
        assert client.ask("/hello").status == 200
    time_left = cpu_seconds(server) - before
    assert time_left < 1, "something still spins"


def wait_answers(load: Load, more: int) -> None:
    """Wait until so many more requests are answered, or a client has given up."""
    goal = load.answered.value + more
    wait_until(lambda: load.answered.value >= goal or not load.running(), timeout_s=60)


def stats(server: Server) -> dict[str, float]:
    """The metrics, by name without labels."""
    out: dict[str, float] = {}
    for line in server.control.metrics().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            out[name.partition("{")[0].removeprefix("zeroserve_")] = float(value)
    return out


def cpu_seconds(server: Server) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_a_broken_script_stops_a_start_and_not_a_reload(
    tmp_path: Path, certificate: Certificate, tar: Path
) -> None:
    place = tmp_path / "broken"
    place.mkdir()
    unknown = (
        "extern zs_s64 zs_nothing(void);\nZS_ENTRY zs_u64 entry(void) { return zs_nothing(); }"
    )
    objects = {
        "unknown helper `zs_nothing`": compile_script(unknown, place),
        "not an eBPF object": b"\x7fELF nonsense",
    }
    site = tmp_path / "site.tar"
    for reason, data in objects.items():
        foreign_tar(site, [(".zeroserve/scripts/bad.o", data), ("index.html", b"x")])
        refused = Server(site, place=tmp_path / "refused", certificate=certificate, wait=False)
        assert refused.program.wait(60) == 1
        assert "bad.o" in refused.said
        assert reason in refused.said
    shutil.copyfile(tar, site)
    with Server(site, place=tmp_path / "good", certificate=certificate) as server:
        foreign_tar(site, [(".zeroserve/scripts/bad.o", b"nonsense"), ("index.html", b"x")])
        assert not server.control.reload(None).ok
        with server.connect() as client:
            assert client.ask("/hello").body == b"hello\n"


VERSIONED = """
static const char number[] = "%015d\\n";

ZS_ENTRY zs_u64 entry(void) {
  char path[64];
  char body[176];
  zs_req_path(path, sizeof path);
  if (zs_strcmp(path, "/scripted") != 0) return 0;
  for (int at = 0; at < 176; at += 16) zs_memcpy(body + at, number, 16);
  zs_respond(200, body, 176);
  return 0;
}
"""


def test_reloads_under_load_swap_site_and_scripts_together(
    tmp_path: Path, certificate: Certificate
) -> None:
    sizes = {"/scripted": 176, "/index.html": 176}
    site = tmp_path / "site.tar"

    def publish(number: int) -> None:
        part = scripted_tar(
            tmp_path / "part.tar",
            {"versioned": VERSIONED % number},
            {"index.html": versioned(number, 176)},
        )
        part.replace(site)

    publish(0)
    with Server(site, place=tmp_path, certificate=certificate) as server:
        with Load(Target(server.address(), certificate, sizes), clients=2) as load:
            for number in range(1, 16):
                load.newest.value = number
                publish(number)
                assert server.control.reload(None).ok
                load.acknowledged.value = number
                wait_answers(load, 100)
            outcomes = load.stop()
        assert [outcome.failure for outcome in outcomes] == ["", ""]
        assert sum(outcome.requests for outcome in outcomes) >= 1500
        with server.connect() as client:
            assert client.ask("/scripted").body == versioned(15, 176)


LIMITED = """
ZS_ENTRY zs_u64 entry(void) {
  zs_s64 over = zs_rate_limit(ZS_STR("client"), 0, 0, 3);
  zs_respond(over ? 429 : 200, ZS_STR("%s\\n"));
  return 0;
}
"""


def test_a_reload_keeps_the_levels_of_buckets(tmp_path: Path, certificate: Certificate) -> None:
    site = tmp_path / "site.tar"
    scripted_tar(site, {"limited": LIMITED % "old"}, PAGES)
    with Server(site, place=tmp_path, certificate=certificate) as server:
        with server.connect() as client:
            assert [client.ask("/").status for _ in range(2)] == [200, 200]
        part = scripted_tar(tmp_path / "part.tar", {"limited": LIMITED % "new"}, PAGES)
        part.replace(site)
        assert server.control.reload(None).ok
        # One of three was left, and twenty minutes make another.
        with server.connect() as client:
            answers = [client.ask("/") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 429, 429]
        assert {answer.body for answer in answers} == {b"new\n"}, "the old script answered"
