"""A long run, by hand: mixed load while the site and the certificate are replaced all the time.

Run by `make soak`. `SOAK_MINUTES` (30) is how long, `SOAK_SEED` (0) decides the visitors' order.
Prints memory and descriptors once a minute. Ends with 1 when an answer was wrong, when memory grew
past its plateau, or when descriptors were left open.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from soak.visitors import SIZES, Place, Shared, start
from support.certs import Certificate
from support.load import versioned
from support.polling import wait_until
from support.procfs import descriptors, pss_kb, rss_kb
from support.server import Server
from support.trees import pack_tree, write_tree

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
SEED = int(os.environ.get("SOAK_SEED", "0"))
PROCESSES = 2
LOOPS = 2
#: Buffers, caches and the allocator have what they want by then; a shorter run has half its time.
SETTLE_MINUTES = min(3.0, MINUTES / 2)
GROWTH_KB_MAX = 4 << 10
LOOK_S = 1.0
#: Of so many reloads one gets a tar that is cut short, one a key of another certificate, and the
#: certificate is changed after so many.
BROKEN_TAR_EVERY, BROKEN_KEY_EVERY, OTHER_CERTIFICATE_EVERY = 5, 7, 3


class Stage:
    """The files that the server is given, replaced again and again."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.tar = place / "site.tar"
        self.pairs = [Certificate.make(place / f"certificate{number}") for number in range(2)]
        self.live = Certificate(place / "cert.pem", place / "key.pem")
        self.trusted = place / "trusted.pem"
        self.trusted.write_bytes(b"".join(each.cert.read_bytes() for each in self.pairs))
        self.use(0, 0)

    def use(self, cert: int, key: int) -> None:
        """Put a certificate and a key in place, which should belong together."""
        for source, target in (
            (self.pairs[cert].cert, self.live.cert),
            (self.pairs[key].key, self.live.key),
        ):
            part = target.with_suffix(".part")
            part.touch(0o600)
            part.write_bytes(source.read_bytes())
            part.replace(target)

    def publish(self, number: int) -> None:
        """A site of this version; every second one has one more file."""
        tree = self.place / f"tree{number % 2}"
        files = {
            (path[1:] + "index.html" if path.endswith("/") else path[1:]): versioned(number, size)
            for path, size in SIZES.items()
        }
        write_tree(tree, {**files, **({"odd.txt": b"odd"} if number % 2 else {})})
        pack_tree(tree, self.tar)

    def cut_short(self) -> None:
        """A tar that ends in the middle."""
        part = self.tar.with_suffix(".cut")
        part.write_bytes(self.tar.read_bytes()[: 1 << 20])
        part.replace(self.tar)


class Reloads:
    """Replaces site and certificate, and sees to it that what is broken is refused."""

    def __init__(self, server: Server, stage: Stage, shared: Shared) -> None:
        self.server, self.stage, self.shared = server, stage, shared
        self.numbers = itertools.count(1)
        self.done = Counter[str]()

    def one(self) -> None:
        """One good reload, and before some of them one that must fail."""
        turn = next(self.numbers)
        pair = turn // OTHER_CERTIFICATE_EVERY % 2
        if turn % BROKEN_TAR_EVERY == 0:
            self.stage.cut_short()
            self.refused("tar")
        self.shared.newest.value = turn
        self.stage.publish(turn)
        if turn % BROKEN_KEY_EVERY == 0:
            self.stage.use(pair, 1 - pair)
            self.refused("key")
        self.stage.use(pair, pair)
        answer = self.server.control.reload(None)
        assert answer.ok, answer.error
        self.shared.acknowledged.value = turn
        self.done["good"] += 1

    def refused(self, what: str) -> None:
        """This reload must fail, with a reason."""
        answer = self.server.control.reload(None)
        assert not answer.ok, f"a broken {what} was taken"
        assert answer.error
        self.done[f"broken {what}"] += 1


