"""Errors of the bridge: the engine's status code becomes an exception, once."""

from zeroserve.errors import ConfigRefused, EngineBug, Unsupported, ZeroserveError

STATUS_OK = 0
STATUS_REFUSED = 1
STATUS_UNSUPPORTED = 2
STATUS_BUG = 70


def error_of(status: int, text: str) -> ZeroserveError:
    """The exception for a status that is not 0. `text` is the engine's, written for the user."""
    text = text.strip() or f"the engine gave no reason (status {status})"
    if status == STATUS_REFUSED:
        return ConfigRefused("config-refused", text)
    if status == STATUS_UNSUPPORTED:
        return Unsupported("unsupported", text, hint="`zeroserve doctor` shows what is missing")
    return EngineBug("engine-bug", text, hint="please report this; it is a bug in zeroserve")
