"""Coalescing: many requests, few reloads, and always one that began after the last request."""

import threading

from zeroserve.control.reloader import Reloader


def test_requests_during_a_reload_become_one_more() -> None:
    started, gate = threading.Semaphore(0), threading.Semaphore(0)
    count = 0

    def reload() -> None:
        nonlocal count
        count += 1
        started.release()
        assert gate.acquire(timeout=20)

    reloader = Reloader(reload)
    reloader.start()
    reloader.request()
    assert started.acquire(timeout=20)
    for _ in range(50):
        reloader.request()
    gate.release()
    assert started.acquire(timeout=20), "the last request was lost"
    gate.release()
    assert not started.acquire(timeout=0.1), "one more for all of them, not one for each"
    assert reloader.end(20)
    assert count == 2


def test_requests_before_the_start_are_kept() -> None:
    done = threading.Event()
    reloader = Reloader(done.set)
    reloader.request()
    reloader.start()
    assert done.wait(20)
    assert reloader.end(20)


def test_an_end_during_a_reload_waits_for_it_and_no_longer() -> None:
    gate, started = threading.Event(), threading.Event()

    def reload() -> None:
        started.set()
        assert gate.wait(20)

    reloader = Reloader(reload)
    reloader.start()
    reloader.request()
    assert started.wait(20)
    reloader.request()
    assert not reloader.end(0.01)
    gate.set()
    assert reloader.end(20)
