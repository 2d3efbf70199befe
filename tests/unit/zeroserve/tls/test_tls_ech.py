"""ECH keys: what is generated reads back, and what is damaged is refused in words."""

from __future__ import annotations

import base64
import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroserve.check import check_path
from zeroserve.errors import TlsRefused
from zeroserve.tls.ech import EchKey, config_list, generate, read_bundle


def test_a_generated_key_reads_back() -> None:
    made = generate("Cover.Example")
    assert read_bundle(made.bundle(), "keys.pem") == (made,)
    assert made.public_name == "cover.example"
    assert base64.b64encode(made.private).decode() not in repr(made)


def test_the_config_is_what_the_interface_says() -> None:
    """Version, KEM, one suite, no padding length, no extensions; the name at its place."""
    made = generate("cover.example")
    version, length = struct.unpack_from(">HH", made.config)
    assert (version, length) == (0xFE0D, len(made.config) - 4)
    assert made.config[4] == made.config_id
    assert struct.unpack_from(">HH", made.config, 5) == (0x0020, 32)
    assert struct.unpack_from(">HHH", made.config, 41) == (4, 0x0001, 0x0001)
    assert made.config[47:] == bytes([0, 13]) + b"cover.example" + bytes(2)


def test_ids_in_use_are_not_taken_again() -> None:
    assert generate("cover.example", set(range(256)) - {7}).config_id == 7
    with pytest.raises(TlsRefused, match="all 256"):
        generate("cover.example", range(256))


@pytest.mark.parametrize("name", ["192.0.2.1", "[::1]", "a b", "", "*.example", "host.123"])
def test_a_public_name_is_a_host_name(name: str) -> None:
    with pytest.raises(TlsRefused, match="public name"):
        generate(name)


def test_the_list_has_a_length_before_its_configs() -> None:
    one, two = generate("a.example"), generate("b.example")
    raw = base64.b64decode(config_list([one.config, two.config]))
    assert raw == struct.pack(">H", len(one.config) + len(two.config)) + one.config + two.config


def test_a_key_of_another_config_is_refused() -> None:
    one, two = generate("a.example"), generate("b.example")
    mixed = EchKey(one.config, one.config_id, one.public_name, two.private)
    with pytest.raises(TlsRefused, match="does not belong to its config"):
        read_bundle(mixed.bundle(), "keys.pem")


@given(data=st.data())
def test_damage_is_refused_and_never_a_crash(data: st.DataObject) -> None:
    good = generate("cover.example").bundle()
    at = data.draw(st.integers(0, len(good) - 1))
    with_noise = good[:at] + data.draw(st.binary(max_size=8)) + good[at + 1 :]
    with contextlib.suppress(TlsRefused):
        assert all(len(key.private) == 32 for key in read_bundle(with_noise, "keys.pem"))


def test_check_of_a_release_names_bad_and_double_keys(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "ech").mkdir()
    key = generate("cover.example")
    for name in ("00.pem", "01.pem"):
        (tmp_path / "ech" / name).write_bytes(key.bundle())
    (tmp_path / "ech" / "02.pem").write_bytes(b"no key")
    codes = [each.code for each in check_path(tmp_path)]
    assert codes.count("ech-duplicate") == 1
    assert codes.count("ech-bad") == 1
