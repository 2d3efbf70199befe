"""`PYTHONPATH=tests python -m bench.fleet`: deployments to many SSH hosts, beside other tools.

The hosts are OpenSSH servers in a network namespace of their own, the tool is in another, and all
are in one process namespace. So bytes (of the cable between the two: both directions, headers
included) and CPU time (of all processes: tool, servers, hosts) are counted exactly, whatever else
this machine does. Needs root for the namespaces, and `ip` and `nsenter`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process import Beside, run

PEERS = Path(__file__).resolve().parent.parent / "build" / "bench" / "fleet-peers"
RESULT = Path(__file__).resolve().parent / "results" / "fleet.json"
_INSIDE = "ZSOPS_BENCH_INSIDE"
_PEER_PACKAGES = ("ansible", "pyinfra")
_FILES, _FILE_BYTES = 20, 100_000
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_AT_A_TIME = 32
_NETWORK = "10.77.0"
_CABLE = "hosts"
_TOOLS_PID = "ZSOPS_BENCH_TOOLS_PID"
_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Cost:
    """What one command took: seconds of wall and CPU, bytes on the wire."""

    wall_s: float
    cpu_s: float
    wire_bytes: int


@dataclass(frozen=True)
class Tool:
    """One way to bring the site to all hosts: the same command, whatever has changed."""

    name: str
    version: str
    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]


def main() -> int:
    """0; 1 when a tool fails."""
    wish = _arguments()
    if _INSIDE not in os.environ:
        _install_peers()
        os.environ[_INSIDE] = "1"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed programs are compiled, too
        here = [sys.executable, "-m", "bench.fleet", *sys.argv[1:]]
        os.execvp(
            "unshare",
            ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", *here],
        )
    from support.sshd import farm

    with (
        tempfile.TemporaryDirectory(prefix="zsb-") as folder,
        _cable(wish.hosts),
        farm(wish.hosts, first=1, network=_NETWORK, more="Subsystem sftp internal-sftp") as hosts,
    ):
        site = Path(folder) / "site"
        _lay(site)
        found: dict[str, dict[str, Cost]] = {}
        chosen = [make for name, make in _TOOLS.items() if wish.only in (None, name)]
        tools = [make(Path(folder), hosts) for make in chosen]
        for tool in tools:
            found[tool.name] = _measure(tool, site)
    _show(found, wish.hosts)
    versions = {each.name: each.version for each in tools}
    document = {
        "hosts": wish.hosts,
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
        "versions": versions,
        "costs": {
            name: {step: vars(cost) for step, cost in steps.items()}
            for name, steps in found.items()
        },
    }
    if wish.only is None:
        RESULT.write_text(json.dumps(document, indent=1) + "\n")
    return 0


@contextmanager
def _cable(hosts: int) -> Iterator[None]:
    """A pair of network devices: the hosts' addresses here, the tools' in another namespace."""
    far = Beside(["unshare", "--net", "sleep", "infinity"])
    try:
        pid = str(far.pid)
        os.environ[_TOOLS_PID] = pid
        there = ["nsenter", "--target", pid, "--net", "ip"]
        steps = [
            ["ip", "link", "set", "lo", "up"],
            ["ip", "link", "add", _CABLE, "type", "veth", "peer", "name", "tools", "netns", pid],
            ["ip", "link", "set", _CABLE, "up"],
            *(
                ["ip", "address", "add", f"{_NETWORK}.{number}/24", "dev", _CABLE]
                for number in range(1, hosts + 1)
            ),
            [*there, "address", "add", f"{_NETWORK}.250/24", "dev", "tools"],
            [*there, "link", "set", "tools", "up"],
        ]
        for step in steps:
            done = run(step)
            if done.code != 0:
                raise SystemExit(f"error: `{' '.join(step)}`: {done.said}")
        yield
    finally:
        far.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--only", choices=sorted(_TOOLS), help="one tool; nothing is written")
    return parser.parse_args()


def _install_peers() -> None:
    """Into a virtual environment of their own, once."""
    pip = PEERS / "bin" / "pip"
    if not (PEERS / "bin" / "pyinfra").exists():
        sys.stderr.write(f"installing {', '.join(_PEER_PACKAGES)} below {PEERS}\n")
        run([sys.executable, "-m", "venv", str(PEERS)])
        done = run([str(pip), "install", "--quiet", *_PEER_PACKAGES], timeout_s=_TIMEOUT_S)
        if done.code != 0:
            raise SystemExit(f"error: {done.said}")


def _lay(site: Path) -> None:
    """Files that do not compress: the same on every run."""
    site.mkdir()
    for number in range(_FILES):
        body = hashlib.shake_256(str(number).encode()).digest(_FILE_BYTES)
        (site / f"picture{number}.bin").write_bytes(body)
    (site / "index.html").write_text("<title>one</title>")


# -- the tools ------------------------------------------------------------------------------------


def _zsops(folder: Path, hosts: object) -> Tool:
    from support.sshd import free_port

    servers = hosts.servers  # type: ignore[attr-defined]
    home = hosts.home  # type: ignore[attr-defined]
    https = free_port([each.address for each in servers])
    (folder / "zsops.yaml").write_text(f"""\
