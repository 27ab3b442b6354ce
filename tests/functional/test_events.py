"""An event goes in over CoAP, 2.01 comes back, and it is in the store."""

import asyncio
import json

import aiocoap
import pytest

import wire

TIMESTAMP = "2018-06-01T14:08:24.772Z"
TIMESTAMP_NS = 1527862104772000000


def ask(*messages):
    """Answers of an independent CoAP implementation's requests, sent all at once."""

    async def all_at_once():
        context = await aiocoap.Context.create_client_context()
        try:
            answers = [context.request(message).response for message in messages]
            return await asyncio.wait_for(asyncio.gather(*answers), 20)
        finally:
            await context.shutdown()

    return asyncio.run(all_at_once())


def payload_of(row):
    """What the device sent: its columns tell all, or the payload column does."""
    if row["payload"] is None:
        return {"type": row["type"], "value": row["value"]}
    return json.loads(row["payload"])


def post(collector, event):
    payload = json.dumps(event).encode()
    return aiocoap.Message(
        code=aiocoap.POST, uri=collector.uri("/events"), payload=payload, content_format=50
    )


def test_good_event_is_stored(collector):
    event = wire.event(16.5, sender="demoMemoria", timestamp=TIMESTAMP)
    (answer,) = ask(post(collector, event))
    assert str(answer.code) == "2.01 Created"
    (row,) = collector.rows()
    assert payload_of(row) == event["payload"]
    assert len(bytes.fromhex(row.pop("id"))) == 16
    assert row.pop("received_ns") > TIMESTAMP_NS
    assert row == {
        "timestamp_ns": TIMESTAMP_NS,
        "name_space": "default",
        "sender": "demoMemoria",
        "origin": "probe1",
        "type": "temperature",
        "value": 16.5,
        "payload": None,
    }


@pytest.mark.parametrize(
    "value, stored",
    [
        (21, 21),
        (-40.25, -40.25),
        ("open", "open"),
        ("Grüße, 世界", "Grüße, 世界"),
        (True, 1),
        (False, 0),
        (2**53 + 1, 2**53 + 1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**64 - 1, float(2**64)),
        (5e-324, 5e-324),
        ("nul \0 inside", "nul \0 inside"),
        ("", ""),
        ({"lat": 41.4, "lon": 2.2}, None),
        ([1, 2, 3], None),
    ],
)
def test_values_are_kept(collector, peer, value, stored):
    assert peer.ask(wire.post(wire.event(value))).code == wire.CREATED
    (row,) = collector.rows()
    assert row["value"] == stored
    payload = payload_of(row)
    assert payload == {"type": "temperature", "value": value}
    assert type(payload["value"]) is type(value)


def test_other_members_of_the_payload_are_kept(collector, peer):
    payload = {"value": 3, "unit": "m/s", "type": "wind", "raw": {"z": [1, {"y": None}], "a": 2}}
    assert peer.ask(wire.post(wire.event(payload=payload))).code == wire.CREATED
    (row,) = collector.rows()
    assert payload_of(row) == payload


def test_content_format_may_be_left_out(collector, peer):
    assert peer.ask(wire.post(wire.event(), content_format=None)).code == wire.CREATED
    assert len(collector.rows()) == 1


def test_many_events_in_flight(collector):
    events = [wire.event(n, timestamp=TIMESTAMP) for n in range(200)]
    answers = ask(*(post(collector, event) for event in events))
    assert {str(answer.code) for answer in answers} == {"2.01 Created"}
    assert sorted(row["value"] for row in collector.rows()) == list(range(200))


def test_same_event_twice_is_stored_once(collector):
    event = wire.event(timestamp=TIMESTAMP)
    answers = ask(post(collector, event), post(collector, event)) + ask(post(collector, event))
    assert [str(answer.code) for answer in answers] == ["2.01 Created"] * 3
    assert len(collector.rows()) == 1


def test_order_and_notation_do_not_make_another_event(collector, peer):
    event = wire.event(timestamp=TIMESTAMP)
    other = dict(reversed(event.items()), timestamp="2018-06-01T16:08:24.772000+02:00")
    other["payload"] = dict(reversed(event["payload"].items()))
    text = json.dumps(other, indent=2).replace("21.5", "2.15e1").encode()
    assert peer.ask(wire.post(event)).code == wire.CREATED
    assert peer.ask(wire.post(text)).code == wire.CREATED
    assert len(collector.rows()) == 1


def test_differences_make_another_event(collector, peer):
    base = wire.event(timestamp=TIMESTAMP)
    different = [
        base,
        wire.event(21.6, timestamp=TIMESTAMP),
        wire.event("21.5", timestamp=TIMESTAMP),
        wire.event(timestamp="2018-06-01T14:08:24.773Z"),
        wire.event(timestamp=TIMESTAMP, namespace="other"),
        wire.event(timestamp=TIMESTAMP, sender="other"),
        wire.event(timestamp=TIMESTAMP, origin="other"),
        wire.event(timestamp=TIMESTAMP, id="1"),
        wire.event(timestamp=TIMESTAMP, payload={"type": "humidity", "value": 21.5}),
        wire.event(timestamp=TIMESTAMP, payload={**base["payload"], "unit": "C"}),
    ]
    for event in different:
        assert peer.ask(wire.post(event)).code == wire.CREATED
    assert len(collector.rows()) == len(different)


def test_without_timestamp_each_request_is_an_event(collector, peer):
    for _ in range(2):
        assert peer.ask(wire.post(wire.event())).code == wire.CREATED
    rows = collector.rows()
    assert len(rows) == 2
    for row in rows:
        assert abs(row["timestamp_ns"] - row["received_ns"]) < 1_000_000


def test_events_survive_a_restart_and_stay_unique(start):
    event = wire.event(timestamp=TIMESTAMP)
    for _ in range(2):
        collector = start()
        with collector.peer() as peer:
            assert peer.ask(wire.post(event)).code == wire.CREATED
        collector.stop()
        assert len(collector.rows()) == 1


def test_each_answer_is_logged_up_to_a_rate(start):
    collector = start(log_requests_per_second_max=2)
    with collector.peer() as peer:
        for n in range(20):
            assert peer.ask(wire.post(wire.event(n))).code == wire.CREATED
        output = collector.told("more requests")
    lines = [line for line in output.splitlines() if "POST /events > 2.01" in line]
    assert 2 <= len(lines) < 20
