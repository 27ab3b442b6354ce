"""Who asks in another's name gains little: what a collector sends to addresses that have proved
nothing, for each datagram of the fuzzers' corpus and for requests made to be answered at length."""

import contextlib
import select
import socket
import time

import dtls
import pytest
import wire
from processes import ROOT

CORPUS = ROOT / "tests/fuzz/corpus/receive"
SHORT_BYTES = 136  # RFC 9175 section 2.4; docs/protocol.md
HEADER_BYTES = 28  # of IPv4 and UDP, around both
AT_ONCE = 200
SETTLE_SECONDS = 0.3


def datagrams_in(steps):
    """As tests/fuzz/receive_fuzz.cc reads its input: a kind, then a length and a datagram."""
    at = 0
    while at < len(steps):
        kind = steps[at]
        at += 1
        if kind % 4 < 2:
            size = int.from_bytes(steps[at : at + 2].ljust(2, b"\0"), "big") % 2048
            yield steps[at + 2 : at + 2 + size]
            at += 2 + size


def requests():
    """Each datagram of the corpus once, and the shortest that are answered with a text."""
    found = {one for path in CORPUS.iterdir() for one in datagrams_in(path.read_bytes())}
    for path in ["/", "/health", "/.well-known/core", "/events", "/nothing"]:
        for code in [1, 2, 3, 4, 5, 31]:
            for kind in [wire.CON, wire.NON]:
                for token in [b"", bytes(8)]:
                    found.add(wire.encode(wire.request(code, path, kind=kind, token=token)))
                    found.add(wire.encode(wire.request(code, path, b"{", kind=kind, token=token)))
    return sorted(found)


def answers_to(collector, some):
    """{request: the sizes of its answers}; each from an address that has sent nothing before."""
    sizes = {request: [] for request in some}
    with contextlib.ExitStack() as stack:
        sockets = {}
        for request in some:
            peer = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            number = next(answers_to.numbers)
            peer.bind((f"127.{1 + number // 65536}.{number // 256 % 256}.{number % 256}", 0))
            peer.sendto(request, collector.coap)
            sockets[peer] = request
        deadline = time.monotonic() + SETTLE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            for peer in select.select(list(sockets), [], [], left)[0]:
                sizes[sockets[peer]].append(len(peer.recv(2048)))
    return sizes


answers_to.numbers = iter(range(1, 100_000))


def measured(collector, name):
    """(the largest factor, the same with the headers of IPv4 and UDP) over all requests."""
    every = requests()
    assert len(every) > 500
    sizes = {}
    for start in range(0, len(every), AT_ONCE):
        sizes |= answers_to(collector, every[start : start + AT_ONCE])
    answered = {request: answers for request, answers in sizes.items() if answers}
    assert len(answered) > len(every) // 4
    assert {len(answers) for answers in answered.values()} == {1}
    factor, worst = max((answers[0] / len(request), request)
                        for request, answers in answered.items())
    on_the_wire = max((answers[0] + HEADER_BYTES) / (len(request) + HEADER_BYTES)
                      for request, answers in answered.items())
    print(f"{name}: {len(every)} requests, {len(answered)} answered; largest answer "
          f"{max(map(max, answered.values()))} bytes; largest factor {factor:.1f} "
          f"({worst.hex()}: {len(worst)} to {answered[worst][0]} bytes), "
          f"{on_the_wire:.1f} with IPv4 and UDP")
    for request, answers in answered.items():
        assert answers[0] <= max(SHORT_BYTES, 3 * len(request)), request
    return factor, on_the_wire


def test_little_is_sent_to_whom_it_may_not_concern(collector):
    factor, on_the_wire = measured(collector, "plain")
    assert factor <= 14 and on_the_wire <= 5  # as SECURITY.md has it


def test_at_most_three_times_where_addresses_must_be_proven(start):
    collector = start("--require-echo")
    factor, on_the_wire = measured(collector, "--require-echo")
    assert factor <= 3 and on_the_wire <= 1.25
    assert collector.rows() == []
    assert collector.metric('echo_total{result="proven"}') == 0


def smallest_hello():
    """Of DTLS 1.2 (RFC 6347 section 4.2.2): no session, no cookie, one cipher, no extensions."""
    body = b"\xfe\xfd" + bytes(32) + b"\0" + b"\0" + b"\0\x02\xc0\xa8" + b"\x01\0"
    size = len(body).to_bytes(3, "big")
    handshake = b"\x01" + size + b"\0\0" + b"\0\0\0" + size + body
    return b"\x16\xfe\xfd" + bytes(8) + len(handshake).to_bytes(2, "big") + handshake


def test_a_hello_is_answered_by_less_than_it_was(start, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("probe:00112233445566778899aabbccddeeff\n")
    collector = start(psk_file=keys, coaps_listen="127.0.0.1:0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        peer.sendto(smallest_hello(), dtls.coaps_address(collector))
        answer = peer.recv(2048)
        assert answer[0] == 0x16 and answer[13] == 3  # a handshake's HelloVerifyRequest
        assert len(answer) < len(smallest_hello())
        peer.settimeout(SETTLE_SECONDS)
        with pytest.raises(TimeoutError):
            peer.recv(2048)
