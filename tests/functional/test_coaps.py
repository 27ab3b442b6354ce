"""CoAP over DTLS, as clients of other makes see it: who has a key is stored, nobody else is."""

import re
import sqlite3
import time

import dtls
import pytest
import wire
from processes import CLIENT, COLLECTOR, environment, run, wait_until

KEY = "sixteen bytes ok"
OTHER = "0123456789abcdef"
LISTEN = "127.0.0.1:0"


def keys(path, **known):
    """A file of keys, replaced as a whole."""
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(f"{who}:{key.encode().hex()}\n" for who, key in known.items()))
    fresh.rename(path)
    return path


@pytest.fixture
def secured(start):
    file = keys(start.directory / "keys", probe=KEY)
    return start(psk_file=file, coaps_listen=LISTEN)


def failed(collector):
    return collector.metric('coaps_handshakes_total{result="failed"}')


def test_who_has_the_key_is_stored_once(secured):
    assert dtls.stored(dtls.send(secured, "-u", "probe", "-k", KEY))
    assert [row["origin"] for row in secured.rows()] == ["probe"]
    assert secured.metric('coaps_handshakes_total{result="ok"}') == 1


@pytest.mark.parametrize("who, key", [("probe", OTHER), ("stranger", KEY)])
def test_who_has_not_is_refused(secured, who, key):
    assert "c:2" not in dtls.send(secured, "-u", who, "-k", key, seconds=2)
    assert secured.rows() == []
    if who == "stranger":
        assert failed(secured) == 1
        wait_until(lambda: "at coaps: no key for identity 'stranger'" in secured.output())


def test_plain_datagrams_are_not_answered(secured):
    with wire.Peer(dtls.coaps_address(secured)) as peer:
        peer.send(wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON))
        assert peer.receive(0.3) is None
    assert secured.rows() == []


def test_errors_are_those_of_plain_coap(secured):
    probe = ["-u", "probe", "-k", KEY]
    assert "c:4.04" in dtls.send(secured, *probe, path="/nothing")
    assert "c:4.00" in dtls.send(secured, *probe, event="{")
    assert "c:4.05" in dtls.send(secured, *probe, path="/.well-known/core")
    assert secured.rows() == []


def test_an_exchange_that_comes_again_is_stored_once(secured):
    """Without a timestamp: only the exchange tells that it is the same event."""
    request = wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON)
    with dtls.Tunnel(secured, "probe", KEY.encode().hex()) as tunnel:
        answers = []
        for _ in range(3):
            tunnel.send(wire.encode(request))
            answers.append(wire.decode(tunnel.receive()))
        again = wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON)
        tunnel.send(wire.encode(again))
        tunnel.receive()
    assert {(a.type, a.code, a.message_id) for a in answers} == {
        (wire.ACK, wire.CREATED, request.message_id)}
    assert len(secured.rows()) == 2
    assert secured.metric('duplicates_total{exchange="answered"}') == 2


@pytest.mark.slow
def test_a_slow_commit_is_acknowledged_first_and_answered_then(secured):
    request = wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON)
    other = sqlite3.connect(secured.database, isolation_level=None)
    with dtls.Tunnel(secured, "probe", KEY.encode().hex()) as tunnel:
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
    assert len(secured.rows()) == 1


def test_stopping_answers_what_is_pending(secured):
    request = wire.request(wire.POST, "/events", dtls.EVENT.encode(), content_format=wire.JSON)
    other = sqlite3.connect(secured.database, isolation_level=None)
    with dtls.Tunnel(secured, "probe", KEY.encode().hex()) as tunnel:
        other.execute("BEGIN IMMEDIATE")
        tunnel.send(wire.encode(request))
        wait_until(lambda: secured.metric("events_pending") == 1)
        secured.signal()
        other.execute("ROLLBACK")
        answer = wire.decode(tunnel.receive())
    other.close()
    assert answer.code == wire.CREATED
    assert secured.wait() == 0
    assert len(secured.rows()) == 1


@pytest.mark.slow
def test_keys_are_read_again(secured):
    file = secured.directory / "keys"
    with dtls.Tunnel(secured, "probe", KEY.encode().hex()) as tunnel:
        tunnel.send(wire.encode(wire.request(wire.GET, "/health")))
        assert wire.decode(tunnel.receive()).code == wire.CONTENT
        file.write_text("no key\n")
        wait_until(lambda: "line 1: is not identity:key; going on" in secured.output())
        assert secured.metric("coaps_sessions") == 1
        keys(file, successor=OTHER)
        wait_until(lambda: "keys read again" in secured.output())
        assert secured.metric("coaps_sessions") == 0  # whose key is gone has no session
    assert not dtls.stored(dtls.send(secured, "-u", "probe", "-k", KEY, seconds=1))
    assert dtls.stored(dtls.send(secured, "-u", "successor", "-k", OTHER))


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


def test_a_port_that_is_taken_is_refused(secured, tmp_path):
    host, port = dtls.coaps_address(secured)
    done = run(COLLECTOR, "--psk-file", secured.directory / "keys", "--coaps-listen",
               f"{host}:{port}", "--coap-listen", LISTEN, "--http-listen", LISTEN,
               "--sqlite-path", tmp_path / "second.db")
    assert done.returncode == 69
    assert f"coaps {host}:{port}: Address already in use" in done.stderr


