"""The message layer: what RFC 7252 asks of types, message ids, tokens and retransmissions."""

import contextlib
import dataclasses
import sqlite3
import time

import wire
from processes import wait_until

QUIET_SECONDS = 0.3


def test_retransmission_gets_the_same_answer_and_is_stored_once(collector, peer):
    request = wire.post(wire.event())
    first = peer.ask(request)
    again = peer.ask(request)
    assert first.code == wire.CREATED
    assert again == first
    assert len(collector.rows()) == 1
    assert collector.metric('duplicates_total{exchange="answered"}') == 1


def test_burst_of_one_datagram_is_stored_once(collector, peer):
    request = wire.post(wire.event())
    for _ in range(50):
        peer.send(request)
    answers = []
    while (answer := peer.receive(QUIET_SECONDS)) is not None:
        answers.append(answer)
    # Acknowledged where they met the first one pending, answered as the first one afterwards.
    assert len(answers) >= 50
    assert {answer.code for answer in answers} <= {wire.EMPTY, wire.CREATED}
    assert {answer.token for answer in answers if answer.code} == {request.token}
    assert all(answer.message_id == request.message_id for answer in answers
               if answer.type == wire.ACK)
    assert len(collector.rows()) == 1


def test_retransmitted_refusal_is_refused_alike(peer):
    request = wire.post(b"not json")
    assert peer.ask(request) == peer.ask(request)


def test_reused_message_id_and_token_with_another_event(collector, peer):
    request = wire.post(wire.event(1))
    other = dataclasses.replace(wire.post(wire.event(2)), message_id=request.message_id,
                                token=request.token)
    assert peer.ask(request).code == wire.CREATED
    assert peer.ask(other).code == wire.CREATED
    assert sorted(row["value"] for row in collector.rows()) == [1, 2]


def test_same_message_from_two_peers_is_two_exchanges(collector):
    request = wire.post(wire.event())
    with collector.peer() as one, collector.peer() as two:
        assert one.ask(request).code == wire.CREATED
        assert two.ask(request).code == wire.CREATED
    assert len(collector.rows()) == 2


def test_tokens_of_every_length(collector, peer):
    for length in range(9):
        token = bytes(range(length))
        answer = peer.ask(wire.post(wire.event(length), token=token))
        assert (answer.code, answer.token) == (wire.CREATED, token)
    assert len(collector.rows()) == 9


def test_non_confirmable_is_answered_non_confirmable(collector, peer):
    request = wire.post(wire.event(), kind=wire.NON)
    answer = peer.ask(request)
    assert (answer.type, answer.code) == (wire.NON, wire.CREATED)
    again = peer.ask(request)
    assert (again.type, again.code) == (wire.NON, wire.CREATED)
    assert len(collector.rows()) == 1


def test_ping_is_reset(peer):
    peer.send(wire.Message(wire.CON, wire.EMPTY, 4711))
    assert peer.receive() == wire.Message(wire.RST, wire.EMPTY, 4711)


def test_unexpected_response_is_reset(peer):
    peer.send(wire.Message(wire.CON, wire.CREATED, 4712, b"\x01"))
    assert peer.receive() == wire.Message(wire.RST, wire.EMPTY, 4712)


def silent(collector, peer, *datagrams, malformed):
    """Sends datagrams that must not be answered; then the collector still serves."""
    before = collector.metrics()
    for datagram in datagrams:
        peer.send(datagram)
    answer = peer.ask(wire.request(wire.GET, "/health"))
    assert answer.code == wire.CONTENT
    assert peer.receive(QUIET_SECONDS) is None

    def grown(name):
        name = f"coap_collector_{name}"
        return collector.metrics()[name] - before[name]

    assert grown("datagrams_received_total") == len(datagrams) + 1
    assert grown("datagrams_malformed_total") == (len(datagrams) if malformed else 0)


def test_stray_acknowledgement_and_reset_are_ignored(collector, peer):
    stray = [wire.Message(kind, wire.EMPTY, 1) for kind in (wire.ACK, wire.RST)]
    stray += [wire.Message(kind, wire.CREATED, 2, b"t") for kind in (wire.ACK, wire.NON)]
    silent(collector, peer, *stray, malformed=False)


