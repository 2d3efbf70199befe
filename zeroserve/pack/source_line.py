"""Source line: where in a file somebody wrote something wrong, shown as compilers show it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from zeroserve.errors import PackRefused

SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Word:
    """A part of a line. `at` counts characters from 0."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line of a file. `number` counts from 1; `text` is without its line end."""

    file: str
    number: int
    text: str

    def words(self) -> list[Word]:
        """What stands between blanks and tabs, up to a comment."""
        found: list[Word] = []
        at = 0
        for part in self.text.replace("\t", " ").split(" "):
            if part.startswith("#"):
                break
            if part:
                found.append(Word(part, at))
            at += len(part) + 1
        return found

    def refuse(self, at: int, what: str, hint: str | None = None) -> PackRefused:
        """The error at a character: place, fault, the line, and a caret below the character."""
        start = max(0, at - SHOWN_CHARACTERS // 2) if len(self.text) > SHOWN_CHARACTERS else 0
        shown = self.text[start : start + SHOWN_CHARACTERS]
        blank = "".join("\t" if each == "\t" else " " for each in shown[: at - start])
        shown = "".join(each if each.isprintable() or each == "\t" else "?" for each in shown)
        return PackRefused(
            "rules-syntax",
            f"{self.file}:{self.number}:{at + 1}: {what}\n  {shown}\n  {blank}^",
            hint=hint,
        )


def source_lines(file: str, data: bytes) -> Iterator[SourceLine]:
    """The lines of a UTF-8 file. Raises `PackRefused` (`rules-syntax`) at a byte that is not."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, raw in enumerate(lines, start=1):
        line = raw.removesuffix(b"\r")
        try:
            yield SourceLine(file, number, line.decode())
        except UnicodeDecodeError as error:
            good = line[: error.start].decode()
            shown = SourceLine(file, number, good + "\ufffd")
            raise shown.refuse(len(good), "this is not UTF-8", "save the file as UTF-8") from None
