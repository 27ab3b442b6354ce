"""Clients that others wrote, each with its own idea of CoAP, send events and get their answers."""

import concurrent.futures
import contextlib
import dataclasses
import json
import re
import sqlite3
import struct
import time

import pytest

import interop
import wire
from interop import Ask, Relay
from processes import Collector, cannot_test, wait_until

pytestmark = pytest.mark.interop

CLIENTS = ["libcoap", "aiocoap", "node-coap", "californium"]
TIMESTAMP = "2018-06-01T14:08:24.772Z"


@pytest.fixture(scope="module")
def fleet():
    clients = interop.clients()
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module", params=CLIENTS)
def name(request, fleet):
    if reason := fleet[request.param].missing():
        cannot_test(reason)
    return request.param


@pytest.fixture
def relay(collector):
    with Relay(collector.coap) as relay:
        yield relay


@pytest.fixture
def ask(relay, fleet, name):
    """Has the client send its requests all at once through the relay, and returns the answers."""
    return lambda *asks: fleet[name].ask(relay.address, *asks)


def all_at_once(fleet, server, scenario, **relay_options):
    """{name: (answers, relay)}: every client that is there, each through a relay of its own."""

    def one(name):
        with Relay(server, silence_seconds=0.5, **relay_options) as relay:
            return fleet[name].ask(relay.address, *scenario(name)), relay

    there = [name for name in CLIENTS if not fleet[name].missing()]
    with concurrent.futures.ThreadPoolExecutor(len(CLIENTS)) as pool:
        return dict(zip(there, pool.map(one, there)))


@contextlib.contextmanager
def locked(database):
    """Another process writes the store's file: no commit meanwhile."""
    other = sqlite3.connect(database, check_same_thread=False)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


def post(event, **how):
    return Ask("POST", "/events", json.dumps(event).encode(), **{"content_format": 50, **how})


@pytest.mark.parametrize("kind", ["CON", "NON"])
def test_event_is_stored_once(collector, ask, kind):
    event = wire.event(16.5, sender="Grüße, 世界", timestamp=TIMESTAMP)
    for _ in range(2):
        (answer,) = ask(post(event, kind=kind))
        assert (answer.code, answer.body) == ("2.01", b"")
    (row,) = collector.rows()
    assert (row["sender"], row["type"], row["value"]) == ("Grüße, 世界", "temperature", 16.5)
    assert row["timestamp_ns"] == 1527862104772000000


def test_events_at_the_same_time(collector, ask):
    kinds = ["CON", "NON"]
    answers = ask(*(post(wire.event(n), kind=kinds[n % 2]) for n in range(20)))
    assert [answer.code for answer in answers] == ["2.01"] * 20
    assert sorted(row["value"] for row in collector.rows()) == list(range(20))


EVENT = json.dumps(wire.event()).encode()
REFUSALS = [
    (Ask("POST", "/events", EVENT[:-1], content_format=50), "4.00", "JSON"),
    (post(wire.event(sender=None)), "4.00", "sender"),
    (post(wire.event(), option=2049), "4.02", "2049"),
    (Ask("POST", "/nowhere", EVENT, content_format=50), "4.04", "path"),
    (Ask("GET", "/events"), "4.05", "method"),
    (Ask("DELETE", "/events"), "4.05", "method"),
    (Ask("PUT", "/health", EVENT, content_format=50), "4.05", "method"),
    (Ask("GET", "/health", accept=40), "4.06", "50"),
    (post(wire.event(), content_format=0), "4.15", "content format"),
]


@pytest.mark.parametrize("kind", ["CON", "NON"])
def test_refusals(collector, ask, kind):
    # A critical option makes a non-confirmable request go unanswered.
    cases = [case for case in REFUSALS if kind == "CON" or case[1] != "4.02"]
    answers = ask(*(dataclasses.replace(request, kind=kind) for request, _, _ in cases))
    assert [answer.code for answer in answers] == [code for _, code, _ in cases]
    for answer, (_, _, diagnostic) in zip(answers, cases):
        assert diagnostic in answer.text()
        assert answer.content_format is None
    assert collector.rows() == []


def test_unknown_elective_option(collector, ask):
    (answer,) = ask(post(wire.event(), option=2048))
    assert answer.code == "2.01"
    assert len(collector.rows()) == 1


@pytest.mark.parametrize("kind", ["CON", "NON"])
def test_health(ask, kind):
    (answer,) = ask(Ask("GET", "/health", kind=kind, accept=50))
    assert (answer.code, answer.content_format, answer.max_age) == ("2.05", 50, 0)
    assert json.loads(answer.body)["status"] == "ok"


def test_discovery(ask):
    (answer,) = ask(Ask("GET", "/.well-known/core"))
    assert (answer.code, answer.content_format) == ("2.05", 40)
    links = dict(re.findall(r"<([^>]*)>([^<]*)", answer.text()))
    assert {"/events", "/health"} <= set(links)
    for link in links.values():
        assert re.search(r';rt="[^"]+"', link) and re.search(r";ct=", link)


