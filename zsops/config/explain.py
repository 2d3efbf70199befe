"""What a key of `zsops.yaml` means, from the models themselves: type, default, description."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from zsops.config import duration
from zsops.config.models import FleetConfig
from zsops.config.secrets import parse_days

_RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
_EXAMPLES = {
    "version": "1",
    "project": "acme",
    "defaults.keep": "5",
    "defaults.health.interval": "500ms",
    "defaults.health.timeout": "10s",
    "defaults.health.successes": "2",
    "defaults.confirm.window": "60s",
    "sites.NAME.src": "sites/blog",
    "sites.NAME.build.run": "npm run build",
    "sites.NAME.build.out": "dist",
    "sites.NAME.build.inputs": "[package-lock.json, src/**]",
    "sites.NAME.build.timeout": "10m",
    "sites.NAME.include": '["**"]',
    "sites.NAME.exclude": '["**/*.map"]',
    "sites.NAME.checks": '[{path: /, status: 200, body_contains: "<title>"}]',
    "sites.NAME.checks[].path": "/api/ping",
    "sites.NAME.checks[].status": "[302, 401]",
    "sites.NAME.checks[].body_contains": '"<title>"',
    "sites.NAME.checks[].header": "{x-zs: ok}",
    "environments.NAME.mode": "push",
    "defaults.confirm.probe": "false",
    "defaults.ssh.user": "deploy",
    "defaults.ssh.port": "22",
    "defaults.ssh.known_hosts": "hosts/known_hosts",
    "defaults.ssh.jump": "bastion",
    "defaults.ssh.identity": "~/.ssh/deploy",
    "defaults.ssh.sudo": "true",
    "defaults.ssh.program": "/opt/zeroserve/bin/zsops-host",
    "defaults.ssh.root": "/var/lib/zsops",
    "strategies.NAME.waves": "[canary, 25%, 100%]",
    "strategies.NAME.batch": "3",
    "strategies.NAME.soak": "5m",
    "strategies.NAME.max_fail.count": "1",
    "strategies.NAME.max_fail.unreachable": "2",
    "strategies.NAME.on_fail": "revert_wave",
    "strategies.NAME.promote": "manual",
    "environments.NAME.strategy": "careful",
    "environments.NAME.hosts": '{"web[1-3]": {addr: "{name}.acme.net", groups: [eu]}}',
    "environments.NAME.hosts.NAME.addr": '"{name}.acme.net"',
    "environments.NAME.hosts.NAME.groups": "[canary, eu]",
    "environments.NAME.hosts.NAME.labels": "{dc: fra}",
    "environments.NAME.hosts.NAME.ssh.jump": "[bastion, us-gw]",
    "environments.NAME.instances.NAME.on": '"eu & !canary"',
    "environments.NAME.instances.NAME.listen.https": '"127.0.0.1:8443"',
    "environments.NAME.instances.NAME.listen.http": '"127.0.0.1:8080"',
    "environments.NAME.instances.NAME.site": "blog",
    "environments.NAME.instances.NAME.tls": "acme_org",
    "environments.NAME.instances.NAME.ech": "acme_org",
    "environments.NAME.hosts.NAME.recipient": _RECIPIENT,
    "daemon.version": "0.4.2",
    "daemon.wheel": "dist/zeroserve-0.4.2-cp311-abi3-linux_x86_64.whl",
    "daemon.drain": "60s",
    "tls.NAME.cert": "secrets/acme.crt",
    "tls.NAME.key": "age:secrets/acme.key.age",
    "tls.NAME.min_days": "21",
    "ech.NAME.public_name": "cover.acme.org",
    "ech.NAME.dir": "age:secrets/ech",
    "ech.NAME.rotate": "30d",
    "ech.NAME.retire": "7d",
    "ech.NAME.dns_ttl": "300s",
    "hooks.pre_plan": "./ci/lint.sh",
    "hooks.pre_deploy": "[./ci/gate.sh, prod]",
    "hooks.post_deploy": "{run: [./ci/purge.sh], timeout: 30s, required: false}",
    "secrets.recipients": f"[{_RECIPIENT}]",
    "secrets.identity": "~/.config/zsops/identity.age",
    "environments.NAME.instances.NAME.sites": "{blog: [acme.org, www.acme.org]}",
}


@dataclass(frozen=True)
class KeyMeaning:
    """One key. `default` None means that it must be written."""

    key: str
    meaning: str
    default: str | None
    example: str | None


def meanings() -> tuple[KeyMeaning, ...]:
    """Every key, in the order of the file."""
    return tuple(_walk(FleetConfig, ""))


def explain_key(key: str) -> tuple[KeyMeaning, ...]:
    """The key and what is below it. Names may be real ones: `sites.blog.src` is `sites.NAME.src`.

    Empty when there is no such key.
    """
    wanted = key.replace("[]", "").split(".")
    found = []
    for each in meanings():
        parts = each.key.replace("[]", "").split(".")
        if len(parts) >= len(wanted) and all(
            part in ("NAME", want) for part, want in zip(parts, wanted, strict=False)
        ):
            found.append(each)
    return tuple(found)


def _walk(model: type[BaseModel], prefix: str) -> Iterator[KeyMeaning]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        yield KeyMeaning(key, field.description or "", _default(field), _EXAMPLES.get(key))
        inner, suffix = _inner(field.annotation, "")
        if inner is not None:
            yield from _walk(inner, f"{key}{suffix}.")


def _inner(annotation: object, suffix: str) -> tuple[type[BaseModel] | None, str]:
    """The model inside a field's type, and how its keys are reached: `.NAME` or `[]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, suffix
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _inner(arguments[1], f"{suffix}.NAME")
    if origin is tuple:
        return _inner(arguments[0], f"{suffix}[]")
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return _inner(arguments[0], suffix)
    return None, suffix


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    value = field.default
    if isinstance(value, BaseModel):
        return "see below"
    if any(_function_of(each) is duration.parse_duration for each in field.metadata):
        return duration.format_duration(value)
    if any(_function_of(each) is parse_days for each in field.metadata):
        return f"{value}d"
    return _spelled(value)


def _spelled(value: object) -> str:
    """A default as one would write it in the file."""
    if value is None or value in ((), {}):
        return "none"
    if isinstance(value, tuple):
        shown = (f'"{each}"' if isinstance(each, str) else str(each) for each in value)
        return f"[{', '.join(shown)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{each}: {{}}" for each in value) + "}"
    return str(value)


def _function_of(metadata: object) -> object:
    return getattr(metadata, "func", None)
