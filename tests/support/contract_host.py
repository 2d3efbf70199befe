"""A host of the contract tests: its transport, and how its time passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from support.polling import wait_until
from zsops.host import messages as m
from zsops.transport.base import Transport


@dataclass
class ContractHost:
    """A host with an installed instance, and how its time passes."""

    transport: Transport
    let_time_pass: Callable[[], None]

    def wait_for_phase(self, phase: m.Phase) -> None:
        """Until the instance rests in `phase`, within the deadlines the test has set."""

        def there() -> bool:
            self.let_time_pass()
            with self.transport.connect() as session:
                return session.observe("web").phase is phase

        wait_until(there, what=f"phase {phase}", timeout_s=60)
