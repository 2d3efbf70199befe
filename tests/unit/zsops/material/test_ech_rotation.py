"""ECH rotation: each phase at its time, resumed where it was cut off, and the record for DNS."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.material import OperatorKey

from zeroserve.tls.ech import config_list, generate, read_bundle
from zsops.config.secrets import Ech
from zsops.material import ech_rotation
from zsops.material.dns_record import record
from zsops.material.ech_keys import EchDirectory, KeptKey
from zsops.material.errors import MaterialError

START = datetime(2026, 1, 1, tzinfo=UTC)
TTL = timedelta(seconds=300)


@pytest.fixture
def directory(tmp_path: Path) -> EchDirectory:
    wish = '{"public_name": "cover.example", "dir": "age:keys", "rotate": "30d", "retire": "7d"}'
    return EchDirectory(tmp_path, Ech.model_validate_json(wish))


@pytest.fixture
def operator(tmp_path: Path) -> OperatorKey:
    return OperatorKey.make(tmp_path / "operator.age")


def _arrive(directory: EchDirectory, now: datetime) -> None:
    directory.save(ech_rotation.arrived(directory.kept(), now))


def _due(directory: EchDirectory, now: datetime) -> tuple[str, datetime]:
    found = ech_rotation.due(directory.kept(), directory.ech, now)
    assert found is not None
    return found.phase, found.at


def test_a_life_of_keys(directory: EchDirectory, operator: OperatorKey) -> None:
    now = START
    assert _due(directory, now) == ("add", now)
    first = directory.add((operator.recipient,), now)
    assert first.role == "newest"
    assert ech_rotation.due(directory.kept(), directory.ech, now) is None  # not out yet
    _arrive(directory, now)
    assert _due(directory, now) == ("add", START + timedelta(days=30))

    now += timedelta(days=30)
    second = directory.add((operator.recipient,), now)
    assert [each.role for each in directory.kept()] == ["beside", "newest"]
    # The old key stays the last file, which is what servers tell clients of; DNS gets the new one.
    assert directory.release_files()[-1][0].endswith(f"{first.config_id:02x}.pem")
    assert directory.config_list() == config_list([base64.b64decode(second.config)])
    _arrive(directory, now)
    assert _due(directory, now) == ("promote", now + 2 * TTL)

    now += 2 * TTL
    directory.save(ech_rotation.promoted(directory.kept()))
    assert [each.role for each in directory.kept()] == ["old", "newest"]
    assert directory.release_files()[-1][0].endswith(f"{second.config_id:02x}.pem")
    assert ech_rotation.due(directory.kept(), directory.ech, now) is None
    _arrive(directory, now)
    assert _due(directory, now) == ("retire", now + timedelta(days=7))

    early = ech_rotation.retired(directory.kept(), directory.ech, now + timedelta(days=6))
    assert early == directory.kept()
    now += timedelta(days=7)
    directory.save(ech_rotation.retired(directory.kept(), directory.ech, now))
    assert [each.config_id for each in directory.kept()] == [second.config_id]
    assert {each.name for each in directory.place.iterdir()} == {"ech.json", second.file}


def test_keys_are_encrypted_and_the_state_is_public(
    directory: EchDirectory, operator: OperatorKey
) -> None:
    made = directory.add((operator.recipient,), START)
    raw = (directory.place / made.file).read_bytes()
    assert raw.startswith(b"age-encryption.org/v1")
    import pyrage

    (key,) = read_bundle(pyrage.decrypt(raw, [operator.identity]), "key")
    assert base64.b64encode(key.config).decode() == made.config
    state = (directory.place / "ech.json").read_bytes()
    assert base64.b64encode(key.private) not in state
    assert (directory.place / made.file).stat().st_mode & 0o777 == 0o600


def test_nobody_to_encrypt_to_is_said(directory: EchDirectory) -> None:
    with pytest.raises(MaterialError, match="nobody to encrypt"):
        directory.add((), START)


def test_a_damaged_state_is_said(directory: EchDirectory) -> None:
    directory.place.mkdir()
    (directory.place / "ech.json").write_text('{"v": 1, "keys": [{}]}')
    with pytest.raises(MaterialError, match="not what zsops wrote"):
        directory.kept()


def test_keys_put_there_by_hand_go_in_the_order_of_their_names(directory: EchDirectory) -> None:
    directory.place.mkdir()
    for name in ("b.pem.age", "a.pem.age", "notes.txt"):
        (directory.place / name).write_bytes(b"age-encryption.org/v1\n")
    assert [path for path, _ in directory.release_files()] == ["ech/00-a.pem", "ech/01-b.pem"]


@pytest.mark.parametrize(
    ("port", "start"),
    [
        (443, "acme.org. 300 IN HTTPS 1 . "),
        (8443, "_8443._https.acme.org. 300 IN HTTPS 1 acme.org. "),
    ],
)
def test_the_record_is_what_a_zone_file_takes(port: int, start: str) -> None:
    from dns import zone

    told = config_list([generate("cover.example").config])
    line = record("acme.org", port, 300, told)
    assert line == f'{start}alpn="h2,http/1.1" ech="{told}"'
    text = f"acme.org. 300 IN SOA a. b. 1 1 1 1 1\nacme.org. 300 IN NS a.\n{line}\n"
    zone.from_text(text, "acme.org.")


def test_roles_only_move_forward() -> None:
    keys = tuple(
        KeptKey(
            file=role, config_id=at, config="", role=role, made="2026-01-01T00:00:00Z", since="x"
        )
        for at, role in enumerate(("old", "beside", "newest"))
    )
    after = {each.file: each.role for each in ech_rotation.promoted(keys)}
    assert after == {"old": "old", "beside": "newest", "newest": "old"}
