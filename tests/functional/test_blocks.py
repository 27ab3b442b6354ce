"""Block-wise transfer (RFC 7959): large events, and answers in small pieces."""

import asyncio
import json

import aiocoap
import pytest

import wire

BODY_BYTES_MAX = 65536
UNVERIFIED_BYTES_MAX = 136


def large_event(size, **members):
    """An event of exactly this many bytes."""
    bare = len(json.dumps(wire.event("", **members)))
    return json.dumps(wire.event("x" * (size - bare), **members)).encode()


def ask(message):
    """The answer that an independent implementation of CoAP puts together."""

    async def request():
        context = await aiocoap.Context.create_client_context()
        try:
            return await asyncio.wait_for(context.request(message).response, 20)
        finally:
            await context.shutdown()

    return asyncio.run(request())


@pytest.mark.parametrize("size", [1024, 1025, 5000, BODY_BYTES_MAX])
def test_large_event_is_stored_whole(collector, size):
    body = large_event(size)
    answer = ask(aiocoap.Message(code=aiocoap.POST, uri=collector.uri("/events"), payload=body,
                                 content_format=50))
    assert str(answer.code) == "2.01 Created"
    (row,) = collector.rows()
    assert row["value"] == json.loads(body)["payload"]["value"]
    assert collector.metric("bodies_assembling") == 0


def test_too_large_event_is_refused_with_the_limit(collector):
    body = large_event(BODY_BYTES_MAX + 1)
    answer = ask(aiocoap.Message(code=aiocoap.POST, uri=collector.uri("/events"), payload=body,
                                 content_format=50))
    assert str(answer.code) == "4.13 Request Entity Too Large"
    assert answer.opt.size1 == BODY_BYTES_MAX
    assert collector.rows() == []


def test_every_block_is_acknowledged_and_may_come_twice(collector, peer):
    body = large_event(2500)
    requests = [wire.post_block(body, number) for number in range(3)]
    for number, request in enumerate(requests):
        last = number == 2
        for answer in (peer.ask(request), peer.ask(request)):
            assert answer.code == (wire.CREATED if last else wire.CONTINUE)
            assert answer.option(wire.BLOCK1) == number << 4 | (not last) << 3 | 6
        assert peer.ask(requests[0]).code == wire.CONTINUE
    assert len(collector.rows()) == 1


def test_missing_block_is_told_and_nothing_is_stored(collector, peer):
    body = large_event(2500)
    assert peer.ask(wire.post_block(body, 0)).code == wire.CONTINUE
    assert peer.ask(wire.post_block(body, 2)).code == wire.INCOMPLETE
    assert collector.rows() == []
    for number, code in enumerate([wire.CONTINUE, wire.CONTINUE, wire.CREATED]):
        assert peer.ask(wire.post_block(body, number)).code == code
    assert len(collector.rows()) == 1


def test_announced_size_is_refused_with_the_first_block(peer):
    request = wire.post_block(large_event(2500), 0)
    request.options.append((wire.SIZE1, (BODY_BYTES_MAX + 1).to_bytes(3, "big")))
    answer = peer.ask(request)
    assert (answer.code, answer.option(wire.SIZE1)) == (wire.TOO_LARGE, BODY_BYTES_MAX)


def test_bodies_are_bounded(start):
    collector = start(bodies_max=1)
    body = large_event(2500)
    with collector.peer() as one, collector.peer() as two:
        assert one.ask(wire.post_block(body, 0)).code == wire.CONTINUE
        refused = two.ask(wire.post_block(body, 0))
        assert refused.code == wire.UNAVAILABLE
        assert refused.option(wire.MAX_AGE) > 0
        assert [one.ask(wire.post_block(body, n)).code for n in (1, 2)] == \
            [wire.CONTINUE, wire.CREATED]
        assert two.ask(wire.post_block(body, 0)).code == wire.CONTINUE


def test_small_blocks_of_an_answer_are_put_together(collector):
    whole = ask(aiocoap.Message(code=aiocoap.GET, uri=collector.uri("/.well-known/core")))
    small = aiocoap.Message(code=aiocoap.GET, uri=collector.uri("/.well-known/core"))
    small.opt.block2 = (0, False, 0)
    assert ask(small).payload == whole.payload
    assert whole.payload.startswith(b"</events>;")


def test_answers_to_strangers_are_small(peer):
    for path in ("/health", "/.well-known/core", "/nowhere"):
        request = wire.request(wire.GET, path, options=[(wire.SIZE2, b"")])
        answer = peer.ask(request)
        assert len(wire.encode(answer)) <= UNVERIFIED_BYTES_MAX
    first = peer.ask(wire.request(wire.GET, "/.well-known/core", options=[(wire.SIZE2, b"")]))
    assert first.option(wire.BLOCK2) == 0x0A  # block 0, more follow, 64 bytes
    assert len(first.payload) == 64
    after = first.option(wire.SIZE2) // 64 + 1
    beyond = wire.request(wire.GET, "/.well-known/core",
                          options=[(wire.BLOCK2, wire.block(after, 0, 2))])
    assert peer.ask(beyond).code == wire.BAD_REQUEST


@pytest.mark.parametrize("query, events, health", [
    ("rt=events", True, False), ("rt=h*", False, True), ("href=/events", True, False),
    ("if=core.s", True, True), ("rt=nothing", False, False),
])
def test_resources_are_filtered(collector, query, events, health):
    answer = ask(aiocoap.Message(code=aiocoap.GET,
                                 uri=collector.uri(f"/.well-known/core?{query}")))
    assert str(answer.code) == "2.05 Content"
    text = answer.payload.decode()
    assert ("</events>" in text, "</health>" in text) == (events, health)


@pytest.mark.parametrize("kind", [wire.CON, wire.NON])
def test_answer_that_nobody_wants_is_not_sent(collector, peer, kind):
    unwanted = [(wire.NO_RESPONSE, b"\x02")]
    request = wire.post(wire.event(), kind=kind, options=unwanted)
    peer.send(request)
    if kind == wire.CON:
        assert peer.receive() == wire.Message(wire.ACK, wire.EMPTY, request.message_id)
    assert peer.receive(0.3) is None
    assert len(collector.rows()) == 1
    refused = wire.post(b"not json", kind=kind, options=unwanted)
    assert peer.ask(refused).code == wire.BAD_REQUEST
