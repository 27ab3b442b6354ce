"""However a collector ends, each event it acknowledged is in the store, once."""

import collections
import os
import random
import signal
import sqlite3
import subprocess

import pytest

import wire
from load import Load
from processes import wait_until

SEED = int(os.environ.get("SEED", random.randrange(1_000_000)))


def times_stored(collector):
    """{value: number of rows}"""
    return collections.Counter(row["value"] for row in collector.rows())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_collector_ends_at_once(start, number):
    collector = start()
    collector.signal(number)
    assert collector.wait(2) == 0
    assert "drained" in collector.output()


def test_sigterm_under_load_drains(start, record_property):
    collector = start(log_requests_per_second_max=0)
    load = Load(collector.coap, "drain")
    load.run(0.5)
    collector.signal()
    while collector.process.poll() is None:
        load.run(0.02)
    load.collect(0.1)
    assert collector.wait() == 0
    stored = times_stored(collector)
    acknowledged = set(load.acknowledged)
    record_property("note", f"SIGTERM under load: {len(acknowledged)} events acknowledged, "
                            f"{len(load.refused)} refused, {len(stored)} in the store")
    assert len(acknowledged) > 100
    assert set(stored.values()) == {1}
    assert set(stored) == acknowledged  # a drained collector has answered what it stored
    load.close()


def kill_under_load(start, rounds, record_property):
    """Kills the collector at random moments; devices send again what was not answered."""
    moments = random.Random(SEED)
    print(f"SEED={SEED} chooses the same moments")
    acknowledged_before_kill, sent_again = 0, 0
    everything = []
    collector = start(log_requests_per_second_max=0)
    for number in range(rounds):
        load = Load(collector.coap, f"round{number}")
        load.run(moments.uniform(0.02, 0.4))
        collector.kill()
        load.collect(0)
        load.collect(0)
        promised = list(load.acknowledged)
        missing = set(promised) - set(times_stored(collector))
        assert not missing, f"round {number}: {len(missing)} acknowledged events are lost"
        acknowledged_before_kill += len(promised)
        sent_again += load.waiting()
        collector = start(log_requests_per_second_max=0)
        load.finish(collector.coap)
        assert not load.refused
        everything += load.acknowledged
        load.close()
    stored = times_stored(collector)
    record_property("note", f"{rounds} times kill -9, seed {SEED}: {acknowledged_before_kill} "
                            f"events acknowledged before it, none lost; {sent_again} sent again "
                            f"after it; {len(stored)} events in {sum(stored.values())} rows")
    assert len(everything) == len(set(everything))
    assert stored == collections.Counter(everything)
    assert acknowledged_before_kill > 0
    collector.stop()


def test_three_kills(start, record_property):
    kill_under_load(start, 3, record_property)


@pytest.mark.slow
def test_twenty_kills(start, record_property):
    kill_under_load(start, 20, record_property)


def test_draining_collector_refuses_new_events_and_finishes_old_ones(start):
    """Another process keeps the store locked, so that the drain lasts."""
    collector = start()
    other = sqlite3.connect(collector.database, isolation_level=None)
    with collector.peer() as peer, collector.peer() as late:
        other.execute("BEGIN IMMEDIATE")
        peer.send(wire.post(wire.event("old")))
        wait_until(lambda: collector.metric("events_pending") == 1)
        collector.signal()
        collector.told("SIGTERM")
        answer = late.ask(wire.post(wire.event("new")))
        assert answer.code == wire.UNAVAILABLE
        assert answer.option(wire.MAX_AGE) > 0
        health = late.ask(wire.request(wire.GET, "/health"))
        assert health.code == wire.UNAVAILABLE
        assert '"draining"' in health.text()
        assert collector.get("/readyz").status == 503
        assert collector.get("/livez").status == 200
        assert collector.process.poll() is None
        other.execute("ROLLBACK")
        other.close()
        assert peer.receive().code == wire.CREATED
    assert collector.wait() == 0
    assert list(times_stored(collector)) == ["old"]


def test_second_signal_ends_at_once(start):
    collector = start()
    other = sqlite3.connect(collector.database, isolation_level=None)
    with collector.peer() as peer:
        other.execute("BEGIN IMMEDIATE")
        peer.send(wire.post(wire.event()))
        wait_until(lambda: collector.metric("events_pending") == 1)
        collector.signal()
        with pytest.raises(subprocess.TimeoutExpired):
            collector.wait(0.3)
        collector.signal()
        assert collector.wait(2) == 128 + signal.SIGTERM
        assert peer.receive(0.2) is None
    other.close()


def test_drain_is_bounded(start):
    """A store that never answers does not keep a collector from ending; nothing is promised."""
    collector = start(drain_timeout_seconds=1)
    other = sqlite3.connect(collector.database, isolation_level=None)
    with collector.peer() as peer:
        other.execute("BEGIN IMMEDIATE")
        peer.send(wire.post(wire.event()))
        wait_until(lambda: collector.metric("events_pending") == 1)
        collector.signal()
        assert collector.wait(4) == 1
        answer = peer.receive(0.2)
        assert answer is None or answer.code == wire.EMPTY  # the request came, it says, no more
    other.close()
    assert collector.rows() == []
