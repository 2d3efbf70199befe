"""The acts, in order. Each shows one thing and checks that it is so."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from show import client
from show.narration import Narrator
from show.process import Server, rings, run
from show.stage import CHECKOUT, PAGES, Stage, build_pages
from show.traffic import Traffic

CHANGED, UNCHANGED = "/getting-started/", "/_static/styles/furo.css"
_NEWS = b"<p>This line was deployed while requests were running.</p>"


def pack(stage: Stage, narrator: Narrator) -> None:
    """The manual becomes one tar, twice, and both are the same bytes."""
    build_pages()
    again = stage.root / "again.tar"
    narrator.command("zeroserve pack sites/docs -o site.tar")
    begun = time.monotonic()
    run(["zeroserve", "pack", str(PAGES), "-o", str(stage.tar)], cwd=CHECKOUT)
    took_ms = (time.monotonic() - begun) * 1000
    run(["zeroserve", "pack", str(PAGES), "-o", str(again)], cwd=CHECKOUT)
    digest = _sha256(stage.tar)
    files = len(_files(PAGES))
    narrator.say(f"{files} files → {stage.tar.stat().st_size:,} bytes in {took_ms:.0f} ms")
    narrator.check(good=digest == _sha256(again), text=f"packed twice, one digest {digest[:16]}…")
    run(["zeroserve", "check", str(stage.tar)], cwd=CHECKOUT)


def serve(stage: Stage, narrator: Narrator) -> None:
    """The server starts on a free port and does its I/O through io_uring."""
    words = ["zeroserve", "--tls-addr", "127.0.0.1:0", "--dev-cert", "--log-format", "off"]
    narrator.command(*words, "site.tar")
    stage.server = Server([*words, str(stage.tar)], stage.root / "server.log")
    stage.server.wait_line("listening on https://")
    narrator.output(stage.server.log.read_text().replace(f"{stage.root}/", ""))
    count = rings(stage.server.pid)
    narrator.check(good=count > 0, text=f"pid {stage.server.pid} has {count} io_uring open")


def fetch(stage: Stage, narrator: Narrator) -> None:
    """A real client fetches every file and compares the bytes; then the server stops."""
    assert stage.server is not None
    line = stage.server.wait_line("listening on https://")
    port = int(line.rpartition(":")[2])
    connection = client.connect(port, client.trust(client.shown_certificate(port)))
    files = _files(PAGES)
    same = [client.ask(connection, _url(each)).body == each.read_bytes() for each in files]
    narrator.check(
        good=all(same),
        text=f"{sum(same)} of {len(same)} files byte for byte over {client.protocol(connection)}",
    )
    first = client.ask(connection, "/")
    fresh = client.ask(connection, "/", headers={"If-None-Match": first.headers.get("etag", "")})
    part = client.ask(connection, "/", headers={"Range": "bytes=0-99"})
    lost = client.ask(connection, "/no-such-page")
    seen = (first.status, fresh.status, part.status, lost.status)
    narrator.check(
        good=seen == (200, 304, 206, 404) and part.body == first.body[:100],
        text=f"GET {seen[0]}, same ETag {seen[1]}, first 100 bytes {seen[2]}, missing {seen[3]}",
    )
    connection.close()
    code = stage.server.stop()
    stage.server = None
    narrator.check(good=code == 0, text=f"SIGTERM: finished and exited with {code}")


def deploy(stage: Stage, narrator: Narrator) -> None:
    """The same pages, deployed: a supervisor runs the server from now on."""
    stage.write_project()
    narrator.command("zsops deploy local")
    narrator.output(stage.zsops("deploy", "local").said)
    connection = client.connect(stage.port, stage.trust())
    body = client.ask(connection, CHANGED).body
    connection.close()
    narrator.check(
        good=body == _page(stage).read_bytes(),
        text=f"https://127.0.0.1:{stage.port}{CHANGED} is the page in the folder",
    )


def change_under_load(stage: Stage, narrator: Narrator) -> None:
    """The second release goes out while clients keep asking."""
    page = _page(stage)
    old = page.read_bytes()
    new = old.replace(b"</h1>", b"</h1>" + _NEWS, 1)
    steady = (stage.site / UNCHANGED.lstrip("/")).read_bytes()
    expected = {CHANGED: {old: "old", new: "new"}, UNCHANGED: {steady: "steady"}}
    page.write_bytes(new)
    narrator.command("zsops deploy local", "  # while 4 clients ask over kept-alive TLS")
    with Traffic(stage.port, stage.trust(), expected) as traffic:
        traffic.wait_count(200, "old")
        narrator.output(stage.zsops("deploy", "local").said, last=7)
        arrived = traffic.wait_count(200, "new")
    counts = {version: traffic.count(version) for version in ("old", "new", "steady")}
    narrator.check(
        good=not traffic.failures,
        text=f"{traffic.count():,} requests, {len(traffic.failures)} failed\n"
        + "\n".join(traffic.failures[:5]),
    )
    narrator.check(
        good=arrived and counts["old"] > 0 and new != old,
        text=f"each body whole: {counts['old']:,} old, {counts['new']:,} new, "
        f"{counts['steady']:,} of a page that did not change",
    )


def rollback(stage: Stage, narrator: Narrator) -> None:
    """The first version comes back."""
    narrator.command("zsops rollback local")
    narrator.output(stage.zsops("rollback", "local").said, last=7)
    connection = client.connect(stage.port, stage.trust())
    body = client.ask(connection, CHANGED).body
    connection.close()
    first = (PAGES / CHANGED.strip("/") / "index.html").read_bytes()
    narrator.check(good=body == first, text="the first version is served again, byte for byte")


def look_back(stage: Stage, narrator: Narrator) -> None:
    """What is served now, and how it came to that."""
    for verb in ("status", "history"):
        narrator.command(f"zsops {verb} local")
        narrator.output(stage.zsops(verb, "local").said)
    pids = stage.pids()
    narrator.check(good=len(pids) > 0, text=f"still running, detached: pids {pids}")


ALL: tuple[tuple[str, Callable[[Stage, Narrator], None]], ...] = (
    ("pack the manual", pack),
    ("serve it over HTTPS", serve),
    ("fetch it", fetch),
    ("deploy it", deploy),
    ("change it and deploy again, under load", change_under_load),
    ("roll back", rollback),
    ("look back", look_back),
)


def _files(directory: Path) -> list[Path]:
    return sorted(each for each in directory.rglob("*") if each.is_file())


def _page(stage: Stage) -> Path:
    return stage.site / CHANGED.strip("/") / "index.html"


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _url(file: Path) -> str:
    path = file.relative_to(PAGES).as_posix()
    return "/" + path.removesuffix("index.html")
