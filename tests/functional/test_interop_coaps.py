"""DTLS that others wrote: who may is stored, all others get the alert or code that says why."""

import dataclasses
import json
import random
import re

import dtls
import interop
import pytest
import wire
from dtls import KEY, LISTEN, OTHER, Authority, keys
from interop import Ask, Certified, Psk, Relay
from processes import cannot_test

pytestmark = pytest.mark.interop

CLIENTS = ["libcoap-openssl", "libcoap-gnutls", "aiocoap", "californium"]
# tinydtls, under aiocoap, has no certificates and one cipher.
with_certificates = pytest.mark.parametrize(
    "name", [name for name in CLIENTS if name != "aiocoap"], indirect=True)
CIPHERS = {
    "TLS_PSK_WITH_AES_128_CCM_8": 0xC0A8,
    "TLS_PSK_WITH_AES_128_GCM_SHA256": 0x00A8,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8": 0xC0AE,
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": 0xC02B,
}
BAD_RECORD_MAC, HANDSHAKE_FAILURE, REVOKED, EXPIRED = 20, 40, 44, 45
UNKNOWN_CA, UNKNOWN_IDENTITY = 48, 115


@pytest.fixture(scope="module")
def fleet():
    clients = interop.dtls_clients()
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module", params=CLIENTS)
def name(request, fleet):
    if reason := fleet[request.param].missing():
        cannot_test(reason)
    return request.param


@pytest.fixture
def ask(fleet, name):
    """Has the client send requests at once through a relay; the answers, and what has passed."""
    def ask(collector, *asks):
        with Relay(dtls.coaps_address(collector), decode=dtls.records) as relay:
            host, port = relay.address
            if name == "californium":
                host = "localhost"  # whom the certificate is for: it looks at that
            answers = fleet[name].ask((host, port), *asks)
        return answers, [record for passed in relay.passed for record in passed.message]

    return ask


def post(credentials, kind="CON", **event):
    return Ask("POST", "/events", json.dumps(wire.event(**event)).encode(), kind, 50,
               credentials=credentials)


def certified_by(authority, name, **how):
    certificate, key = authority.issue(name, **how)
    return Certified(certificate, key, authority.certificate)


def stored_once(collector, ask, credentials):
    """The ciphers that the collector has chosen."""
    answers, records = ask(collector, post(credentials, value=1),
                           post(credentials, "NON", value=2),
                           Ask("GET", "/health", credentials=credentials))
    assert [answer.code for answer in answers] == ["2.01", "2.01", "2.05"]
    assert sorted(row["value"] for row in collector.rows()) == [1, 2]
    assert not any(record.alert for record in records)
    return {record.cipher for record in records if record.cipher}


def test_with_a_key(with_key, ask, name):
    ciphers = stored_once(with_key, ask, Psk("probe", KEY))
    assert ciphers == {0xC0A8} if name == "aiocoap" else ciphers


@with_certificates
def test_with_a_certificate(certified, authority, ask):
    assert stored_once(certified, ask, certified_by(authority, "probe"))


def side_by_side(start, authority, **options):
    certificate, key = authority.issue("localhost")
    return start(psk_file=keys(start.directory / "keys", probe=KEY), coaps_listen=LISTEN,
                 tls_certificate_file=certificate, tls_key_file=key,
                 tls_client_ca_file=authority.certificate, **options)


@pytest.mark.parametrize("name", ["californium"], indirect=True)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_ciphers(start, authority, ask, cipher):
    collector = side_by_side(start, authority)
    credentials = Psk("probe", KEY) if "PSK" in cipher else certified_by(authority, "probe")
    credentials.cipher = cipher
    assert stored_once(collector, ask, credentials) == {CIPHERS[cipher]}


@pytest.mark.parametrize("name", ["aiocoap", "californium"], indirect=True)
def test_records_that_come_twice_and_out_of_order(with_key, fleet, name):
    """RFC 6347 section 4.1.2.6: each is taken once, so that CoAP sees no duplicate."""
    drawn = random.Random(1)

    def delays(passing):
        if passing.message[0].type != dtls.Record.APPLICATION:
            return (0,)
        return (drawn.uniform(0, 0.1), drawn.uniform(0, 0.1))

    probe = Psk("probe", KEY)
    with Relay(dtls.coaps_address(with_key), decode=dtls.records, delays=delays) as relay:
        # Californium keeps no more than ten requests for the end of the handshake.
        fleet[name].ask(relay.address, Ask("GET", "/health", credentials=probe))
        answers = fleet[name].ask(
            relay.address, *(post(probe, "NON", value=n) for n in range(40)))
    assert [answer.code for answer in answers] == ["2.01"] * 40
    assert sorted(row["value"] for row in with_key.rows()) == list(range(40))
    assert with_key.metric('duplicates_total{exchange="answered"}') == 0
    assert with_key.metric('duplicates_total{exchange="pending"}') == 0


