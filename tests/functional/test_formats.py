"""Events in every format, and many in one request, as an independent CoAP client sends them."""

import json

import aiocoap
import pytest

import cbor
import wire
from test_events import TIMESTAMP, TIMESTAMP_NS, ask, payload_of

SECONDS = TIMESTAMP_NS / 1e9
DEVICE = "urn:dev:ow:10e2073a01080063"


def post(collector, body, content_format):
    return aiocoap.Message(code=aiocoap.POST, uri=collector.uri("/events"), payload=body,
                           content_format=content_format)


def stored(collector, body, content_format):
    (answer,) = ask(post(collector, body, content_format))
    assert str(answer.code) == "2.01 Created", answer.payload
    return collector.rows()


@pytest.mark.parametrize("body, content_format", [
    (json.dumps([{"bn": DEVICE + ":", "bt": SECONDS, "n": "temp", "u": "Cel", "v": 21.5}]).encode(),
     wire.SENML_JSON),
    (cbor.encode([{-2: DEVICE + ":", -3: SECONDS, 0: "temp", 1: "Cel", 2: 21.5}]),
     wire.SENML_CBOR),
    (cbor.encode({"namespace": "default", "sender": DEVICE, "origin": DEVICE,
                  "payload": {"type": "temp", "value": 21.5, "unit": "Cel"},
                  "timestamp": TIMESTAMP}), wire.CBOR),
])
def test_each_format_is_stored(collector, body, content_format):
    (row,) = stored(collector, body, content_format)
    assert (row["name_space"], row["sender"], row["origin"]) == ("default", DEVICE, DEVICE)
    assert payload_of(row) == {"type": "temp", "value": 21.5, "unit": "Cel"}
    assert row["timestamp_ns"] == TIMESTAMP_NS


