"""ECH keys: made here, read from PEM bundles, shown for DNS. Pure; never in the daemon.

A bundle holds pairs of `ECH PRIVATE KEY` (the raw X25519 scalar) and `ECH CONFIG` (one raw
ECHConfig, RFC 9849 section 4). DNS, and everybody who connects, takes the *list* form: a length
of two bytes before the configs.
"""

import base64
import binascii
import re
import secrets
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from zeroserve.config.hostname import parse_hostname
from zeroserve.errors import TlsRefused

ECH_VERSION = 0xFE0D
KEM_X25519_SHA256, KDF_SHA256, AEAD_AES_128_GCM = 0x0020, 0x0001, 0x0001
KEY_BYTES = 32
KEY_LABEL, CONFIG_LABEL = "ECH PRIVATE KEY", "ECH CONFIG"
_PEM = re.compile(
    rf"-----BEGIN ({KEY_LABEL}|{CONFIG_LABEL})-----\r?\n([A-Za-z0-9+/=\r\n]*)-----END \1-----"
)
_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class EchKey:
    """One key: its scalar, and the ECHConfig that it belongs to, byte for byte."""

    config: bytes
    config_id: int
    public_name: str
    private: bytes = field(repr=False)

    def bundle(self) -> bytes:
        """The pair as PEM."""
        return (_pem(KEY_LABEL, self.private) + _pem(CONFIG_LABEL, self.config)).encode()


def generate(public_name: str, taken: Collection[int] = ()) -> EchKey:
    """A new key whose one-byte id is none of `taken`. Raises `TlsRefused` (`ech-bad`)."""
    name = _judge_public_name(public_name)
    free = sorted(set(range(256)) - set(taken))
    if not free:
        raise TlsRefused("ech-bad", "all 256 ECH config ids are taken", hint="retire old keys")
    config_id = secrets.choice(free)
    key = X25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    suites = struct.pack(">HH", KDF_SHA256, AEAD_AES_128_GCM)
    contents = struct.pack(">BHH", config_id, KEM_X25519_SHA256, len(public)) + public
    contents += struct.pack(">H", len(suites)) + suites
    contents += bytes([0, len(name)]) + name.encode() + bytes(2)  # no length, no extensions
    config = struct.pack(">HH", ECH_VERSION, len(contents)) + contents
    private = key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    return EchKey(config, config_id, name, private)


def read_bundle(text: bytes, name: str) -> tuple[EchKey, ...]:
    """The keys of a PEM bundle, in its order. `name` is for the text.

    Raises `TlsRefused` (`ech-bad`) for one that is no bundle, and for a key whose config is
    another's.
    """
    blocks = _PEM.findall(text.decode("ascii", "replace"))
    labels = [label for label, _ in blocks]
    if not blocks or labels != [KEY_LABEL, CONFIG_LABEL] * (len(blocks) // 2):
        raise _bad(name, f"holds no pairs of `{KEY_LABEL}` and `{CONFIG_LABEL}`")
    try:
        raw = [base64.b64decode(body, validate=False) for _, body in blocks]
    except binascii.Error:
        raise _bad(name, "holds a block that is not base64") from None
    return tuple(
        _key(private, config, name) for private, config in zip(raw[::2], raw[1::2], strict=True)
    )


def config_list(configs: Sequence[bytes]) -> str:
    """The ECHConfigList of these configs in base64, as DNS and clients take it."""
    joined = b"".join(configs)
    return base64.b64encode(struct.pack(">H", len(joined)) + joined).decode()


def _key(private: bytes, config: bytes, name: str) -> EchKey:
    if len(private) != KEY_BYTES:
        raise _bad(name, f"holds a key of {len(private)} bytes, {KEY_BYTES} are wanted")
    try:
        version, length = struct.unpack_from(">HH", config)
        config_id, kem, size = struct.unpack_from(">BHH", config, 4)
        public = config[9 : 9 + size]
        (suites,) = struct.unpack_from(">H", config, 9 + size)
        at = 9 + size + 2 + suites + 1
        public_name = config[at + 1 : at + 1 + config[at]].decode("ascii")
    except (struct.error, IndexError, UnicodeDecodeError):
        raise _bad(name, "holds a config that ends too early") from None
    if (version, length, kem) != (ECH_VERSION, len(config) - 4, KEM_X25519_SHA256):
        raise _bad(name, "holds a config of another version or kind of key")
    mine = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    if mine != public:
        raise _bad(name, "holds a key that does not belong to its config")
    return EchKey(config, config_id, public_name, private)


def _judge_public_name(text: str) -> str:
    """A host name of two labels or more, of letters, digits and hyphens; the last one is no number

    (RFC 9849 section 4), so it is no address either.
    """
    try:
        name = parse_hostname(text)
    except ValueError as error:
        raise TlsRefused("ech-bad", f"the public name of ECH: {error}") from None
    last = name.rpartition(".")[2]
    number = last.isdigit() or last.startswith("0x")
    if number or name.startswith("[") or "." not in name or "_" in name:
        raise TlsRefused("ech-bad", f"the public name of ECH, `{text}`, is no host name")
    return name


def _pem(label: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _bad(name: str, what: str) -> TlsRefused:
    return TlsRefused("ech-bad", f"`{name}` {what}")
