"""Fingerprint: whether a file's name holds a hash of its content, so that it may be kept for ever.

A wrong yes leaves visitors with an old file for a year; a wrong no costs them a short answer (304)
now and then. So only what bundlers write counts: the hash stands alone between a separator and the
extensions, and looks like one. Dates, versions, sizes and words with a number do not. Pure.
"""

import re
from itertools import groupby

from zeroserve.pack.content_type import content_type_of

# `app.HASH.js`, `index-HASH.css.map`: something before it, at most three extensions behind it.
CANDIDATE = re.compile(r"(?<=[^/._-])[._-]([A-Za-z0-9]{8,64})(?:\.[A-Za-z][A-Za-z0-9]{0,9}){1,3}")
HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
BASE32 = re.compile(r"[A-Z2-7]{8}")  # esbuild
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
DAY = re.compile(r"(?<!\d)(?:19|20)\d{6}(?!\d)")
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\.", re.IGNORECASE)
WORD_LETTERS = 4
LONG_HASH = 16
#: What bundlers give fingerprinted names to. Documents are linked to by people, pages are entries.
ASSET_TYPES = ("text/css", "text/javascript", "font/", "image/", "audio/", "video/")
ASSET_TYPES_WHOLE = ("application/wasm", "application/json", "application/vnd.ms-fontobject")


def is_fingerprinted(path: str) -> bool:
    """Whether the member `path` may be cached for ever by its name."""
    name = path.rpartition("/")[2]
    content_type = content_type_of(path).partition(";")[0]
    if not (content_type.startswith(ASSET_TYPES) or content_type in ASSET_TYPES_WHOLE):
        return False
    if UUID.search(name):
        return False  # an identity, whose content may change
    return any(
        looks_hashed(found[1]) for found in CANDIDATE.finditer(name) if found.end() == len(name)
    )


def looks_hashed(text: str) -> bool:
    """Whether 8 to 64 letters and digits are a hash by all appearance."""
    runs = ["".join(run) for _, run in groupby(text, key=_kind)]
    changes = len(runs) - 1
    letters = [run for run in runs if run.isalpha()]
    if not letters or len(letters) == len(runs):
        return False  # a number, or a word
    if YEAR.search(text) or DAY.search(text):
        return False
    if HEX.fullmatch(text):
        if len(text) >= LONG_HASH:
            return changes >= 3
        return changes >= 2 and max(map(len, letters)) < WORD_LETTERS
    if BASE32.fullmatch(text):
        return changes >= 3
    mixed = any(run.islower() for run in letters) and any(run.isupper() for run in letters)
    # Random characters change their kind all the time; `iPhone15Pro` does so once a word.
    return mixed and len(text) <= 32 and changes >= (4 if len(text) == 8 else len(text) * 0.6)


def _kind(character: str) -> int:
    return 0 if character.isdigit() else 1 if character.islower() else 2
