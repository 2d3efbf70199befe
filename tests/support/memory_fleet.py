"""A project in a temporary directory whose hosts live in memory. The real protocol, no port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from zsops.apply.target import Target
from zsops.config.load import load_project
from zsops.fleet import Fleet
from zsops.notify.around import Around
from zsops.report.events import Event, HostEvent, SummaryEvent
from zsops.transport.memory import MemoryHost, MemoryTransport

CONFIG = """\
version: 1
project: shop
sites:
  hello: {src: site}
environments:
  local:
    instances:
      web: {listen: {https: "127.0.0.1:8443"}, site: hello}
"""


#: Several hosts, one after the other but for what a strategy says.
FLEET = """\
version: 1
project: shop
sites:
  hello: {src: site}
strategies:
  waves: {waves: [canary, 50%, 100%], batch: 1}
  whole: {waves: [canary, 100%], batch: 1, on_fail: revert_wave}
  asks: {waves: [canary, 100%], promote: manual}
environments:
  prod:
    hosts:
      web1: {addr: 192.0.2.1, groups: [canary]}
      web[2-4]: {addr: "192.0.2.{n}", groups: [rest]}
    instances:
      web: {listen: {https: "{addr}:8443"}, site: hello}
"""


@dataclass
class MemoryFleet:
    """The project's files, its hosts, and what the operator's own look finds."""

    directory: Path
    hosts: dict[str, MemoryHost] = field(default_factory=dict)
    probe: Callable[[Target], None] = lambda target: None

    def of(self, name: str) -> MemoryHost:
        """The host of that name."""
        return self.hosts.setdefault(name, MemoryHost(name))

    @property
    def host(self) -> MemoryHost:
        """The host `local`."""
        return self.of("local")

    @classmethod
    def make(cls, directory: Path, config: str = CONFIG) -> MemoryFleet:
        """A project with one page."""
        made = cls(directory)
        (directory / "zsops.yaml").write_text(config)
        made.write(**{"index.html": "<title>one</title>"})
        return made

    def write(self, **files: str | None) -> None:
        """Change the site: name to text, None removes."""
        folder = self.directory / "site"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            if text is None:
                (folder / name).unlink()
            else:
                (folder / name).write_text(text)

    def fleet(self, on: str | None = None) -> Fleet:
        """A fresh operator."""
        project = load_project(self.directory / "zsops.yaml")
        return Fleet(
            project,
            None,
            on=on,
            connect=lambda machine: MemoryTransport(self.of(machine.name)),
            probe=self._probe_now,
            skew_s_max=None,  # their clock stands in January
        )

    def _probe_now(self, target: Target) -> None:
        # Looked up late: a test may change it while a run is under way.
        self.probe(target)

    def deploy(self, strategy: str | None = None, on: str | None = None) -> Ended:
        """Deploy with a fresh operator."""
        fleet = self.fleet(on)
        return ended(fleet.deploy(strategy=fleet.strategy(strategy)))

    def rollback(self, to: str | None = None, *, with_secrets: bool = False) -> Ended:
        """Roll back with a fresh operator."""
        return ended(self.fleet().rollback(to, with_secrets=with_secrets))

    def page(self, host: str = "local") -> bytes:
        """The tarball that the daemon serves right now."""
        return self.of(host).daemon.running["web"].tar

    def digest(self, host: str) -> str:
        """Digest of the tarball that the host serves."""
        return self.of(host).daemon.running["web"].release_digest


@dataclass(frozen=True)
class Ended:
    """A run that was followed to its end."""

    exit: int
    events: tuple[Event, ...]

    @property
    def host(self) -> HostEvent:
        """How the only instance ended."""
        (found,) = [each for each in self.events if isinstance(each, HostEvent)]
        return found

    @property
    def outcomes(self) -> dict[str, str]:
        """How each host ended; the last word counts."""
        return {each.host: each.outcome for each in self.events if isinstance(each, HostEvent)}

    @property
    def summary(self) -> SummaryEvent:
        """The last event."""
        last = self.events[-1]
        assert isinstance(last, SummaryEvent)
        return last


def ended(run: Around) -> Ended:
    """Follow `run`."""
    events = tuple(run)
    return Ended(int(run.exit_code), events)
