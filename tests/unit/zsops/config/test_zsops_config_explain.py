"""Every key has a meaning, and its example is accepted."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from zsops.config.document import read_document
from zsops.config.explain import KeyMeaning, explain_key, meanings
from zsops.config.load import parse_config

BASE: dict[str, Any] = {
    "version": 1,
    "project": "acme",
    "sites": {
        "blog": {"src": "a", "build": {"run": "make", "out": "b"}, "checks": [{"path": "/"}]}
    },
    "strategies": {"careful": {}},
    "daemon": {"version": "0.4.2"},
    "tls": {"acme_org": {"cert": "a.crt", "key": "a.key"}},
    "ech": {"acme_org": {"public_name": "a.org", "dir": "ech"}},
    "environments": {
        "prod": {
            "hosts": {"a1": {"groups": ["eu"]}, "a2": {"groups": ["eu", "canary"]}},
            "instances": {"web": {"listen": {"https": "127.0.0.1:8443"}, "site": "blog"}},
        }
    },
}


def test_every_key_says_what_it_means() -> None:
    assert all(each.meaning for each in meanings())
    assert len({each.key for each in meanings()}) == len(meanings())


def test_real_names_stand_for_name() -> None:
    (run,) = explain_key("sites.blog.build.run")
    assert run.key == "sites.NAME.build.run"
    assert run.default is None
    assert explain_key("sites.blog.nope") == ()


@pytest.mark.parametrize(
    "meaning", [each for each in meanings() if each.example], ids=lambda each: each.key
)
def test_example_is_accepted(meaning: KeyMeaning) -> None:
    config = deepcopy(BASE)
    here: Any = config
    *way, leaf = meaning.key.replace("[]", ".0").split(".")
    for part in way:
        if part == "NAME":
            here = next(iter(here.values()))
        elif part == "0":
            here = here[0]
        else:
            here = here.setdefault(part, {})
    here[leaf] = _value(str(meaning.example))
    if leaf == "sites" and len(way) > 1:
        del here["site"]
    if leaf in ("tls", "ech") and way:
        here |= {"tls": "acme_org", "sites": {"blog": ["acme.org"]}}
        del here["site"]
    parse_config(json.dumps(config))  # JSON is YAML


def _value(example: str) -> object:
    data = read_document(f"value: {example}").data
    assert isinstance(data, dict)
    return data["value"]
