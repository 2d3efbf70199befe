"""Finding: one thing that a check has to tell."""

from dataclasses import dataclass

WARNINGS = frozenset(
    {"certificate-unused", "coded-form-unchecked", "member-duplicate", "scripts-unchecked"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `code` is a key of `zeroserve.errors.EXPLANATIONS`."""

    code: str
    text: str
    hint: str | None

    @property
    def is_error(self) -> bool:
        """Whether a start would refuse it; otherwise it would only warn."""
        return self.code not in WARNINGS
