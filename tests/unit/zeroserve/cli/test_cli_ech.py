"""`--gen-ech-key`: what it prints is what the server reads and what DNS takes."""

from pathlib import Path

import pytest

from zeroserve.cli.ech import dns_records, gen_ech_key
from zeroserve.errors import FileRefused, TlsRefused, UsageRefused
from zeroserve.tls.ech import config_list, generate, read_bundle


def test_the_key_goes_to_stdout_and_the_rest_to_stderr(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    gen_ech_key("public.example", None)
    printed = capsysbinary.readouterr()
    (key,) = read_bundle(printed.out, "stdout")
    lines = printed.err.decode().splitlines()
    assert lines[0] == f'ech="{config_list([key.config])}"'
    assert lines[1] == f"config_id 0x{key.config_id:02x}"
    assert key.private not in printed.err


def test_the_config_id_is_none_of_those_there(tmp_path: Path) -> None:
    every = [generate("public.example", set(range(256)) - {one}) for one in range(256)]
    bundles = [key.bundle() for key in every]
    (tmp_path / "all").write_bytes(b"".join(bundles))
    with pytest.raises(TlsRefused, match="all 256"):
        gen_ech_key("public.example", str(tmp_path))
    with pytest.raises(FileRefused):
        gen_ech_key("public.example", str(tmp_path / "missing"))


@pytest.mark.parametrize("name", ["", "localhost", "a..b", "192.0.2.1", "x.0x7f", "a_b.c", "ä.de"])
def test_names_that_clients_would_not_take(name: str) -> None:
    with pytest.raises(TlsRefused):
        gen_ech_key(name, None)


def test_a_name_is_wanted() -> None:
    with pytest.raises(UsageRefused, match="requires --ech-public-name"):
        gen_ech_key(None, None)


def test_records_for_another_port_name_the_host_again() -> None:
    key = generate("public.example")
    plain, other = dns_records(key, "hidden.example", 8443)
    assert plain.startswith("hidden.example. 300 IN HTTPS 1 . alpn=")
    assert other.startswith("_8443._https.hidden.example. 300 IN HTTPS 1 hidden.example. alpn=")
    assert f'ech="{config_list([key.config])}"' in plain
