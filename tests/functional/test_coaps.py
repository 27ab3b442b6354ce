"""CoAP over DTLS, as clients of other makes see it: who has a key is stored, nobody else is."""

import re
import sqlite3

import dtls
import pytest
import wire
from dtls import KEY, LISTEN, OTHER, Authority, keys
from processes import COLLECTOR, run, wait_until

def failed(collector):
    return collector.metric('coaps_handshakes_total{result="failed"}')


def test_who_has_the_key_is_stored_once(with_key):
    assert dtls.stored(dtls.send(with_key, "-u", "probe", "-k", KEY))
    assert [row["origin"] for row in with_key.rows()] == ["probe"]
    assert with_key.metric('coaps_handshakes_total{result="ok"}') == 1


@pytest.mark.parametrize("who, key, alert, why", [
    ("probe", OTHER, "bad record mac", "another key than ours"),
    ("stranger", KEY, "unknown PSK identity", "no key for identity 'stranger'"),
    ("two\nlines", KEY, "unknown PSK identity", "no key for identity 'two?lines'"),
])
def test_who_has_not_is_told_so_at_once(with_key, who, key, alert, why):
    shown = dtls.send(with_key, "-u", who, "-k", key)
    assert f"alert read:fatal:{alert}" in shown and "c:2" not in shown
    assert with_key.rows() == []
    assert failed(with_key) == 1
    with_key.told(f"at coaps: {why}")


def test_plain_datagrams_are_not_answered(with_key):
    with wire.Peer(dtls.coaps_address(with_key)) as peer:
        peer.send(wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON))
        assert peer.receive(0.3) is None
    assert with_key.rows() == []


def test_errors_are_those_of_plain_coap(with_key):
    probe = ["-u", "probe", "-k", KEY]
    assert "c:4.04" in dtls.send(with_key, *probe, path="/nothing")
    assert "c:4.00" in dtls.send(with_key, *probe, event="{")
    assert "c:4.05" in dtls.send(with_key, *probe, path="/.well-known/core")
    assert with_key.rows() == []


def test_an_exchange_that_comes_again_is_stored_once(with_key):
    """Without a timestamp: only the exchange tells that it is the same event."""
    request = wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON)
    with dtls.Tunnel(with_key, "probe", KEY.encode().hex()) as tunnel:
        answers = []
        for _ in range(3):
            tunnel.send(wire.encode(request))
            answers.append(wire.decode(tunnel.receive()))
        again = wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON)
        tunnel.send(wire.encode(again))
        tunnel.receive()
    assert {(a.type, a.code, a.message_id) for a in answers} == {
        (wire.ACK, wire.CREATED, request.message_id)}
    assert len(with_key.rows()) == 2
    assert with_key.metric('duplicates_total{exchange="answered"}') == 2


@pytest.mark.slow
def test_a_slow_commit_is_acknowledged_first_and_answered_then(with_key):
    request = wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON)
    other = sqlite3.connect(with_key.database, isolation_level=None)
    with dtls.Tunnel(with_key, "probe", KEY.encode().hex()) as tunnel:
        other.execute("BEGIN IMMEDIATE")
        tunnel.send(wire.encode(request))
        first = wire.decode(tunnel.receive())
        assert (first.type, first.code) == (wire.ACK, wire.EMPTY)
        assert first.message_id == request.message_id
        other.execute("ROLLBACK")
        answer = wire.decode(tunnel.receive())
        assert (answer.type, answer.code) == (wire.CON, wire.CREATED)
        assert answer.token == request.token
        tunnel.send(wire.encode(wire.Message(wire.ACK, wire.EMPTY, answer.message_id)))
    other.close()
    assert len(with_key.rows()) == 1


def test_stopping_answers_what_is_pending(with_key):
    request = wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON)
    other = sqlite3.connect(with_key.database, isolation_level=None)
    with dtls.Tunnel(with_key, "probe", KEY.encode().hex()) as tunnel:
        other.execute("BEGIN IMMEDIATE")
        tunnel.send(wire.encode(request))
        wait_until(lambda: with_key.metric("events_pending") == 1)
        with_key.signal()
        other.execute("ROLLBACK")
        answer = wire.decode(tunnel.receive())
    other.close()
    assert answer.code == wire.CREATED
    assert with_key.wait() == 0
    assert len(with_key.rows()) == 1


@pytest.mark.slow
def test_keys_are_read_again(with_key):
    file = with_key.directory / "keys"
    with dtls.Tunnel(with_key, "probe", KEY.encode().hex()) as tunnel:
        tunnel.send(wire.encode(wire.request(wire.GET, "/health")))
        assert wire.decode(tunnel.receive()).code == wire.CONTENT
        file.write_text("no key\n")
        with_key.told("line 1: is not identity:key; going on")
        assert with_key.metric("coaps_sessions") == 1
        keys(file, successor=OTHER)
        with_key.told("keys read again")
        # Whose key is gone has no session.
        wait_until(lambda: with_key.metric("coaps_sessions") == 0)
    assert not dtls.stored(dtls.send(with_key, "-u", "probe", "-k", KEY, seconds=1))
    assert dtls.stored(dtls.send(with_key, "-u", "successor", "-k", OTHER))


