"""Advice: what to do about words of the compiler whose sense an author can not know."""

from __future__ import annotations

import re

_LIBC = r"'(assert|ctype|errno|inttypes|limits|math|std\w+|string|time|unistd|sys/\w+)\.h' file"
#: The first one that is found counts.
_ADVICE = (
    (r"unknown type name 'ZS_", "`#include <zeroserve.h>` is missing"),
    (
        r"undeclared function 'zs_",
        "there is no such helper; `zeroserve --dump-sdk` prints those that there are",
    ),
    (
        _LIBC,
        "scripts have no C library; what they can call is in `zeroserve.h` "
        "(`zeroserve --dump-sdk` prints it)",
    ),
    (
        r"BPF stack limit is exceeded",
        "the variables of a function may take 8192 bytes; make a large one `static`: "
        "each run has a fresh copy of those",
    ),
    (
        r"built-in function '__\w*[ds]f\w*' is not supported",
        "scripts have no floating point; count in a smaller unit",
    ),
    (r"built-in function '\w+' is not supported", "scripts have no C library; take the `zs_` form"),
)


def advice(diagnostics: str) -> str | None:
    """A sentence, where the words alone don't help."""
    found = (sentence for words, sentence in _ADVICE if re.search(words, diagnostics))
    return next(found, None)