class Authority:
    """Makes certificates with openssl."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.certificate = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", self.key, "-out", self.certificate, "-days", "2",
                  "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.index = directory / f"{name}.index"
        self.index.touch()
        self.config = directory / f"{name}.cnf"
        self.config.write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={self.index}\nnew_certs_dir={directory}\n"
            f"certificate={self.certificate}\nprivate_key={self.key}\ndefault_md=sha256\n"
            f"rand_serial=yes\npolicy=any\ndefault_crl_days=2\nunique_subject=no\n"
            "[any]\ncommonName=supplied\n")

    def _run(self, *arguments):
        done = run(dtls.program("openssl", "openssl"), *arguments)
        assert done.returncode == 0, done.stderr

    def issue(self, name, expired=False):
        """The certificate and key of one that this authority vouches for."""
        key, request = self.directory / f"{name}.key", self.directory / f"{name}.csr"
        certificate = self.directory / f"{name}.pem"
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        begins, ends = (time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))
                        for days in (-3, -1 if expired else 2))
        self._run("ca", "-batch", "-notext", "-config", self.config, "-in", request, "-out",
                  certificate, "-startdate", begins, "-enddate", ends)
        return certificate, key

    def revocation(self, *certificates):
        file = self.directory / f"{self.name}.crl"
        for certificate in certificates:
            self._run("ca", "-config", self.config, "-revoke", certificate)
        self._run("ca", "-config", self.config, "-gencrl", "-out", file)
        return file


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "authority")


def with_certificate(pair, authority):
    certificate, key = pair
    return ["-c", certificate, "-j", key, "-R", authority.certificate]


@pytest.fixture
def certified(start, authority):
    certificate, key = authority.issue("localhost")
    return start(tls_certificate_file=certificate, tls_key_file=key, coaps_listen=LISTEN,
                 tls_client_ca_file=authority.certificate,
                 tls_revocation_file=authority.revocation())


def test_a_certificate_is_taken(certified, authority):
    assert dtls.stored(dtls.send(certified, *with_certificate(authority.issue("probe"), authority)))
    assert len(certified.rows()) == 1


def test_certificates_that_are_not_taken(certified, authority, tmp_path):
    stranger = Authority(tmp_path, "stranger").issue("impostor")
    expired = authority.issue("old", expired=True)
    for pair, why in ((stranger, "unable to get local issuer certificate"),
                      (expired, "certificate has expired")):
        assert not dtls.stored(
            dtls.send(certified, *with_certificate(pair, authority), seconds=2))
        wait_until(lambda why=why: f"at coaps: {why}" in certified.output())
    assert not dtls.stored(dtls.send(certified, "-R", authority.certificate, seconds=2))
    wait_until(lambda: "at coaps: peer did not return a certificate" in certified.output())
    assert certified.rows() == []
    assert failed(certified) == 3


@pytest.mark.slow
def test_a_certificate_is_revoked(certified, authority):
    probe = authority.issue("probe")
    assert dtls.stored(dtls.send(certified, *with_certificate(probe, authority)))
    authority.revocation(probe[0])
    wait_until(lambda: "certificates read again" in certified.output())
    assert not dtls.stored(dtls.send(certified, *with_certificate(probe, authority), seconds=2))
    wait_until(lambda: "at coaps: certificate revoked" in certified.output())
    assert len(certified.rows()) == 1


def test_keys_and_certificates_side_by_side(start, authority):
    certificate, key = authority.issue("localhost")
    collector = start(psk_file=keys(start.directory / "keys", probe=KEY), coaps_listen=LISTEN,
                      tls_certificate_file=certificate, tls_key_file=key,
                      tls_client_ca_file=authority.certificate)
    assert dtls.stored(dtls.send(collector, "-u", "probe", "-k", KEY))
    assert dtls.stored(dtls.send(collector, *with_certificate(authority.issue("other"), authority)))
    assert len(collector.rows()) == 2


def send_by_client(collector, *arguments, key=KEY, who="probe", **how):
    host, port = dtls.coaps_address(collector)
    return run(CLIENT, "-H", f"coaps://{host}:{port}", *arguments, "send", "temperature", "21.5",
               env=environment(COLLECTOR_PSK_IDENTITY=who, COLLECTOR_PSK_KEY=key.encode().hex()),
               **how)


def test_our_client_has_a_key(secured, tmp_path):
    done = send_by_client(secured)
    assert done.returncode == 0 and "2.01" in done.stdout, done.stderr
    file = tmp_path / "our-key"
    file.write_text(KEY.encode().hex() + "\n")
    done = send_by_client(secured, "--psk-identity", "probe", "--psk-key-file", file,
                          who="stranger", key=OTHER)
    assert done.returncode == 0, done.stderr
    assert len(secured.rows()) == 2


def test_our_client_says_that_it_is_not_let_in(secured):
    done = send_by_client(secured, who="stranger")
    assert done.returncode == 5
    assert "did not let us in (DTLS); are identity and key those it knows?" in done.stderr
    assert secured.rows() == []


@pytest.mark.parametrize("env, said", [
    ({}, "coaps:// needs --psk-identity, and --psk-key-file or COLLECTOR_PSK_KEY"),
    ({"COLLECTOR_PSK_IDENTITY": "probe", "COLLECTOR_PSK_KEY": "secret"},
     "COLLECTOR_PSK_KEY: is no key of 1 to 64 bytes in hexadecimal digits"),
])
def test_our_client_needs_a_whole_key(env, said):
    done = run(CLIENT, "-H", "coaps://127.0.0.1", "send", "t", "1", env=environment(**env))
    assert done.returncode == 2
    assert said in done.stderr and "secret" not in done.stderr
