"""Pattern: the paths that a rule is for. Literal segments, `:name` for one segment, `*` at the end
for the rest. Pure; means exactly what the engine's patterns mean.
"""

from dataclasses import dataclass

SPLAT = "*"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern, as its segments. Empty ones do not count, so a closing slash changes nothing."""

    segments: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What it captures; the rest behind `*` is called `splat`."""
        return tuple(
            "splat" if one == SPLAT else one[1:]
            for one in self.segments
            if one == SPLAT or one.startswith(":")
        )

    def matches(self, path: str) -> bool:
        """Whether it is for this cleaned, decoded path without its outer slashes."""
        parts = path.split("/") if path else []
        for number, segment in enumerate(self.segments):
            if segment == SPLAT:
                return True
            if number >= len(parts):
                return False
            if not segment.startswith(":") and segment != parts[number]:
                return False
        return len(parts) == len(self.segments)


def parse_pattern(text: str) -> Pattern:
    """Parse a pattern. Raises `ValueError` that says what is wrong."""
    if not text.startswith("/"):
        raise ValueError(f"`{text}` does not start with `/`")
    segments = [part for part in text.split("/") if part]
    for number, part in enumerate(segments):
        if "*" in part and (part != SPLAT or number != len(segments) - 1):
            raise ValueError(f"`{text}`: `*` may only stand alone at the end")
        if part == ":":
            raise ValueError(f"`{text}`: a placeholder without a name")
    return Pattern(tuple(segments))
