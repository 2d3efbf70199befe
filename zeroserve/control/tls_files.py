"""TLS files: what the operator named becomes the TLS part of a generation's spec.

PEM texts are read here and understood in the engine, so the daemon stays without a TLS library.
"""

import binascii
import os

from zeroserve.control.files import list_files, read_file, why
from zeroserve.errors import TlsRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from zeroserve.config.model import ServerConfig

    Spec = dict[str, Any]

PEM_BYTES_MAX = 1 << 20
STAPLE_BYTES_MAX = 64 << 10
STAPLE_SUFFIX = ".ocsp"
PEM_MARK = b"-----BEGIN "
TLS_NAME = "tls"
ECH_NAME = "ech"
CERT_NAME = "cert.pem"
KEY_NAME = "key.pem"


def load_tls(config: "ServerConfig", release: int | None) -> "Spec | None":
    """The TLS part of a spec, None for a server without TLS.

    `release` is the open release directory, if one is served. Raises `TlsRefused`.
    """
    if not config.has_tls:
        return None
    spec = {"certificates": _load_certificates(config, release)}
    ech = _load_ech(config, release)
    if ech is not None:
        spec["ech"] = {**ech, "relay": config.ech_relay, "clear": config.ech_clear}
    return spec


def _load_certificates(config: "ServerConfig", release: int | None) -> "Spec":
    if release is not None:
        return _read_release(release, f"{config.release}/{TLS_NAME}")
    if config.dev_pair is not None:
        pair = config.dev_pair
        return {
            "kind": "pair",
            "cert": {"path": pair.cert_name, "pem": pair.cert_pem},
            "key": {"path": pair.key_name, "pem": pair.key_pem},
        }
    if config.tls_files is not None:
        return _read_pair(None, (config.tls_files.cert, config.tls_files.key), "")
    assert config.cert_dir is not None
    root = _open_directory(config.cert_dir, None, config.cert_dir)
    try:
        return _read_directory(root, list_files(root), config.cert_dir)
    finally:
        os.close(root)


def _load_ech(config: "ServerConfig", release: int | None) -> "Spec | None":
    """Keys for Encrypted Client Hello, the newest last; None where there are none to be."""
    if release is None and config.ech_key is None:
        return None
    path = ECH_NAME if release is not None else config.ech_key
    shown = f"{config.release}/{ECH_NAME}" if release is not None else config.ech_key
    assert path is not None
    assert shown is not None
    try:
        root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=release)
    except NotADirectoryError:
        return {"path": shown, "files": [_read_pem(release, path, shown, "key")]}
    except FileNotFoundError:
        if release is not None:
            return None  # a release need not have any
        raise TlsRefused("key-unreadable", f"ECH key `{shown}` does not exist") from None
    except OSError as error:
        raise TlsRefused("key-unreadable", f"ECH key `{shown}`: {why(error)}") from error
    try:
        files = [_read_pem(root, one, f"{shown}/{one}", "key") for one in list_files(root)]
    finally:
        os.close(root)
    if not files and release is not None:
        return None
    if not files:
        raise TlsRefused("key-bad", f"ECH key directory `{shown}` is empty")
    return {"path": shown, "files": files}


def _read_release(release: int, shown: str) -> "Spec":
    """A release has `cert.pem` and `key.pem`, which serve every name, or files of any names."""
    root = _open_directory(TLS_NAME, release, shown)
    try:
        names = list_files(root)
        single = {one for one in names if not one.endswith(STAPLE_SUFFIX)} <= {CERT_NAME, KEY_NAME}
        if single:
            return _read_pair(root, (CERT_NAME, KEY_NAME), f"{shown}/")
        return _read_directory(root, names, shown)
    finally:
        os.close(root)


def _open_directory(path: str, root: int | None, shown: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    except OSError as error:
        raise TlsRefused(
            "certificate-unreadable", f"certificate directory `{shown}`: {why(error)}"
        ) from error


def _read_pair(root: int | None, names: tuple[str, str], prefix: str) -> "Spec":
    cert, key = names
    return {
        "kind": "pair",
        "cert": _with_staple(root, cert, _read_pem(root, cert, prefix + cert, "certificate")),
        "key": _read_pem(root, key, prefix + key, "key"),
    }


def _read_directory(root: int, names: list[str], shown: str) -> "Spec":
    files = []
    for name in names:
        raw = _read(root, name, f"{shown}/{name}", "certificate")
        if PEM_MARK in raw:  # else it is something for people, or a form that is not read
            # Between its blocks a file may say anything.
            text = raw.decode("ascii", "replace")
            files.append(_with_staple(root, name, {"path": f"{shown}/{name}", "pem": text}))
    return {"kind": "directory", "path": shown, "files": files}


def _with_staple(root: int | None, name: str, file: "Spec") -> "Spec":
    """The file with the OCSP response in `NAME.ocsp` beside it, if there is one."""
    try:
        stem = os.path.splitext(name)[0]  # noqa: PTH122  # pathlib is not loaded in the daemon
        staple = read_file(root, stem + STAPLE_SUFFIX, STAPLE_BYTES_MAX)
    except FileNotFoundError:
        return file
    except OSError as error:
        text = f"the OCSP response beside `{file['path']}`: {why(error)}"
        raise TlsRefused("certificate-unreadable", text) from error
    return {**file, "ocsp": binascii.b2a_base64(staple, newline=False).decode()}


def _read_pem(root: int | None, name: str, shown: str, what: str) -> "Spec":
    raw = _read(root, name, shown, what)
    try:
        return {"path": shown, "pem": raw.decode("ascii")}
    except UnicodeDecodeError:
        raise TlsRefused(f"{what}-bad", f"{what} `{shown}` is not PEM text") from None


def _read(root: int | None, name: str, shown: str, what: str) -> bytes:
    try:
        return read_file(root, name, PEM_BYTES_MAX)
    except OSError as error:
        hint = "the server's user must be able to read it" if error.errno == 13 else None
        text = f"{what} `{shown}`: {why(error)}"
        raise TlsRefused(f"{what}-unreadable", text, hint=hint) from error
