"""An engine that answers by script, or not at all: no acknowledged event is lost, each is answered.

The engine here is fake_engine: real HTTP, but it does what a real one does only when it must not.
"""

import collections
import os
import random
import re
import socket
import time

import pytest

import fake_engine
import wire
from fake_engine import FakeEngine
from load import Load
from processes import wait_until

SEED = int(os.environ.get("SEED", random.randrange(1_000_000)))
TIMESTAMP = "2018-06-01T14:08:24.772Z"
# Short enough for a test, long enough for several tries.
PATIENCE = {
    "elasticsearch_event_deadline_ms": 3000, "elasticsearch_request_timeout_ms": 1000,
    "elasticsearch_retry_ms_min": 10, "elasticsearch_retry_ms_max": 100,
    "elasticsearch_breaker_probe_ms": 100, "log_requests_per_second_max": 0,
}


@pytest.fixture
def fake():
    engine = FakeEngine().start()
    yield engine
    if engine.server is not None:
        engine.stop()
    assert engine.wrong == []


@pytest.fixture
def serve(start, fake):
    def serve_one(**options):
        options = {"store": "elasticsearch", "sqlite_path": None, "elasticsearch_url": fake.url,
                   **PATIENCE, **options}
        return start(**options)

    return serve_one


def answer_to(collector, value, seconds=8):
    with collector.peer() as peer:
        return peer.ask_slow(wire.post(wire.event(value, timestamp=TIMESTAMP)), seconds)


def code(collector, value, seconds=8):
    return wire.code_text(answer_to(collector, value, seconds).code)


def burst(collector, values):
    """One event each from as many devices, all at once; the codes of their answers."""
    peers = [collector.peer() for _ in values]
    requests = [wire.post(wire.event(value, timestamp=TIMESTAMP)) for value in values]
    try:
        for peer, request in zip(peers, requests):
            peer.send(request)
        return [wire.code_text(peer.wait_for(request).code)
                for peer, request in zip(peers, requests)]
    finally:
        for peer in peers:
            peer.socket.close()


def asked_for(fake, value):
    """How often the engine was sent the event with this value."""
    return sum(document["payload"]["value"] == value
               for bulk in fake.bulks for _, document in bulk.items)


def test_each_event_of_a_batch_has_its_own_answer(serve, fake):
    """Stored, there already, refused, not now and refused for lack of a right, mixed."""
    first_time = set()

    def judge(document):
        value = document["payload"]["value"]
        if value % 4 == 3 and value not in first_time:
            first_time.add(value)
            return 429
        return {0: 201, 1: 201, 2: 400, 3: 201}[value % 4]

    collector = serve()
    values = list(range(200))
    fake.will(fake_engine.slow(0.2))  # what comes meanwhile is one batch
    assert code(collector, 1000) == "2.01"
    fake.default = fake_engine.each(judge)
    assert burst(collector, values) == [
        "4.22" if value % 4 == 2 else "2.01" for value in values]
    assert sorted(fake.values()) == sorted([1000, *(v for v in values if v % 4 != 2)])
    assert {asked_for(fake, value) for value in values if value % 4 == 2} == {1}
    assert {asked_for(fake, value) for value in values if value % 4 == 3} == {2}
    # The rest of a batch was answered once and is not sent again.
    assert {asked_for(fake, value) for value in values if value % 4 == 0} == {1}


@pytest.mark.parametrize("behaviour", [
    fake_engine.whole(429), fake_engine.whole(503), fake_engine.whole(502), fake_engine.items(429),
    fake_engine.items(503), fake_engine.cut_json, fake_engine.cut_body, fake_engine.wrong_count,
    fake_engine.not_json, fake_engine.reset(stored=True), fake_engine.reset(stored=False),
], ids=["429", "503", "502", "item 429", "item 503", "cut JSON", "cut body", "wrong count",
        "not JSON", "reset, stored", "reset, not stored"])