@pytest.mark.parametrize("name", ["aiocoap", "californium"], indirect=True)
def test_the_last_flight_is_lost(with_key, fleet, name):
    """As in test_loss.py, which has libcoap's: it says its last again, and is told again."""
    def lose(passing, before):
        return (not passing.upward and any(record.finished for record in passing.message) and
                not any(one.lost for one in before))

    with Relay(dtls.coaps_address(with_key), lose, decode=dtls.records) as relay:
        (answer,) = fleet[name].ask(relay.address, post(Psk("probe", KEY)))
    assert answer.code == "2.01"
    assert sum(one.lost for one in relay.passed) == 1
    assert len(with_key.rows()) == 1
    assert with_key.metric('coaps_handshakes_total{result="ok"}') == 1


@pytest.mark.parametrize("name", ["californium"], indirect=True)
def test_a_session_begins_again_when_the_collector_stops(start, with_key, fleet, name):
    port = dtls.coaps_address(with_key)[1]
    probe = Psk("probe", KEY)
    for number in range(2):
        (answer,) = fleet[name].ask(("127.0.0.1", port), post(probe, value=number))
        assert answer.code == "2.01"
        if number == 0:
            with_key.stop()
            start(psk_file=start.directory / "keys", coaps_listen=f"127.0.0.1:{port}")
    assert sorted(row["value"] for row in with_key.rows()) == [0, 1]


def refused(collector, ask, credentials, alert):
    (answer,), records = ask(collector, post(credentials))
    assert not re.match(r"\d\.\d\d", answer.code), answer
    assert {record.alert for record in records if record.alert} == {alert}
    assert collector.rows() == []


@pytest.mark.parametrize("credentials, alert", [
    (Psk("probe", OTHER), BAD_RECORD_MAC),
    (Psk("stranger", KEY), UNKNOWN_IDENTITY),
])
def test_without_the_key(with_key, ask, credentials, alert):
    refused(with_key, ask, credentials, alert)


@with_certificates
def test_certificates_that_are_not_taken(certified, authority, ask, name, tmp_path):
    impostor = dataclasses.replace(certified_by(Authority(tmp_path, "stranger"), "impostor"),
                                   authority=authority.certificate)
    # Others than OpenSSL offer no certificate where the collector did not name its authority.
    refused(certified, ask, impostor,
            UNKNOWN_CA if name == "libcoap-openssl" else HANDSHAKE_FAILURE)
    refused(certified, ask, certified_by(authority, "old", expired=True), EXPIRED)
    lost = certified_by(authority, "lost")
    authority.revocation(lost.certificate)
    certified.told("certificates read again")
    refused(certified, ask, lost, REVOKED)


ACCESS = """
psk:probe city {name} *
cn:probe  city {name} *
"""


def granted_only(collector, ask, credentials):
    foreign = {"namespace": "country", "sender": "probe"}
    other = {"namespace": "city", "sender": "meter"}
    own = {"namespace": "city", "sender": "probe"}
    answers, _ = ask(collector, *(post(credentials, kind, **event)
                                  for event in (foreign, other, own) for kind in ("CON", "NON")))
    assert [answer.code for answer in answers] == ["4.03"] * 4 + ["2.01"] * 2
    assert answers[0].text().startswith("namespace is not yours")
    assert answers[2].text().startswith("sender is not yours")
    stored = {(row["name_space"], row["sender"]) for row in collector.rows()}
    assert stored == {("city", "probe")}


@pytest.fixture
def granting(start, authority):
    (start.directory / "access").write_text(ACCESS)
    return side_by_side(start, authority, access_file=start.directory / "access")


def test_a_foreign_namespace_with_a_key(granting, ask):
    granted_only(granting, ask, Psk("probe", KEY))


@with_certificates
def test_a_foreign_namespace_with_a_certificate(granting, authority, ask):
    granted_only(granting, ask, certified_by(authority, "probe"))
