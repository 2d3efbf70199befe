"""Sizes, spans of time and digests as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime


def size_text(size: int) -> str:
    """Bytes with one decimal above a kilobyte (1 KB = 1000 B, as disks and networks count)."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for unit in ("KB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95 or unit == "GB":
            return f"{amount:.1f} {unit}"
    raise AssertionError(size)


def duration_text(milliseconds: int) -> str:
    """`12 ms`, `1.9 s`, `3 min 5 s`."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(milliseconds // 1000, 60)
    return f"{minutes} min {seconds} s"


def age_text(moment: str, now: datetime | None = None) -> str:
    """Age of an RFC 3339 moment in its largest unit; the text itself when it is none."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    seconds = int(((now or datetime.now(UTC)) - then).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} s"


def days_left(moment: str, now: datetime | None = None) -> int:
    """Whole days until an RFC 3339 moment; negative when it has passed."""
    return (datetime.fromisoformat(moment) - (now or datetime.now(UTC))).days


def days_left_text(moment: str | None, now: datetime | None = None) -> str:
    """`89 d`; `?` for a moment that is not known."""
    return "?" if moment is None else f"{days_left(moment, now)} d"


def short_digest(digest: str | None) -> str:
    """First 4 hex digits, as release names carry them; `-` for none."""
    return digest.removeprefix("sha256:")[:4] if digest else "-"