version: 1
project: bench
defaults:
  health: {{interval: 50ms, timeout: 60s}}
  ssh: {{port: {servers[0].port}, identity: {home}/id, known_hosts: {home}/known_hosts,
        config: {home}/ssh_config}}
sites:
  bench: {{src: site}}
environments:
  prod:
    strategy: all
    hosts: {{"web[1-{len(servers)}]": {{addr: "{_NETWORK}.{{n}}"}}}}
    instances:
      web: {{listen: {{https: "{{addr}}:{https}"}}, site: bench}}
""")
    program = str(Path(sys.executable).with_name("zsops"))
    version = run([program, "--version"]).stdout.split()[-1]
    return Tool("zsops", version, [program, "deploy", "prod", "--yes"], folder, {})


def _ansible(folder: Path, hosts: object, task: str, name: str) -> Tool:
    home = hosts.home  # type: ignore[attr-defined]
    lines = [
        f"{each.name} ansible_host={each.address} dest={each.home}/{name}"
        for each in hosts.servers  # type: ignore[attr-defined]
    ]
    own = folder / name
    own.mkdir()
    (own / "hosts").write_text("\n".join(["[web]", *lines]) + "\n")
    (own / "play.yml").write_text(f"- hosts: web\n  gather_facts: false\n  tasks:\n    - {task}\n")
    (own / "ansible.cfg").write_text(
        f"[defaults]\nforks = {_AT_A_TIME}\ninventory = hosts\n"
        f"remote_user = root\nremote_port = {hosts.port}\n"  # type: ignore[attr-defined]
        f"private_key_file = {home}/id\ninterpreter_python = /usr/bin/python3\n"
        f"[ssh_connection]\npipelining = true\n"
        f"ssh_args = -F {home}/ssh_config -o UserKnownHostsFile={home}/known_hosts"
        f" -o ControlMaster=auto -o ControlPersist=60s\n"
        f"control_path_dir = {own}/c\n"
    )
    program = PEERS / "bin" / "ansible-playbook"
    version = run([str(program), "--version"]).stdout.split("\n")[0].strip("[]").split()[-1]
    env = {"ANSIBLE_HOME": str(own / "h"), "ANSIBLE_CONFIG": str(own / "ansible.cfg")}
    return Tool(name, version.rstrip("]"), [str(program), "play.yml"], own, env)


def _ansible_copy(folder: Path, hosts: object) -> Tool:
    task = f'copy: {{src: "{folder}/site/", dest: "{{{{ dest }}}}"}}'
    return _ansible(folder, hosts, task, "ansible-copy")


def _ansible_synchronize(folder: Path, hosts: object) -> Tool:
    task = (
        f'ansible.posix.synchronize: {{src: "{folder}/site/", dest: "{{{{ dest }}}}",'
        " checksum: true, use_ssh_args: true}"
    )
    return _ansible(folder, hosts, task, "ansible-synchronize")


def _pyinfra(folder: Path, hosts: object) -> Tool:
    own = folder / "pyinfra"
    own.mkdir()
    home = hosts.home  # type: ignore[attr-defined]
    entries = [
        (
            each.address,
            {
                "ssh_user": "root",
                "ssh_port": each.port,
                "ssh_key": f"{home}/id",
                "ssh_known_hosts_file": f"{home}/known_hosts",
                "dest": f"{each.home}/pyinfra",
            },
        )
        for each in hosts.servers  # type: ignore[attr-defined]
    ]
    (own / "inventory.py").write_text(f"web = {entries!r}\n")
    (own / "deploy.py").write_text(
        "from pyinfra import host\nfrom pyinfra.operations import files\n"
        f"files.sync(src={str(folder / 'site')!r}, dest=host.data.dest)\n"
    )
    program = PEERS / "bin" / "pyinfra"
    version = run([str(program), "--version"]).said.split()[-1].lstrip("v")
    argv = [str(program), "inventory.py", "deploy.py", "--yes", "--parallel", str(_AT_A_TIME)]
    return Tool("pyinfra", version, argv, own, {})


_TOOLS: dict[str, Callable[[Path, object], Tool]] = {
    "zsops": _zsops,
    "ansible-copy": _ansible_copy,
    **({"ansible-synchronize": _ansible_synchronize} if shutil.which("rsync") else {}),
    "pyinfra": _pyinfra,
}


# -- measuring ------------------------------------------------------------------------------------


def _measure(tool: Tool, site: Path) -> dict[str, Cost]:
    """First deployment, one changed file, nothing changed."""
    steps: dict[str, Cost] = {}
    (site / "index.html").write_text("<title>one</title>")
    steps["first"] = _cost(tool)
    (site / "index.html").write_text("<title>two</title>")
    steps["one file"] = _cost(tool)
    steps["no change"] = _cost(tool)
    return steps


def _cost(tool: Tool) -> Cost:
    began, cpu, wire = time.monotonic(), _cpu_s(), _wire_bytes()
    there = ["nsenter", "--target", os.environ[_TOOLS_PID], "--net", "--"]
    done = run([*there, *tool.argv], cwd=tool.cwd, env=tool.env, timeout_s=_TIMEOUT_S)
    wall = time.monotonic() - began
    if done.code != 0:
        raise SystemExit(f"error: {tool.name} ended with {done.code}:\n{done.said[-3000:]}")
    return Cost(round(wall, 1), round(_cpu_s() - cpu, 1), _wire_bytes() - wire)


def _cpu_s() -> float:
    """Of all processes of the namespace, those that have ended included (in their parents)."""
    ticks = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            ticks += sum(int(each) for each in stat[stat.rindex(")") + 2 :].split()[11:15])
    return ticks * _TICK_S


def _wire_bytes() -> int:
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == _CABLE:
            counted = numbers.split()
            return int(counted[0]) + int(counted[8])
    raise AssertionError("the cable is gone")


def _show(found: Mapping[str, Mapping[str, Cost]], hosts: int) -> None:
    for step in next(iter(found.values())):
        sys.stdout.write(f"\n{step}, {hosts} hosts\n")
        for name, costs in found.items():
            cost = costs[step]
            each = cost.wire_bytes / hosts / 1000
            sys.stdout.write(
                f"  {name:20} {cost.wall_s:7.1f} s wall {cost.cpu_s:7.1f} s CPU"
                f" {each:9.1f} kB a host\n"
            )


if __name__ == "__main__":
    sys.exit(main())