class Watch:
    """Memory and descriptors over time."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.begun = time.monotonic()
        self.plateau_kb = 0
        self.highest_kb = 0
        self.minute = 0
        self.minute_kb = 0

    @property
    def minutes(self) -> float:
        """Since the start."""
        return (time.monotonic() - self.begun) / 60

    def look(self, done: Counter[str]) -> None:
        """Note memory; print once a minute."""
        now = rss_kb(self.pid)
        self.minute_kb = max(self.minute_kb, now)
        if self.minutes < SETTLE_MINUTES:
            self.plateau_kb = max(self.plateau_kb, now)
        else:
            self.highest_kb = max(self.highest_kb, now)
        if self.minutes >= self.minute + 1:
            self.minute += 1
            print(
                f"minute {self.minute}: RSS {now} KiB (at most {self.minute_kb}), "
                f"PSS {pss_kb(self.pid)} KiB, {len(descriptors(self.pid))} descriptors, "
                f"reloads {dict(done)}",
                flush=True,
            )
            self.minute_kb = 0

    def verdict(self) -> str:
        """Empty when memory has stayed where it was."""
        grown = self.highest_kb - self.plateau_kb
        print(f"RSS after {SETTLE_MINUTES:g} minutes {self.plateau_kb} KiB, then {grown:+} KiB")
        return f"memory grew by {grown} KiB past its plateau" if grown > GROWTH_KB_MAX else ""


def kinds(pid: int) -> Counter[str]:
    """Open descriptors by what they are."""
    return Counter(target.split(":")[0] for target in descriptors(pid).values())


def rotate(server: Server, log: Path) -> None:
    """Take the request log away and let the server begin another."""
    log.rename(log.with_suffix(".old"))
    server.program.send(signal.SIGUSR1)
    wait_until(log.exists, what="a new request log")


def run(place: Path) -> str:
    """The whole run; returns what went wrong, or nothing."""
    stage, shared = Stage(place), Shared()
    stage.publish(0)
    log = place / "access.log"
    options = ("--threads", str(LOOPS), "--addr", "127.0.0.1:0", "--access-log", log)
    with Server(*options, stage.tar, place=place / "run", certificate=stage.live) as server:
        with server.connect_plain() as connection:
            assert connection.ask("/index.html").status == 200
        at_rest = kinds(server.pid)
        where = Place(server.address("https"), server.address("http"), stage.trusted)
        visitors = [start(where, shared, SEED * 100 + n) for n in range(PROCESSES)]
        reloads, watch = Reloads(server, stage, shared), Watch(server.pid)
        rotated = 0
        next_look = 0.0
        while watch.minutes < MINUTES and all(each.is_alive() for each in visitors):
            reloads.one()
            if time.monotonic() >= next_look:
                watch.look(reloads.done)
                next_look = time.monotonic() + LOOK_S
            if watch.minute > rotated:
                rotated = watch.minute
                rotate(server, log)
        shared.stop.set()
        outcomes = [shared.outcomes.get(timeout=120) for _ in visitors]
        for each in visitors:
            each.join(30)
        faults = [failure for _, failure in outcomes if failure]
        counts = sum((count for count, _ in outcomes), Counter[str]())
        print(f"visits {dict(counts)}, reloads {dict(reloads.done)}")
        faults.append(watch.verdict())
        try:
            wait_until(
                lambda: kinds(server.pid) <= at_rest,
                timeout_s=90,
                what="the end of all connections",
                state=lambda: f"{kinds(server.pid)}, at rest {at_rest}",
            )
        except AssertionError as error:
            faults.append(str(error))
    return "\n".join(filter(None, faults))


def main() -> int:
    """Returns 0, or 1 when something was wrong."""
    print(f"{MINUTES:g} minutes, seed {SEED}, {PROCESSES} processes of visitors, {LOOPS} loops")
    with tempfile.TemporaryDirectory(prefix="zeroserve-soak-") as directory:
        wrong = run(Path(directory))
    print(wrong or "nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
