"""What is said about ECH keys: what belongs into DNS, and which key has gone."""

from zeroserve.control.ech_keys import tell_ech


def summary(*ids: int) -> dict[str, object]:
    configs = [f"fe0d0041{number:02x}0020" for number in ids]
    return {"ech": {"configs": configs, "config_list": "QUJD", "public_names": ["p.example"]}}


def test_what_belongs_into_dns_is_said_and_a_key_that_goes() -> None:
    said: list[str] = []
    first = tell_ech(summary(1, 0x2A), {}, said.append)
    assert said == ['ECH with 2 keys behind p.example; in DNS: ech="QUJD"']
    said.clear()
    second = tell_ech(summary(0x2A, 3), first, said.append)
    assert [("config_id 0x01 is gone" in one) for one in said] == [False, True]
    said.clear()
    assert tell_ech({}, second, said.append) == {}
    assert len(said) == 2