def test_passing_fault_is_retried(serve, fake, behaviour):
    collector = serve()
    fake.will(behaviour, behaviour)
    assert code(collector, "x") == "2.01"
    assert fake.values() == ["x"]
    assert asked_for(fake, "x") == 3
    assert code(collector, "y") == "2.01"


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_not_the_devices_fault(serve, fake, status):
    collector = serve(elasticsearch_event_deadline_ms=500, env={
        "COLLECTOR_ELASTICSEARCH_API_KEY": "someid:verysecretkey"})
    fake.default = fake_engine.whole(status)
    for value in ("a", "b"):
        answer = answer_to(collector, value)
        assert wire.code_text(answer.code) == "5.03"
        assert answer.option(wire.MAX_AGE) > 0
    assert collector.told(f"_bulk: {status} ").count(f"_bulk: {status} ") == 1
    assert "verysecretkey" not in collector.output()
    assert fake.bulks[0].headers["Authorization"].startswith("ApiKey ")
    fake.default = fake_engine.store
    wait_until(lambda: code(collector, "c") == "2.01", 5, "2.01 again")


def test_too_large_batches_are_divided(serve, fake):
    collector = serve()
    fake.will(fake_engine.slow(0.2))
    assert code(collector, "first") == "2.01"
    fake.default = fake_engine.larger_than(10)
    values = list(range(100))
    assert burst(collector, values) == ["2.01"] * 100
    assert sorted(fake.values(), key=str) == sorted([*values, "first"], key=str)


def test_single_event_that_is_too_large_is_refused_for_good(serve, fake):
    collector = serve()
    fake.default = fake_engine.whole(413)
    assert code(collector, "large") == "4.22"
    assert asked_for(fake, "large") == 1


def test_engine_that_does_not_answer(serve, fake):
    """The device is told in time, and may come again."""
    collector = serve(elasticsearch_event_deadline_ms=1500)
    fake.default = fake_engine.silent
    began = time.monotonic()
    answer = answer_to(collector, "x")
    assert wire.code_text(answer.code) == "5.03"
    assert answer.option(wire.MAX_AGE) > 0
    assert 1 < time.monotonic() - began < 3
    fake.default = fake_engine.store
    wait_until(lambda: code(collector, "x") == "2.01", 5, "2.01 again")
    assert fake.values() == ["x"]


def test_answer_that_comes_slowly_is_waited_for(serve, fake):
    collector = serve()
    fake.will(fake_engine.slow(0.7))
    assert code(collector, "x") == "2.01"
    assert asked_for(fake, "x") == 1


def test_refused_connections_and_back(serve, fake):
    collector = serve(elasticsearch_event_deadline_ms=500)
    assert code(collector, "before") == "2.01"
    fake.stop()
    assert {code(collector, f"down-{n}") for n in range(10)} == {"5.03"}
    began = time.monotonic()
    for n in range(50):  # at once, without asking the engine for each
        assert code(collector, f"down-{n}") == "5.03"
    assert time.monotonic() - began < 3
    assert '"status":"ok"' not in collector.get("/health").text
    fake.start()
    wait_until(lambda: code(collector, "after") == "2.01", 5, "2.01 again")
    assert "down-0" not in fake.values() or fake.values().count("down-0") == 1
    assert '"status":"ok"' in collector.get("/health").text


@pytest.mark.slow
def test_failing_engine_is_left_in_peace(serve, fake):
    """After some failures in a row only a probe at a time."""
    collector = serve(elasticsearch_breaker_probe_ms=500, elasticsearch_event_deadline_ms=1000)
    fake.default = fake_engine.whole(503)
    load = Load(collector.coap, "peace")
    load.run(1)
    before = len(fake.bulks)
    load.run(2)
    assert len(fake.bulks) - before <= 6
    fake.default = fake_engine.store
    load.run(2)
    load.finish(collector.coap)
    assert load.acknowledged
    load.close()


def test_one_engine_of_two_is_down(serve, fake):
    other = FakeEngine().start()
    collector = serve(elasticsearch_url=f"{fake.url},{other.url}")
    assert {code(collector, n) for n in range(4)} == {"2.01"}
    assert fake.bulks and other.bulks, "they take turns"
    other.stop()
    assert {code(collector, n) for n in range(10, 30)} == {"2.01"}
    assert set(range(10, 30)) <= set(fake.values())


