"""Host names, as a request's `Host` has them without its port. Pure."""

import ipaddress
import re

LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
NAME_CHARACTERS_MAX = 253  # RFC 1035 section 2.3.4, less the dots' share


def parse_hostname(text: str) -> str:
    """The name in lower case: a DNS name, an IPv4 address, or an IPv6 address in brackets.

    Raises `ValueError` that says what is wrong.
    """
    name = text.lower()
    if name.startswith("[") and name.endswith("]"):
        return f"[{_address(name[1:-1], text)}]"
    if ":" in name:
        raise ValueError(f"`{text}`: a host is named without its port, IPv6 in brackets")
    if "*" in name:
        raise ValueError(f"`{text}`: host names are compared whole, without wildcards")
    if name.endswith("."):
        raise ValueError(f"`{text}`: leave the dot at the end out")
    if not name.isascii():
        raise ValueError(f"`{text}`: write the name as browsers send it (`xn--…`)")
    labels = name.split(".")
    if len(name) > NAME_CHARACTERS_MAX or not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"`{text}` is not a host name")
    return name


def _address(inner: str, text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(inner))
    except ValueError:
        raise ValueError(f"`{text}` is not an IPv6 address") from None
