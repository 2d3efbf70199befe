"""Listeners: exclusive by default, groups for several loops, and a clear line for each refusal."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zeroserve.config.address import parse_address
from zeroserve.control.listeners import BoundListener, bind_all
from zeroserve.errors import ListenRefused


@contextmanager
def bound(*texts: str, threads: int = 1, reuse_port: bool = False) -> Iterator[list[BoundListener]]:
    addresses = [parse_address(text, "http") for text in texts]
    listeners = bind_all(addresses, threads=threads, reuse_port=reuse_port)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
        return True


@pytest.mark.parametrize("threads", [1, 3])
def test_a_chosen_port_is_named_and_shared_by_the_group(threads: int) -> None:
    with bound("127.0.0.1:0", threads=threads) as (listener,):
        ports = {one.getsockname()[1] for one in listener.sockets}
        assert len(listener.sockets) == threads
        assert len(ports) == 1
        assert listener.address == f"127.0.0.1:{ports.pop()}"
        assert connects(listener.address)
        for one in listener.sockets:
            assert not one.getblocking()
            assert not one.get_inheritable()


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("second", [1, 2])
def test_a_second_server_is_refused(first: int, second: int) -> None:
    with bound("127.0.0.1:0", threads=first) as (listener,):
        with pytest.raises(ListenRefused) as caught, bound(listener.address, threads=second):
            pass
        assert caught.value.code == "address-in-use"
        assert listener.address in caught.value.message


def test_sharing_is_possible_on_purpose_only() -> None:
    with bound("127.0.0.1:0", reuse_port=True) as (listener,):
        with bound(listener.address, threads=2, reuse_port=True) as (other,):
            assert other.address == listener.address
        with pytest.raises(ListenRefused), bound(listener.address):
            pass


def test_a_bare_port_is_both_families() -> None:
    with bound(":0") as (listener,):
        assert listener.address.startswith("[::]:")
        port = listener.address.rpartition(":")[2]
        assert connects(f"127.0.0.1:{port}")
        assert connects(f"[::1]:{port}")


def test_all_or_none() -> None:
    with bound("127.0.0.1:0") as (taken,):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(ListenRefused), bound(f"127.0.0.1:{port}", taken.address):
            pass
        with bound(f"127.0.0.1:{port}"):
            pass


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ListenRefused) as caught, bound("192.0.2.1:0"):
        pass
    assert caught.value.code == "address-refused"
    assert caught.value.hint is not None


def test_unix_sockets(short_dir: Path) -> None:
    path = short_dir / "web.sock"
    with bound(f"unix:{path}", threads=2) as (listener,):
        assert listener.address == f"unix:{path}"
        assert len(listener.sockets) == 2
        with pytest.raises(ListenRefused) as caught, bound(f"unix:{path}"):
            pass
        assert caught.value.code == "address-in-use"
    with bound(f"unix:{path}"), socket.socket(socket.AF_UNIX) as peer:  # the stale file is replaced
        peer.connect(str(path))


def test_a_file_in_the_way_is_not_removed(short_dir: Path) -> None:
    path = short_dir / "precious"
    path.write_text("x")
    with pytest.raises(ListenRefused, match="in the way"), bound(f"unix:{path}"):
        pass
    assert path.read_text() == "x"


def test_an_inherited_socket() -> None:
    parent = socket.create_server(("127.0.0.1", 0))
    number = os.dup(parent.fileno())
    with bound(f"fd:{number}") as (listener,):
        assert listener.address == f"127.0.0.1:{parent.getsockname()[1]}"
        assert not listener.sockets[0].get_inheritable()
        parent.close()
        assert connects(listener.address)


def test_what_is_no_inherited_listener(tmp_path: Path) -> None:
    with socket.socket() as idle, (tmp_path / "f").open("w") as file:
        for number in (idle.fileno(), file.fileno(), 999_999):
            with pytest.raises(ListenRefused) as caught, bound(f"fd:{number}"):
                pass
            assert caught.value.code == "address-refused"
        os.fstat(idle.fileno())  # what is not ours was not closed
        os.fstat(file.fileno())