def test_what_is_no_coap_message_is_counted_and_ignored(collector, peer):
    good = wire.encode(wire.post(wire.event()))
    datagrams = {
        "empty": b"",
        "one byte": b"\x40",
        "three bytes": good[:3],
        "version 0": bytes([good[0] & 0x3F]) + good[1:],
        "version 2": bytes([good[0] & 0x3F | 0x80]) + good[1:],
        "version 3": bytes([good[0] | 0xC0]) + good[1:],
        "token length 9": bytes([0x49]) + good[1:],
        "token length 15": bytes([0x4F]) + good[1:],
        "token cut short": good[:6],
        "empty message with a token": b"\x41\x00\x00\x01t",
        "option cut short": bytes([0x40, 2, 0, 1, 0xB6]) + b"eve",
        "option length cut short": bytes([0x40, 2, 0, 1, 0xBD]),
        "option delta 15": bytes([0x40, 2, 0, 1, 0xF1, 0]),
        "option length 15": bytes([0x40, 2, 0, 1, 0xBF, 0]),
        "payload marker and no payload": good[:good.index(0xFF) + 1],
    }
    del datagrams["empty"]  # the kernel delivers it, libraries differ in whether it is read
    silent(collector, peer, *datagrams.values(), malformed=True)
    assert collector.rows() == []


def test_unknown_elective_option_is_ignored(collector, peer):
    assert peer.ask(wire.post(wire.event(), options=[(2048, b"x")])).code == wire.CREATED


def test_uri_host_and_port_and_query_are_taken(peer):
    options = [(3, b"collector.example"), (7, b"\x16\x33"), (15, b"unknown=1")]
    assert peer.ask(wire.post(wire.event(), options=options)).code == wire.CREATED


def test_critical_option_in_a_non_confirmable_is_silence(collector, peer):
    peer.send(wire.post(wire.event(), kind=wire.NON, options=[(2049, b"x")]))
    assert peer.ask(wire.request(wire.GET, "/health")).code == wire.CONTENT
    assert peer.receive(QUIET_SECONDS) is None
    assert collector.rows() == []


def test_full_pending_table_answers_unavailable_with_max_age(start):
    collector = start(pending_events_max=1)
    with collector.peer() as peer:
        requests = [wire.post(wire.event(n)) for n in range(150)]
        for request in requests:
            peer.send(request)
        answers = [peer.receive() for _ in requests]
        codes = {answer.code for answer in answers}
        assert codes == {wire.CREATED, wire.UNAVAILABLE}
        refused = [answer for answer in answers if answer.code == wire.UNAVAILABLE]
        assert all(answer.option(wire.MAX_AGE) > 0 for answer in refused)
        stored = sum(answer.code == wire.CREATED for answer in answers)
        assert len(collector.rows()) == stored
        # Refused is not forgotten: the same request is processed when it comes again.
        by_token = {request.token: request for request in requests}
        wait_until(lambda: peer.ask(by_token[refused[0].token]).code == wire.CREATED)


@contextlib.contextmanager
def no_commits(collector):
    """Keeps the store's file locked, so that the collector's commit has to wait."""
    connection = sqlite3.connect(collector.database, timeout=10, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def test_slow_commit_is_acknowledged_first_and_answered_separately(collector, peer):
    request = wire.post(wire.event())
    with no_commits(collector):
        asked = time.monotonic()
        peer.send(request)
        empty = peer.receive()
        assert empty == wire.Message(wire.ACK, wire.EMPTY, request.message_id)
        assert 0.9 < peer.answered - asked < 1.9
        assert collector.rows() == []
    answer = peer.receive()
    assert (answer.type, answer.code, answer.token) == (wire.CON, wire.CREATED, request.token)
    assert len(collector.rows()) == 1
    # Not acknowledged, it comes again; acknowledged, it does not.
    again = peer.receive()
    assert again == answer
    assert collector.metric("separate_answers_waiting") == 1
    peer.send(wire.Message(wire.ACK, wire.EMPTY, answer.message_id))
    wait_until(lambda: collector.metric("separate_answers_waiting") == 0)
    replayed = peer.ask(request)
    assert replayed.code == wire.CREATED
    assert len(collector.rows()) == 1


def test_retransmission_during_a_slow_commit_is_acknowledged_at_once(collector, peer):
    request = wire.post(wire.event())
    with no_commits(collector):
        peer.send(request)
        assert peer.receive(QUIET_SECONDS) is None
        for _ in range(2):
            peer.send(request)
            assert peer.receive() == wire.Message(wire.ACK, wire.EMPTY, request.message_id)
    answer = peer.receive()
    assert (answer.type, answer.code, answer.token) == (wire.CON, wire.CREATED, request.token)
    peer.send(wire.Message(wire.RST, wire.EMPTY, answer.message_id))
    wait_until(lambda: collector.metric('separate_answers_total{event="reset"}') == 1)
    assert len(collector.rows()) == 1
