"""ECH keys: what the operator is told about them at a start and at each reload."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def tell_ech(
    summary: "dict[str, Any]", before: "dict[str, str]", say: "Callable[[str], None]"
) -> "dict[str, str]":
    """Say what belongs into DNS, and which keys have gone since `before`.

    Both dictionaries map a config, in hex, to its config id. A key that goes too early is a leak:
    clients that still use it are sent to whoever answers for the public name, and may then name
    the hidden host in clear.
    """
    ech = summary.get("ech") or {}
    # Version and length are two bytes each; the id is the byte after them.
    keys = {config: config[8:10] for config in ech.get("configs", [])}
    if ech:
        names = ", ".join(ech["public_names"])
        say(f'ECH with {len(keys)} keys behind {names}; in DNS: ech="{ech["config_list"]}"')
    for config, number in before.items():
        if config not in keys:
            say(
                f"warning: the ECH key with config_id 0x{number} is gone: clients that still have "
                "its config from DNS cannot reach the hidden names, and may give them away"
            )
    return keys
