"""Recovery: from whatever a crash left to a state a command can start from.

`settle` runs at the start of every request that changes something, with the daemon up; `recover`
runs before the daemon starts (boot, or a supervisor's restart). A deployment nobody confirmed
goes back; a committed one stays.
"""

from __future__ import annotations

from zsops.errors import UnsafeHost
from zsops.frozen import frozen, replace
from zsops.host import journal, store
from zsops.host.effects import BootId, ListDir, Now, Steps, do, remove_tree
from zsops.host.journal import State
from zsops.host.layout import InstancePaths, release_number
from zsops.host.messages import Phase
from zsops.host.revert import revert, revert_offline


@frozen
class Settled:
    """`note` says what had to be done, for people."""

    state: State
    note: str | None = None


def overdue(state: State, now: float, boot_id: str) -> str | None:
    """Why an unconfirmed deployment has to go back, or None while it may still be confirmed."""
    if not state.phase.in_flight:
        return None
    if state.phase is Phase.REVERTING:
        return state.detail or "a revert was cut off"
    if state.boot_id != boot_id:
        return "the host restarted before the confirmation"
    if state.deadline is None or now >= state.deadline:
        return "not confirmed by the deadline"
    return None


def settle(paths: InstancePaths, token: int | None) -> Steps[Settled]:
    """Finish what is due. `token`: of the lease that asks; an older lease's deployment goes back,
    since nobody can confirm it any more.
    """
    state = yield from journal.read(paths)
    yield from journal.catch_up(paths, state)
    if state.phase is Phase.COMMITTED:
        return Settled((yield from finish_commit(paths, state)))
    reason = overdue(state, (yield from do(Now())), (yield from do(BootId())))
    if reason is None and token is not None and state.phase.in_flight and token != state.token:
        reason = "its operator's lease ended before the confirmation"
    if reason is not None:
        left = state.next
        done = yield from revert(paths, state, reason, state.quarantine)
        return Settled(done.state, f"reverted {left} to {done.event.serving}: {reason}")
    if not state.phase.in_flight:
        return (yield from _mend(paths, state))
    return Settled(state)


def recover(paths: InstancePaths) -> Steps[Settled | None]:
    """Make the instance whole while its daemon is down; None when it is not installed."""
    state = yield from journal.peek(paths)
    if state is None:
        return None
    yield from journal.catch_up(paths, state)
    settled = Settled(state)
    if state.phase is Phase.COMMITTED:
        yield from store.switch(paths, state.next or state.prev, paths.next_link)
        settled = Settled((yield from finish_commit(paths, state)))
    else:
        reason = overdue(state, (yield from do(Now())), (yield from do(BootId())))
        if reason is not None:
            after = yield from revert_offline(paths, state, reason)
            settled = Settled(after, f"reverted {state.next} to {after.prev}: {reason}")
        elif not state.phase.in_flight:
            settled = yield from _mend(paths, state)
    yield from _sweep(paths, settled.state)
    return settled


def finish_commit(paths: InstancePaths, state: State) -> Steps[State]:
    """DONE: the committed release is the one in service; nothing is in flight."""
    serving = state.next or state.prev
    idle = replace(
        state, phase=Phase.IDLE, prev=serving, next=None, deadline=None, event="done", detail=""
    )
    return (yield from journal.transition(paths, idle))


def _mend(paths: InstancePaths, state: State) -> Steps[Settled]:
    """With nothing in flight `current` must lead to a whole release.

    One that leads to another whole release was moved by somebody: that is drift, shown and kept.
    """
    linked = yield from store.linked(paths, paths.current)
    if linked is not None and (linked == state.prev or (yield from _whole(paths, linked))):
        return Settled(state)
    for release in dict.fromkeys((state.prev, state.last_good)):
        if (yield from _whole(paths, release)):
            yield from store.switch(paths, release, f"{paths.current}.tmp")
            return Settled(state, f"`current` led nowhere; it is {release} again")
    raise UnsafeHost(
        f"neither {state.prev} nor {state.last_good} of `{paths.name}` is whole on disk",
        hint="deploy again after freeing or repairing the disk",
    )


def _whole(paths: InstancePaths, release: str) -> Steps[bool]:
    return (yield from store.is_complete(paths, release))


def _sweep(paths: InstancePaths, state: State) -> Steps[None]:
    """Remove half-made releases: those under a working name, and those without a journal entry."""
    for name in (yield from do(ListDir(paths.releases))):
        half_made = name.startswith((".new-", ".old-"))
        if half_made or release_number(name) > state.serial:
            yield from remove_tree(f"{paths.releases}/{name}")
    for name in (yield from do(ListDir(paths.home))):
        if name.endswith(".tmp"):
            yield from remove_tree(f"{paths.home}/{name}")