def test_overload_says_when_to_come_again(start, fleet, name):
    collector = start(pending_events_max=1)
    with collector.peer() as peer, Relay(collector.coap) as relay:
        with locked(collector.database):
            peer.send(wire.post(wire.event(1)))
            wait_until(lambda: collector.metric("requests_total") == 1)
            (refused,) = fleet[name].ask(relay.address, post(wire.event(2)))
        assert refused.code == "5.03"
        assert refused.max_age > 0
        assert peer.receive().code == wire.CREATED
        (answer,) = fleet[name].ask(relay.address, post(wire.event(2)))
        assert answer.code == "2.01"
    assert sorted(row["value"] for row in collector.rows()) == [1, 2]


@pytest.fixture(scope="module")
def after_lost_answers(tmp_path_factory, fleet):
    """Each client's first answer is lost: it sends its request again by itself."""
    collector = Collector(tmp_path_factory.mktemp("lossy"))
    try:
        answers = all_at_once(
            fleet, collector.coap, lambda name: [post(wire.event(name))],
            lose=lambda passing, before: not passing.upward and
            not any(one.lost for one in before))
        yield answers, collector.rows()
        collector.stop()
    finally:
        collector.kill()


def test_lost_answer(after_lost_answers, name):
    answers, rows = after_lost_answers
    (answer,), relay = answers[name]
    assert answer.code == "2.01"
    assert [row["value"] for row in rows].count(name) == 1
    first, again = relay.messages(upward=True)
    assert first == again
    assert relay.messages(upward=False)[0] == relay.messages(upward=False)[1]


def through_slow_commit(directory, fleet, scenario, lose):
    """Answers and rows of all clients, when no commit was possible for longer than any of them
    waits for its first acknowledgement."""
    collector = Collector(directory)
    try:
        all_at_once(fleet, collector.coap, lambda name: [Ask("GET", "/health")])  # started, all
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with locked(collector.database):
                answers = pool.submit(all_at_once, fleet, collector.coap, scenario, lose=lose)
                time.sleep(2.6)
            found = answers.result(), collector.rows()
        collector.stop()
        return found
    finally:
        collector.kill()


@pytest.fixture(scope="module")
def after_slow_commit(tmp_path_factory, fleet):
    """Three events of each client; its first confirmable answer is lost."""
    return through_slow_commit(
        tmp_path_factory.mktemp("slow"), fleet,
        lambda name: [post(wire.event(f"{name} {n}"), kind=kind)
                      for n, kind in enumerate(["CON", "CON", "NON"])],
        lambda passing, before: not passing.upward and passing.message.type == wire.CON
        and not any(one.lost for one in before))


def test_slow_commit(after_slow_commit, name):
    answers, rows = after_slow_commit
    got, relay = answers[name]
    assert [answer.code for answer in got] == ["2.01"] * 3
    stored = sorted(row["value"] for row in rows if row["value"].startswith(name))
    assert stored == [f"{name} {n}" for n in range(3)]
    requests = [one for one in relay.passed if one.upward and one.message.code == wire.POST]
    assert len(requests) == 3, "acknowledged before the client had to send it again"
    for request in requests:
        after = [one for one in relay.passed if one.peer == request.peer and one is not request]
        if request.message.type == wire.CON:
            separately_answered(request, after)
        else:
            kinds = [one.message.type for one in after
                     if one.message.token == request.message.token]
            assert kinds == [wire.NON]


def separately_answered(request, after):
    """RFC 7252 section 5.2.2, from the first acknowledgement to the client's own."""
    empty = wire.Message(wire.ACK, wire.EMPTY, request.message.message_id)
    (acknowledged,) = [one for one in after if not one.upward and one.message == empty]
    assert 0.8 < acknowledged.seconds - request.seconds < 2
    answers = [one for one in after
               if not one.upward and one.message.token == request.message.token]
    (answer, *others) = [one.message for one in answers]
    assert (answer.type, answer.code) == (wire.CON, wire.CREATED)
    assert answer.message_id != request.message.message_id
    assert others == [answer] * answers[0].lost, "sent again if and only if it was lost"
    last = answers[-1]
    replies = [one.message for one in after
               if one.upward and one.message.message_id == answer.message_id]
    assert replies == [wire.Message(wire.ACK, wire.EMPTY, answer.message_id)] and not last.lost


@pytest.fixture(scope="module")
def after_slow_and_lossy_commit(tmp_path_factory, fleet):
    """The first two datagrams to each client are lost: its acknowledgement, and whatever comes
    next: another, or the separate answer."""
    return through_slow_commit(
        tmp_path_factory.mktemp("slow"), fleet, lambda name: [post(wire.event(name))],
        lambda passing, before: not passing.upward and sum(one.lost for one in before) < 2)


def test_slow_commit_and_lost_acknowledgement(after_slow_and_lossy_commit, name):
    answers, rows = after_slow_and_lossy_commit
    (answer,), relay = answers[name]
    assert answer.code == "2.01"
    assert [row["value"] for row in rows].count(name) == 1
    requests = [one for one in relay.messages(upward=True) if one.code == wire.POST]
    assert len(requests) > 1 and all(one == requests[0] for one in requests)


BLOCK1 = 27


