"""Visitors of every host of a project, who count what they see and every fault."""

from __future__ import annotations

import hashlib
import ssl
import threading
import urllib.error
import urllib.request
from collections import Counter

from support.fleet_project import Project
from support.sshd import Server


class Visitors:
    """Readers of every host's first page, one after the other, until they are sent away."""

    def __init__(self, project: Project) -> None:
        self.seen: Counter[str] = Counter()
        self.faults: list[str] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(project, each))
            for each in project.farm.servers
        ]

    def __enter__(self) -> Visitors:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _visit(self, project: Project, server: Server) -> None:
        # Any certificate: what is judged is that each answer is whole, and of a known release.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        url = f"https://{server.address}:{project.https}/"
        while not self._stop.wait(0.02):
            try:
                with urllib.request.urlopen(url, context=context, timeout=20) as answer:
                    self.seen[hashlib.sha256(answer.read()).hexdigest()] += 1
            except (OSError, urllib.error.URLError) as fault:
                self.faults.append(f"{server.name}: {fault}")
