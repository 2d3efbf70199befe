"""A plan for eyes. Every line says what happens to whom; long lists are cut and say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from zsops.plan.model import FileChange, GoneUrl, InstancePlan, Plan, SecretsPlan
from zsops.report.quantities import days_left_text, short_digest, size_text

_MARKS = {"added": "+", "changed": "~", "removed": "-"}
_LINES_MAX = 20


def plan_text(plan: Plan, *, full: bool = False) -> str:
    """The plan as lines; `full` lists every file."""
    lines = [f"plan {plan.id}  {plan.environment} of {plan.project}"]
    for each in plan.instances:
        lines += _instance(each, datetime.fromisoformat(plan.created), full=full)
    for host in plan.unreachable:
        lines.append(f"  {host.host}  not reached: {host.reason}")
    switches = sum(each.switches for each in plan.instances)
    idle = sum(each.is_no_op for each in plan.instances)
    daemons = sum(not each.switches and not each.is_no_op for each in plan.instances)
    parts = [f"{switches} to switch"]
    if daemons:
        parts.append(f"{daemons} with its daemon only")
    parts.append(f"{idle} with nothing to do")
    if plan.unreachable:
        parts.append(f"{len(plan.unreachable)} not reached")
    lines.append(f"plan: {', '.join(parts)}")
    return "\n".join(lines)


def _instance(plan: InstancePlan, now: datetime, *, full: bool) -> list[str]:
    head = f"  {plan.instance} on {plan.host}  site {plan.site}  "
    if plan.is_no_op:
        serving = f"{plan.old_release}, {plan.files} files, {size_text(plan.size)}"
        return [f"{head}nothing to do: serves {serving}  {plan.url}"]
    old = short_digest(plan.old_site_digest) if plan.old_release else "nothing"
    lines = [
        f"{head}{old} -> {short_digest(plan.new_site_digest)}  "
        f"{plan.files} files, {size_text(plan.size)}"
    ]
    for each in plan.sites:
        if plan.only_site not in (None, each.site):
            lines.append(f"    site {each.site}  {short_digest(each.old_digest)}  stays as it is")
            continue
        same = each.old_digest == each.new_digest
        said = "the same" if same else f"{each.changed} files differ"
        digests = f"{short_digest(each.old_digest)} -> {short_digest(each.new_digest)}"
        lines.append(f"    site {each.site}  {digests}  {said}")
    shown = plan.changes if full else plan.changes[:_LINES_MAX]
    lines += [f"    {change_text(each, unread=plan.unread_pages)}" for each in shown]
    if len(shown) < len(plan.changes):
        hidden = plan.changes[len(shown) :]
        lines.append(f"    … and {len(hidden)} more{_hidden(hidden)} (`--full` lists them)")
    if plan.unread_pages:
        pages = _count(plan.unread_pages, "page")
        lines.append(f"    links not looked at in {pages}: too large, or too many")
    lines += _secrets(plan.secrets, now)
    if plan.switches:
        lines.append(f"    upload about {size_text(plan.upload)} of {size_text(plan.size)}")
    if plan.new_version is not None:
        old = plan.old_version or "none"
        lines.append(
            f"    daemon: {old} -> {plan.new_version}, side by side; no connection dropped"
        )
    if plan.daemon != "none":
        lines.append(f"    daemon: {plan.daemon_note}")
    lines += [f"    warning: {each}" for each in plan.warnings]
    lines.append(f"    {plan.url}")
    return lines


def _secrets(plan: SecretsPlan, now: datetime) -> list[str]:
    """`tls acme_org: acme.org  12 d -> 89 d left`; nothing when nothing changes."""
    if not plan.changes or (plan.name is None and plan.old_not_after is None):
        return []
    old, new = (days_left_text(each, now) for each in (plan.old_not_after, plan.new_not_after))
    if plan.name is None:
        return [f"    tls: {old} -> a certificate of the host's own"]
    names = f" {', '.join(plan.names)}" if plan.names else ""
    lines = [f"    tls {plan.name}:{names}  {old} -> {new} left"]
    for each in plan.further:
        old, new = (days_left_text(one, now) for one in (each.old_not_after, each.new_not_after))
        names = f" {', '.join(each.names)}" if each.names else ""
        lines.append(f"    tls {each.name}:{names}  {old} -> {new} left")
    return lines


def change_text(change: FileChange, *, unread: int = 0) -> str:
    """`~ index.html  8.1 KB -> 8.3 KB`, and what it means. `unread`: pages not looked at."""
    sizes = [size_text(each) for each in (change.old_size, change.new_size) if each is not None]
    line = f"{_MARKS[change.kind]} {change.path}  {' -> '.join(sizes)}"
    if change.script:
        return f"{line}  (scripts change)"
    return line if change.gone is None else f"{line}  ({_gone(change.gone, unread)})"


def _gone(gone: GoneUrl, unread: int) -> str:
    """`URL disappears; 2 internal links still point there`."""
    if gone.links is None:
        return "URL disappears"
    if not gone.links:
        found = "no internal link points there" if not unread else "no internal link was found"
    else:
        least = "at least " if unread else ""
        verb = "points" if gone.links == 1 else "point"
        found = f"{least}{_count(gone.links, 'internal link')} still {verb} there"
    return f"URL disappears; {found}"


def _hidden(changes: Sequence[FileChange]) -> str:
    """What is worth a word of lines that are not shown."""
    lost = [each.gone for each in changes if each.gone is not None]
    linked = sum(1 for each in lost if each.links)
    parts = []
    if any(each.script for each in changes):
        parts.append("scripts change")
    if lost:
        verb = "disappears" if len(lost) == 1 else "disappear"
        aimed = f", links point to {linked} of them" if linked else ""
        parts.append(f"{_count(len(lost), 'URL')} {verb}{aimed}")
    return f", {'; '.join(parts)}" if parts else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
