"""What a service manager is told, by the datagrams of sd_notify(3)."""

import os
import socket
import time

import pytest


class Manager:
    """Listens as systemd does for a unit of Type=notify."""

    def __init__(self, directory, abstract=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"coap-collector-{os.getpid()}-{time.monotonic_ns()}"
        self.name = f"@{name}" if abstract else str(directory / "notify")
        self.socket.bind(self.name.replace("@", "\0"))
        self.socket.settimeout(5)

    def next(self):
        message = self.socket.recv(4096).decode()
        return dict(line.split("=", 1) for line in message.split("\n"))

    def wait_for(self, key):
        """The first message that has the key; anything before it is a watchdog's."""
        while key not in (message := self.next()):
            assert message == {"WATCHDOG": "1"}
        return message


@pytest.fixture(params=[False, True], ids=["path", "abstract"])
def manager(request, tmp_path):
    return Manager(tmp_path, abstract=request.param)


def test_manager_is_told_of_start_and_stop(start, manager):
    collector = start(env={"NOTIFY_SOCKET": manager.name}, drain_timeout_seconds=7)
    ready = manager.wait_for("READY")
    assert ready["READY"] == "1"
    assert ready["STATUS"] == f"listening coap={collector.coap[0]}:{collector.coap[1]} " \
                              f"http={collector.http[0]}:{collector.http[1]}"
    collector.signal()
    stopping = manager.next()
    assert stopping["STOPPING"] == "1"
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) == 17_000_000
    assert collector.wait() == 0


def test_store_that_cannot_be_opened_is_never_ready(start, tmp_path):
    manager = Manager(tmp_path)
    with pytest.raises(AssertionError, match="ended with 69"):
        start(env={"NOTIFY_SOCKET": manager.name}, sqlite_path=tmp_path / "missing" / "events.db")
    manager.socket.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.next()


def test_watchdog_hears_twice_in_its_time(start, tmp_path):
    manager = Manager(tmp_path)
    start(env={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "1000000"})
    manager.wait_for("READY")
    manager.wait_for("WATCHDOG")
    for _ in range(3):
        before = time.monotonic()
        assert manager.next() == {"WATCHDOG": "1"}
        assert 0.25 < time.monotonic() - before < 1


def test_watchdog_of_another_process_hears_nothing(start, tmp_path):
    manager = Manager(tmp_path)
    start(env={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    manager.wait_for("READY")
    manager.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        manager.next()


def test_supervisor_speaks_for_its_processes(start, tmp_path):
    manager = Manager(tmp_path)
    collector = start(env={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "600000"},
                      http_listen="127.0.0.1:0", processes=2)
    assert manager.wait_for("READY")["STATUS"] == "2 processes"
    manager.wait_for("WATCHDOG")
    collector.signal()
    manager.wait_for("STOPPING")
    assert collector.wait() == 0
    # The processes themselves say nothing; who drains is alive.
    manager.socket.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.wait_for("STOPPING")


def test_manager_that_is_not_there_is_logged(start, tmp_path):
    collector = start(env={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    warning = f"NOTIFY_SOCKET '{tmp_path}/nobody' cannot be written: No such file"
    collector.told(warning)
