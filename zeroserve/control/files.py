"""Files: read whole, up to a size, relative to a directory that is open. Never waits for a pipe."""

import errno
import os


def read_file(root: int | None, name: str, bytes_max: int) -> bytes:
    """The content of a file below the directory `root`, or of a path. Raises `OSError`."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=root)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return data


def list_files(root: int) -> list[str]:
    """Names of the regular files in a directory that is open, sorted; links are followed.

    What begins with a dot is left out: other programs keep half-written files there.
    """
    names = []
    for name in sorted(os.listdir(root)):  # pathlib is not loaded in the daemon
        try:
            regular = os.stat(name, dir_fd=root).st_mode & 0o170000 == 0o100000
        except FileNotFoundError:
            continue  # a link to nothing, or a file that went meanwhile
        if regular and not name.startswith("."):
            names.append(name)
    return names


def why(error: OSError) -> str:
    """What the operating system says, in lower case."""
    return (error.strerror or str(error)).lower()
