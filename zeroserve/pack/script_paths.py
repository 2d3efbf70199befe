"""Names of scripts in a tree and in a tar: known without what compiles them."""

SCRIPTS_FOLDER = ".zeroserve/scripts/"


def is_script(path: str) -> bool:
    """Whether a name is that of a script, source or object, of whatever root."""
    return f"/{SCRIPTS_FOLDER}" in f"/{path}" and path.endswith((".c", ".o"))