@pytest.mark.parametrize("timestamp", [
    cbor.encode(TIMESTAMP),
    cbor.encode(SECONDS),
    cbor.tag(0, cbor.encode("2018-06-01T16:08:24.772+02:00")),
    cbor.tag(1, cbor.encode(SECONDS)),
    cbor.tag(4, cbor.encode([-3, TIMESTAMP_NS // 1000000])),
])
def test_an_event_is_one_in_json_and_cbor(collector, timestamp):
    event = wire.event(timestamp=TIMESTAMP, id="7")
    (json_row,) = stored(collector, json.dumps(event).encode(), wire.JSON)
    del event["timestamp"]
    body = cbor.encode(event) + cbor.encode("timestamp") + timestamp
    body = bytes([body[0] + 1]) + body[1:]  # one member more
    (row,) = stored(collector, body, wire.CBOR)
    assert row == json_row
    assert collector.metric('events_total{outcome="duplicate"}') == 1


def test_values_are_the_same_in_json_and_cbor(collector, peer):
    values = [0, -1, 2**64 - 1, -(2**63), 16.0, 5e-324, 1e300, "Grüße, \0\"\\\x1f世界", True, [],
              {"z": [1, {"y": None}], "a": 2.5}]
    events = [wire.event(value, timestamp=TIMESTAMP) for value in values]
    assert peer.ask(wire.post(events)).code == wire.CREATED
    rows = collector.rows()
    assert len(rows) == len(values)
    assert peer.ask(wire.post(cbor.encode(events), content_format=wire.CBOR)).code == wire.CREATED
    assert collector.rows() == rows
    assert collector.metric('events_total{outcome="duplicate"}') == len(values)


@pytest.mark.parametrize("content_format, encode", [
    (wire.JSON, lambda body: json.dumps(body).encode()), (wire.CBOR, cbor.encode)])
def test_a_hundred_events_in_one_request(start, content_format, encode):
    collector = start(payload_bytes_max=60000)
    body = encode([wire.event(n) for n in range(100)])
    with collector.peer() as peer:
        request = wire.post(body, content_format=content_format)
        assert peer.ask(request).code == wire.CREATED
        assert peer.ask(request).code == wire.CREATED  # retransmitted
    rows = collector.rows()
    assert sorted(row["value"] for row in rows) == list(range(100))


def test_equal_events_of_one_request_are_events_each(collector, peer):
    request = wire.post([wire.event()] * 3)
    for _ in range(2):
        assert peer.ask(request).code == wire.CREATED
    assert len(collector.rows()) == 3
    assert peer.ask(wire.post([wire.event()] * 3)).code == wire.CREATED
    assert len(collector.rows()) == 6


def test_a_bad_event_keeps_its_whole_array_out(collector, peer):
    answer = peer.ask(wire.post([wire.event(), wire.event(), wire.event(sender=None)]))
    assert (answer.code, answer.text()) == (wire.BAD_REQUEST, "[2].sender is missing")
    assert collector.rows() == []


def test_senml_times_count_from_arrival(collector):
    body = json.dumps([{"n": "probe1", "v": 1, "t": t} for t in (-60, -0.5, 0)]).encode()
    rows = stored(collector, body, wire.SENML_JSON)
    ages = [row["received_ns"] // 10**6 - row["timestamp_ns"] // 10**6 for row in rows]
    assert ages == [60000, 500, 0]
    assert {row["origin"] for row in rows} == {"probe1"}


def test_what_senml_knows_beside_the_value_is_kept(collector):
    record = {"n": "probe1/door", "vd": "aGkgCg", "s": 5, "ut": 60, "x": {"y": 1}}
    (row,) = stored(collector, json.dumps([record]).encode(), wire.SENML_JSON)
    kept = {"type": "door", "value": "aGkgCg", "encoding": "base64url", "sum": 5,
            "update_time": 60, "x": {"y": 1}}
    assert payload_of(row) == kept
    labels = {"n": 0, "vd": 8, "s": 5, "ut": 7, "x": "x"}
    body = {labels[key]: b"hi \n" if key == "vd" else value for key, value in record.items()}
    rows = stored(collector, cbor.encode([body]), wire.SENML_CBOR)
    assert [payload_of(row) for row in rows] == [kept, kept]


def test_health_in_cbor(collector, peer):
    answer = peer.ask(wire.request(wire.GET, "/health", options=[(wire.ACCEPT, b"\x3c")]))
    assert (answer.code, answer.option(wire.CONTENT_FORMAT)) == (wire.CONTENT, wire.CBOR)
    assert answer.payload.startswith(b"\xa4" + cbor.encode("status") + cbor.encode("ok"))


def test_a_content_format_may_be_required(start):
    collector = start("--content-format-required")
    with collector.peer() as peer:
        answer = peer.ask(wire.post(wire.event(), content_format=None))
        assert answer.code == wire.UNSUPPORTED_FORMAT
        assert "missing" in answer.text()
        assert peer.ask(wire.post(wire.event())).code == wire.CREATED
        assert peer.ask(wire.request(wire.GET, "/health")).code == wire.CONTENT


def test_a_peer_that_sends_too_fast(start):
    collector = start(requests_per_second_per_peer_max=5)
    with collector.peer() as fast, collector.peer(("127.0.0.2", 0)) as other:
        answers = [fast.ask(wire.post(wire.event(n))) for n in range(30)]
        refused = [answer for answer in answers if answer.code == wire.TOO_MANY]
        assert [answer.code for answer in answers[:10]] == [wire.CREATED] * 10
        assert len(refused) >= 15
        assert all(answer.option(wire.MAX_AGE) == 1 for answer in refused)
        assert refused[0].text() == "sends too fast"
        assert other.ask(wire.post(wire.event())).code == wire.CREATED
        non = fast.ask(wire.post(wire.event(), kind=wire.NON))
        assert (non.type, non.code) == (wire.NON, wire.TOO_MANY)
    assert collector.metric('responses_total{path="/events",code="4.29"}') == len(refused) + 1
    assert len(collector.rows()) == 30 - len(refused) + 1


def test_without_a_limit_nobody_sends_too_fast(collector, peer):
    answers = [peer.ask(wire.post(wire.event(n))).code for n in range(300)]
    assert answers == [wire.CREATED] * 300