@pytest.mark.parametrize("compress", ["true", "false"])
def test_compression(serve, fake, compress):
    collector = serve(elasticsearch_compress=compress)
    fake.will(fake_engine.slow(0.3))
    assert code(collector, 0) == "2.01"  # one small event
    values = list(range(1, 101))
    assert burst(collector, values) == ["2.01"] * 100
    assert sorted(fake.values()) == [0, *values]
    large = [bulk for bulk in fake.bulks if len(bulk.items) > 20]
    small = [bulk for bulk in fake.bulks if len(bulk.items) == 1]
    assert large and small
    for bulk in large:
        assert (bulk.headers.get("Content-Encoding") == "gzip") == (compress == "true")
        assert bulk.headers["Content-Type"] == "application/x-ndjson"
    assert small[0].headers.get("Content-Encoding") is None


@pytest.mark.slow
def test_sigterm_while_the_engine_hangs(serve, fake):
    """Events that wait are answered, and the collector ends in the time it was given."""
    collector = serve(drain_timeout_seconds=2, elasticsearch_event_deadline_ms=20000,
                      elasticsearch_request_timeout_ms=20000)
    fake.default = fake_engine.silent
    request = wire.post(wire.event("x"))
    with collector.peer() as peer:
        peer.send(request)
        wait_until(lambda: fake.bulks, what="the engine has the event")
        began = time.monotonic()
        collector.signal()
        status = collector.wait(10)
        assert status == 1, "the drain's time ran out"
        assert time.monotonic() - began < 4
        answer = peer.wait_for(request, 1)
        assert answer is None or wire.code_text(answer.code) == "5.03"


@pytest.mark.slow
def test_bounded_memory_while_the_engine_hangs(serve, fake):
    collector = serve(pending_events_max=100, elasticsearch_event_deadline_ms=2000)
    fake.default = fake_engine.silent
    load = Load(collector.coap, "bounded")
    load.run(1)
    assert len(load.refused) > 100  # at once: there is no room
    load.finish(collector.coap)
    assert not load.acknowledged
    load.close()


# --- request metrics -----------------------------------------------------------------------------


def answered(collector):
    """How many requests of each code the collector has answered."""
    counts = collections.Counter()
    for name, number in collector.metrics().items():
        if found := re.fullmatch(r'coap_collector_responses_total{.*code="(.*)"}', name):
            counts[found[1]] += int(number)
    return counts


def stood_for(fake):
    """How many requests of each code the request metrics stand for."""
    counts = collections.Counter()
    for document in fake.request_metrics:
        counts[document["code"]] += document["requests"]
    return counts


@pytest.mark.slow
def test_request_metrics_are_bounded_and_count_all_requests(serve, fake):
    collector = serve(request_metrics_per_second_max=10, replica="one")
    load = Load(collector.coap, "sampled")
    load.run(2.5)
    load.finish(collector.coap)
    load.close()
    total = answered(collector).total()
    assert total > 100
    wait_until(lambda: stood_for(fake).total() == total, 5, "the last sample is written")
    bulks = fake.request_metrics_bulks
    assert 1 < len(bulks) <= 6
    assert max(len(bulk.items) for bulk in bulks) == 10
    assert all(later.time - earlier.time > 0.9 for earlier, later in zip(bulks, bulks[1:]))
    document = fake.request_metrics[0]
    assert (document["method"], document["path"], document["code"], document["replica"]) == (
        "POST", "/events", "2.01", "one")
    assert 0 < document["processing_time_us"] < 5_000_000
    assert len(fake.request_metrics) <= 60
    wait_until(lambda: collector.metric('request_metrics_total{outcome="written"}')
               == len(fake.request_metrics), 5, "what was written is counted")