@pytest.mark.parametrize("block_bytes", [64, 1024])
@pytest.mark.parametrize("kind", ["CON", "NON"])
def test_event_in_blocks(collector, relay, ask, kind, block_bytes):
    value = "".join(chr(ord("a") + n % 26) for n in range(3000))
    event = post(wire.event(value, timestamp=TIMESTAMP), kind=kind, block_bytes=block_bytes)
    for _ in range(2):
        (answer,) = ask(event)
        assert (answer.code, answer.body) == ("2.01", b"")
    (row,) = collector.rows()
    assert row["value"] == value
    blocks = [message.option(BLOCK1) for message in relay.messages(upward=True)]
    assert len(blocks) == 2 * -(-len(event.body) // block_bytes)
    assert {16 << (block & 7) for block in blocks} == {block_bytes}


def test_body_too_large(start, fleet, name):
    collector = start(body_bytes_max=8192)
    with Relay(collector.coap) as relay:
        (answer,) = fleet[name].ask(relay.address, post(wire.event("x" * 9000), block_bytes=512))
    assert answer.code == "4.13"
    assert relay.messages(upward=False)[-1].option(wire.SIZE1) == 8192
    assert collector.rows() == []


@pytest.fixture(scope="module")
def after_lossy_blocks(tmp_path_factory, fleet):
    """A block and the answer to another are lost."""
    def lose(passing, before):
        same_way = [one for one in before if one.upward == passing.upward]
        return len(same_way) == (2 if passing.upward else 3)

    collector = Collector(tmp_path_factory.mktemp("blocks"))
    try:
        answers = all_at_once(
            fleet, collector.coap,
            lambda name: [post(wire.event(name + "x" * 3000), block_bytes=512)], lose=lose)
        yield answers, collector.rows()
        collector.stop()
    finally:
        collector.kill()


def test_lost_blocks(after_lossy_blocks, name):
    answers, rows = after_lossy_blocks
    (answer,), relay = answers[name]
    assert answer.code == "2.01"
    assert [row["value"] for row in rows].count(name + "x" * 3000) == 1
    assert sum(one.lost for one in relay.passed) == 2


@pytest.fixture(scope="module")
def after_slow_commit_of_blocks(tmp_path_factory, fleet):
    return through_slow_commit(
        tmp_path_factory.mktemp("slow"), fleet,
        lambda name: [post(wire.event(name + "x" * 3000), block_bytes=512)],
        lambda passing, before: False)


def test_slow_commit_of_blocks(after_slow_commit_of_blocks, name):
    answers, rows = after_slow_commit_of_blocks
    (answer,), relay = answers[name]
    assert answer.code == "2.01"
    assert [row["value"] for row in rows].count(name + "x" * 3000) == 1
    blocks = [one for one in relay.passed if one.upward and one.message.code == wire.POST]
    assert len(blocks) == 7
    separately_answered(blocks[-1], [one for one in relay.passed if one is not blocks[-1]
                                     and one.seconds >= blocks[-1].seconds])


def cbor(value):
    """A value in CBOR (RFC 8949), lengths and integers in two bytes at most."""
    def head(major, number):
        if number < 24:
            return bytes([major << 5 | number])
        return bytes([major << 5 | 25]) + number.to_bytes(2, "big")

    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(part) for pair in value.items() for part in pair)


FORMATS = {50: lambda value: json.dumps(value).encode(), 60: cbor}


@pytest.mark.parametrize("content_format", FORMATS)
@pytest.mark.parametrize("kind", ["CON", "NON"])
def test_several_events_in_one_request(collector, ask, kind, content_format):
    events = [wire.event(value, sender="Grüße", timestamp=TIMESTAMP) for value in (7, 16.5, "on")]
    encode = FORMATS[content_format]
    one, several, broken = ask(*(
        Ask("POST", "/events", body, kind, content_format)
        for body in (encode(events[0]), encode(events), encode(events)[:-1])))
    assert [one.code, several.code, broken.code] == ["2.01", "2.01", "4.00"]
    rows = collector.rows()
    assert sorted(str(row["value"]) for row in rows) == ["16.5", "7", "on"]
    assert {row["sender"] for row in rows} == {"Grüße"}


def test_health_in_cbor(ask):
    (answer,) = ask(Ask("GET", "/health", accept=60))
    assert (answer.code, answer.content_format) == ("2.05", 60)
    assert cbor({"status": "ok"})[1:] in answer.body


def test_two_bodies_at_a_time(collector, ask):
    """Not every client knows that this takes Request-Tag (RFC 7959 section 2.5, RFC 9175 section
    3.3). Whatever becomes of them: what is stored is what somebody sent, and 2.01 means stored."""
    events = [wire.event(f"{n}" * 300, sender=f"sender {n}") for n in range(3)]
    answers = ask(*(post(event, block_bytes=64) for event in events))
    stored = {row["sender"]: row["value"] for row in collector.rows()}
    sent = {event["sender"]: event["payload"]["value"] for event in events}
    assert stored.items() <= sent.items()
    for event, answer in zip(events, answers):
        assert answer.code != "2.01" or event["sender"] in stored
