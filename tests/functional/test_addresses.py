"""IPv4, IPv6, several addresses, and answers that come from where the request went."""

import socket

import pytest

import wire


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def stores(collector, address, value):
    with wire.Peer(address) as peer:  # connected: takes answers from that address only
        return peer.ask(wire.post(wire.event(value))).code == wire.CREATED


@needs_ipv6
def test_ipv6(start):
    collector = start(coap_listen="[::1]:0", http_listen="[::1]:0")
    assert collector.coap[0] == collector.http[0] == "::1"
    assert stores(collector, collector.coap, 6)


@needs_ipv6
def test_both_families_on_one_port(start):
    first = start(coap_listen="0.0.0.0:0")
    port = first.coap[1]
    first.stop()
    collector = start(coap_listen=f"0.0.0.0:{port},[::]:{port}")
    assert stores(collector, ("127.0.0.1", port), 4)
    assert stores(collector, ("::1", port), 6)


def test_several_addresses(start):
    collector = start(coap_listen="127.0.0.1:0,127.0.0.2:0,127.0.0.2:0")
    assert len(set(collector.coap_addresses)) == 3
    for n, address in enumerate(collector.coap_addresses):
        assert stores(collector, address, n)
    assert len(collector.rows()) == 3


@pytest.mark.parametrize("kind", [wire.CON, wire.NON])
def test_answer_comes_from_the_address_that_was_asked(start, kind):
    collector = start(coap_listen="0.0.0.0:0")
    port = collector.coap[1]
    with wire.Peer(("127.0.0.5", port), source=("127.0.0.1", 0)) as peer:
        assert peer.ask(wire.post(wire.event(), kind=kind)).code == wire.CREATED
        assert peer.ask(wire.request(wire.GET, "/health", kind=kind)).code == wire.CONTENT
        peer.send(wire.Message(wire.CON, wire.EMPTY, 1))
        assert peer.receive().type == wire.RST


def test_many_peers(start):
    collector = start(coap_listen="0.0.0.0:0", log_requests_per_second_max=0)
    port = collector.coap[1]
    peers = [wire.Peer(("127.0.0.1", port), (f"127.1.{n // 250}.{n % 250 + 1}", 0))
             for n in range(500)]
    try:
        for n, peer in enumerate(peers):
            peer.send(wire.post(wire.event(n)))
        assert {peer.receive().code for peer in peers} == {wire.CREATED}
    finally:
        for peer in peers:
            peer.socket.close()
    assert sorted(row["value"] for row in collector.rows()) == list(range(500))


def test_multicast_is_not_answered(start):
    """Errors are never answered to a group (RFC 7252 section 8.1), and nothing joins one."""
    collector = start(coap_listen="0.0.0.0:0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.settimeout(0.3)
        try:
            message = wire.request(wire.GET, "/.well-known/core", kind=wire.NON)
            sender.sendto(wire.encode(message), ("224.0.1.187", collector.coap[1]))
        except OSError as error:
            pytest.skip(f"no multicast here: {error}")
        with pytest.raises(TimeoutError):
            sender.recv(2048)
