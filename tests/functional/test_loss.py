"""Devices on a lossy link that keep an event until it is acknowledged."""

import collections
import concurrent.futures
import json
import random

import dtls
import pytest
import wire
from dtls import KEY
from interop import Ask, Psk, Relay, dtls_clients
from processes import CLIENT, environment, rows_of, run


@pytest.mark.long
def test_100000_events_at_20_percent_loss_each_way_are_all_stored_once(start):
    collector = start()
    host, port = collector.coap
    done = run(
        CLIENT, "-H", host, "-P", port, "load", "--devices", 20000, "--events", 100000,
        "--loss", 20, "--until-stored", "--verify", "--sqlite", collector.database,
        seconds=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    query = "SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM events"
    assert rows_of(collector.database, query) == [{"rows": 100000, "ids": 100000}]


class BadLink:
    """Loses a fifth of the datagrams each way, doubles a tenth, and lets a fifth be overtaken. What
    becomes of a peer's n-th datagram depends on the seed alone."""

    def __init__(self, seed):
        self.seed = seed
        self.peers = {}
        self.counts = collections.Counter()

    def draw(self, passing):
        peer = self.peers.setdefault(passing.peer, len(self.peers))
        self.counts[peer, passing.upward] += 1
        count = self.counts[peer, passing.upward]
        return random.Random(f"{self.seed} {peer} {passing.upward} {count}")

    def lose(self, passing, _):
        self.drawn = self.draw(passing)
        return self.drawn.random() < 0.2

    def delays(self, _):
        return [0.05 * (self.drawn.random() < 0.2) for _ in range(1 + (self.drawn.random() < 0.1))]

    def relay(self, collector):
        return Relay(dtls.coaps_address(collector), self.lose, delays=self.delays,
                     decode=dtls.records)


def by_our_client(relay, *arguments, seconds=60):
    return run(CLIENT, "-H", f"coaps://127.0.0.1:{relay.address[1]}", *arguments, seconds=seconds,
               env=environment(COLLECTOR_PSK_IDENTITY="probe",
                               COLLECTOR_PSK_KEY=KEY.encode().hex()))


def handshakes(collector):
    return {result: collector.metric(f'coaps_handshakes_total{{result="{result}"}}')
            for result in ("ok", "failed", "refused")}


@pytest.mark.slow
def test_dtls_of_our_devices(with_key):
    """With this seed nobody has so much bad luck that its timer, which doubles, outgrows the half
    minute of a handshake; of 300 devices on such a link four had."""
    with BadLink(4).relay(with_key) as relay:
        done = by_our_client(
            relay, "load", "--devices", 10, "--events", 20, "--until-stored", "--ack-timeout",
            "0.5", "--json", "--verify", "--sqlite", with_key.database)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["handshakes"], report["stored"]) == (10, 20)
    assert report["verify"]["proven"]
    assert len(with_key.rows()) == 20
    assert handshakes(with_key) == {"ok": 10, "failed": 0, "refused": 0}


def post(value):
    event = wire.event(value, timestamp="2026-01-01T00:00:00Z")
    return Ask("POST", "/events", json.dumps(event).encode(), content_format=wire.JSON,
               credentials=Psk("probe", KEY))


def libcoap_of(name):
    libcoap = dtls_clients()[name]
    dtls.program(libcoap.names[0], "libcoap3-bin")
    return libcoap


@pytest.mark.slow
@pytest.mark.parametrize("client, devices, seed", [
    ("libcoap-openssl", 6, 4), ("libcoap-gnutls", 6, 6),  # seeds of quick ones
    pytest.param("libcoap-openssl", 60, 1, marks=pytest.mark.long),
    pytest.param("libcoap-gnutls", 60, 1, marks=pytest.mark.long),
])
def test_dtls_of_other_devices(with_key, client, devices, seed):
    """libcoap gives a session up after five of its timeouts: then its device tries again."""
    libcoap = libcoap_of(client)

    def device(number):
        for _ in range(5):
            (answer,) = libcoap.ask(relay.address, post(number))
            if answer.code == "2.01":
                return True
        return False

    with BadLink(seed).relay(with_key) as relay, \
            concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert all(pool.map(device, range(devices)))
    assert sorted(row["value"] for row in with_key.rows()) == list(range(devices))
    assert handshakes(with_key)["ok"] >= devices


@pytest.mark.slow
@pytest.mark.parametrize("client, times", [
    ("ours", 2), ("libcoap-openssl", 1), ("libcoap-gnutls", 2)])
def test_the_last_flight_is_lost(with_key, client, times):
    """The collector's session is there, the device's is not: it says its last again, and gets the
    answer to that again."""
    def lose(passing, before):
        return (not passing.upward and any(record.finished for record in passing.message) and
                sum(one.lost for one in before) < times)

    with Relay(dtls.coaps_address(with_key), lose, decode=dtls.records) as relay:
        if client == "ours":
            done = by_our_client(relay, "send", "temperature", "21.5")
            assert done.returncode == 0 and "2.01" in done.stdout, done.stderr
        else:
            (answer,) = libcoap_of(client).ask(relay.address, post(21.5))
            assert answer.code == "2.01", answer
    lost = [passed for passed in relay.passed if passed.lost]
    assert len(lost) == times
    assert [row["value"] for row in with_key.rows()] == [21.5]
    assert handshakes(with_key) == {"ok": 1, "failed": 0, "refused": 0}