@pytest.mark.slow
def test_few_requests_are_all_in_the_request_metrics(serve, fake):
    collector = serve()
    with collector.peer() as peer:
        peer.ask_slow(wire.post(wire.event(1)))
        peer.ask_slow(wire.post("no JSON"))
        peer.ask_slow(wire.request(wire.GET, "/nothing/\xe9"))
    expected = {"2.01": 1, "4.00": 1, "4.04": 1}
    wait_until(lambda: stood_for(fake) == expected, 5, "each has a document")
    assert answered(collector) == expected
    (missed,) = [each for each in fake.request_metrics if each["code"] == "4.04"]
    assert missed["path"] == "/nothing/\xe9"
    assert missed["replica"] == socket.gethostname()
    assert len(fake.request_metrics_bulks) == 1
    time.sleep(1.5)
    assert len(fake.request_metrics_bulks) == 1, "no requests, no metrics"


@pytest.mark.slow
@pytest.mark.parametrize("behave", [
    fake_engine.silent, fake_engine.reset(stored=False), fake_engine.whole(403),
    fake_engine.whole(429), fake_engine.not_json, fake_engine.wrong_count,
], ids=["silent", "reset", "403", "429", "not JSON", "wrong count"])
def test_request_metrics_that_fail_are_in_nobodys_way(serve, fake, behave):
    fake.request_metrics_default = behave
    collector = serve(elasticsearch_requests_in_flight_max=1)
    assert code(collector, "first") == "2.01"
    wait_until(lambda: fake.request_metrics_bulks, 5, "a request of request metrics")
    load = Load(collector.coap, "on")
    load.run(1.5)
    load.finish(collector.coap)
    load.close()
    assert load.acknowledged and not load.refused
    assert '"status":"ok"' in collector.get("/health").text
    # libcurl sends once more what a kept connection was reset for.
    assert len(fake.request_metrics_bulks) <= 2, "at a time, and not tried again"
    assert sum(len(bulk.items) for bulk in fake.request_metrics_bulks) <= 2
    assert collector.metric("elasticsearch_events_retried_total") == 0
    if behave is not fake_engine.silent:
        assert collector.metric('request_metrics_total{outcome="dropped"}') == 1
        assert collector.told("request metrics dropped").count("request metrics dropped") == 1
    began = time.monotonic()
    collector.signal()
    assert collector.wait(10) == 0
    assert time.monotonic() - began < 1, "nobody waits for them at the end"


def test_request_metrics_can_be_switched_off(serve, fake):
    collector = serve(request_metrics_per_second_max=0)
    assert code(collector, 1) == "2.01"
    time.sleep(1.5)
    assert fake.request_metrics_bulks == []


def test_request_metrics_tell_the_process(serve, fake):
    collector = serve(processes=2, replica="one")
    collector.told("listening coap=", times=2)
    for n in range(20):
        with collector.peer() as peer:
            peer.ask_slow(wire.post(wire.event(n)))
    wait_until(lambda: stood_for(fake).total() == 20, 5, "both have written")
    assert {each["replica"] for each in fake.request_metrics} == {"one/0", "one/1"}


# --- all of it -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_any_fault_at_any_time(serve, fake, record_property):
    """Thousands of events against an engine that does whatever a seed says."""
    chance = random.Random(SEED)
    faults = [
        fake_engine.whole(429), fake_engine.whole(503), fake_engine.whole(413),
        fake_engine.cut_json, fake_engine.cut_body, fake_engine.wrong_count, fake_engine.not_json,
        fake_engine.reset(stored=True), fake_engine.reset(stored=False), fake_engine.silent,
        fake_engine.slow(0.3),
        fake_engine.each(lambda document: chance.choice([201, 201, 429, 503, 400])),
    ]

    def any_of_them(engine, bulk, handler):
        behave = chance.choice(faults) if chance.random() < 0.5 else fake_engine.store
        behave(engine, bulk, handler)

    collector = serve(elasticsearch_request_timeout_ms=300)
    fake.default = any_of_them
    load = Load(collector.coap, "any")
    load.run(6)
    fake.default = fake_engine.store
    load.finish(collector.coap)
    lost = set(load.acknowledged) - set(fake.values())
    assert not lost, f"SEED={SEED}: {len(lost)} acknowledged events are lost"
    assert len(load.acknowledged) > 100
    record_property("note", f"seed {SEED}: {len(load.acknowledged)} acknowledged, "
                            f"{len(load.refused)} not, {len(fake.documents)} stored, "
                            f"{len(fake.bulks)} requests")
    load.close()
