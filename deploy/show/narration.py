"""What a spectator reads: numbered steps with their time, facts, and checks that hold or don't."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from show.stage import Stage


class Narrator:
    """Prints the show and counts the checks that failed."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True, emoji=False)
        self._started = time.monotonic()
        self._steps = 0
        self.failures = 0
        self.checks = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One act. Its time is printed when it ends well."""
        self._steps += 1
        self._console.print(f"\n[bold]{self._steps}  {escape(title)}[/bold]")
        begun = time.monotonic()
        yield
        self._console.print(f"   [dim]{time.monotonic() - begun:.2f} s[/dim]")

    def command(self, *words: str) -> None:
        """A command line that a spectator could type."""
        self._console.print(f"   [cyan]$ {escape(' '.join(words))}[/cyan]")

    def say(self, text: str) -> None:
        """A fact."""
        for line in text.splitlines():
            self._console.print(f"   {escape(line)}")

    def output(self, text: str, last: int = 12) -> None:
        """What a program said: its last lines."""
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        for line in lines[-last:]:
            self._console.print(f"   [dim]│[/dim] {escape(line)}")

    def check(self, *, good: bool, text: str) -> None:
        """Something that must hold."""
        self.checks += 1
        self.failures += not good
        mark = "[green]✔[/green]" if good else "[bold red]✘[/bold red]"
        first, *rest = text.splitlines() or [""]
        self._console.print(f"   {mark} {escape(first)}")
        self.output("\n".join(rest))

    def kept(self, stage: Stage) -> None:
        """How to look at what `--keep` left, and how to end it."""
        pids = " ".join(str(pid) for pid in stage.pids())
        self._console.print("\n[bold]Left running[/bold]")
        self.say(f"open   https://127.0.0.1:{stage.port}/   (certificate: {stage.certificate})")
        self.say(f"stop   kill {pids}; rm -r {stage.root}")

    def verdict(self) -> None:
        """The last line."""
        took = time.monotonic() - self._started
        if self.failures:
            text = f"[bold red]{self.failures} of {self.checks} checks failed[/bold red]"
        else:
            text = f"[bold green]all {self.checks} checks held[/bold green]"
        self._console.print(f"\n{text} [dim]in {took:.1f} s[/dim]")