def test_sessions_are_bounded(start):
    file = keys(start.directory / "keys", probe=KEY)
    collector = start(psk_file=file, coaps_listen=LISTEN, coaps_sessions_max=2)
    ping = wire.encode(wire.request(wire.GET, "/health"))
    tunnels = []
    try:
        for _ in range(3):
            tunnels.append(dtls.Tunnel(collector, "probe", KEY.encode().hex()))
            tunnels[-1].send(ping)
            tunnels[-1].receive()
        assert collector.metric("coaps_sessions") == 2
        assert collector.metric("coaps_sessions_evicted_total") == 1
    finally:
        for tunnel in tunnels:
            tunnel.__exit__()


@pytest.mark.slow
def test_a_silent_session_ends(start):
    file = keys(start.directory / "keys", probe=KEY)
    collector = start(psk_file=file, coaps_listen=LISTEN, coaps_idle_seconds_max=1)
    with dtls.Tunnel(collector, "probe", KEY.encode().hex()) as tunnel:
        tunnel.send(wire.encode(wire.request(wire.GET, "/health")))
        tunnel.receive()
        wait_until(lambda: collector.metric("coaps_sessions") == 0)
    assert failed(collector) == 0


@pytest.mark.parametrize("text, said", [
    ("", "there is no key in it"),
    ("probe:abcd", "line 1: a key is 16 to 64 bytes, this one is 2"),
    ("\n# devices\nprobe=00", "line 3: is not identity:key"),
])
def test_a_wrong_file_ends_the_start(tmp_path, text, said):
    (tmp_path / "keys").write_text(text)
    done = run(COLLECTOR, "--psk-file", tmp_path / "keys", "--coaps-listen", LISTEN,
               "--coap-listen", LISTEN, "--http-listen", LISTEN,
               "--sqlite-path", tmp_path / "events.db")
    assert done.returncode == 78
    assert re.fullmatch(r"collector: \S*/keys: .*\n", done.stderr) and said in done.stderr


def test_a_port_that_is_taken_is_refused(with_key, tmp_path):
    host, port = dtls.coaps_address(with_key)
    done = run(COLLECTOR, "--psk-file", with_key.directory / "keys", "--coaps-listen",
               f"{host}:{port}", "--coap-listen", LISTEN, "--http-listen", LISTEN,
               "--sqlite-path", tmp_path / "second.db")
    assert done.returncode == 69
    assert f"coaps {host}:{port}: Address already in use" in done.stderr


def with_certificate(pair, authority):
    certificate, key = pair
    return ["-c", certificate, "-j", key, "-R", authority.certificate]


def test_a_certificate_is_taken(certified, authority):
    assert dtls.stored(dtls.send(certified, *with_certificate(authority.issue("probe"), authority)))
    assert len(certified.rows()) == 1


def test_certificates_that_are_not_taken(certified, authority, tmp_path):
    stranger = Authority(tmp_path, "stranger").issue("impostor")
    expired = authority.issue("old", expired=True)
    for pair, alert, why in (
            (stranger, "unknown CA", "unable to get local issuer certificate"),
            (expired, "certificate expired", "certificate has expired")):
        shown = dtls.send(certified, *with_certificate(pair, authority))
        assert f"alert read:fatal:{alert}" in shown and "c:2" not in shown
        certified.told(f"at coaps: {why}")
    shown = dtls.send(certified, "-R", authority.certificate)
    assert "alert read:fatal:handshake failure" in shown and "c:2" not in shown
    certified.told("at coaps: peer did not return a certificate")
    assert certified.rows() == []
    assert failed(certified) == 3


@pytest.mark.slow
def test_a_certificate_is_revoked(certified, authority):
    probe = authority.issue("probe")
    assert dtls.stored(dtls.send(certified, *with_certificate(probe, authority)))
    authority.revocation(probe[0])
    certified.told("certificates read again")
    shown = dtls.send(certified, *with_certificate(probe, authority))
    assert "alert read:fatal:certificate revoked" in shown and "c:2" not in shown
    certified.told("at coaps: certificate revoked")
    assert len(certified.rows()) == 1


def test_keys_and_certificates_side_by_side(start, authority):
    certificate, key = authority.issue("localhost")
    collector = start(psk_file=keys(start.directory / "keys", probe=KEY), coaps_listen=LISTEN,
                      tls_certificate_file=certificate, tls_key_file=key,
                      tls_client_ca_file=authority.certificate)
    assert dtls.stored(dtls.send(collector, "-u", "probe", "-k", KEY))
    assert dtls.stored(dtls.send(collector, *with_certificate(authority.issue("other"), authority)))
    assert len(collector.rows()) == 2
