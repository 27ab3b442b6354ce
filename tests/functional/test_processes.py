"""--processes: several collectors on one port, under a supervisor."""

import collections
import os
import pathlib
import signal

import pytest

import wire
from processes import COLLECTOR, LISTENING, address, run, wait_until

PROCESSES = 3
PEERS = 60


def children(collector):
    """The pids of the processes under a supervisor."""
    text = pathlib.Path(f"/proc/{collector.process.pid}/task/{collector.process.pid}/children")
    return [int(pid) for pid in text.read_text().split()]


@pytest.fixture
def processes(start):
    collector = start(processes=PROCESSES)
    collector.told("listening coap=", times=PROCESSES)
    return collector


def test_each_process_takes_its_share_and_each_event_is_stored_once(processes):
    peers = [processes.peer((f"127.0.1.{1 + i}", 0)) for i in range(PEERS)]
    for number, peer in enumerate(peers):
        # No timestamp: only the process that knows the exchange can tell it from a new event.
        request = wire.post(wire.event(origin=f"o{number}"))
        for _ in range(2):
            assert peer.ask(request).code == wire.CREATED
    rows = processes.rows()
    expected = {f"o{number}": 1 for number in range(PEERS)}
    assert collections.Counter(row["origin"] for row in rows) == expected
    shares = []
    for _, http in LISTENING.findall(processes.output()):
        processes.http = address(http)
        shares.append(processes.metric('events_total{outcome="stored"}'))
    assert sum(shares) == PEERS and min(shares) > 0


def test_process_that_dies_is_started_again_and_its_peers_wait_for_it(processes):
    peers = [processes.peer((f"127.0.1.{1 + i}", 0)) for i in range(PEERS)]
    before = children(processes)
    assert len(before) == PROCESSES
    os.kill(before[1], signal.SIGKILL)
    for number, peer in enumerate(peers):
        peer.send(wire.post(wire.event(origin=f"o{number}")))
    for peer in peers:
        assert peer.receive(10).code == wire.CREATED
    after = children(processes)
    assert len(set(after) - set(before)) == 1 and len(after) == PROCESSES
    processes.told("process 1 ended: signal Killed")
    assert len(processes.rows()) == PEERS


def test_second_signal_kills(processes):
    pids = children(processes)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    processes.signal()
    processes.told("stopping 3 processes")
    processes.signal()
    assert processes.wait() == 128 + signal.SIGTERM


def test_processes_do_not_outlive_their_supervisor(processes):
    pids = children(processes)
    processes.kill()
    wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids))


def test_supervisor_gives_up_when_a_process_cannot_start(tmp_path):
    done = run(COLLECTOR, "--processes", "2", "--coap-listen", "127.0.0.1:0", "--http-listen",
               "127.0.0.1:0", "--sqlite-path", tmp_path / "no" / "events.db")
    assert done.returncode == 69
    assert "does not exist" in done.stderr


def test_http_ports_must_fit():
    done = run(COLLECTOR, "--processes", "3", "--http-listen", "127.0.0.1:65534", "--check-config")
    assert done.returncode == 78
    assert done.stderr.startswith("collector: --http-listen: '127.0.0.1:65534'")


def test_many_processes_open_a_new_store_at_once(start):
    collector = start(processes=12)
    collector.told("listening coap=", times=12)
