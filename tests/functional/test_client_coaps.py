"""The client's coaps://: with a key or certificates it is let in, else it says why it is not."""

import json
import re
import signal
import subprocess
import time

import dtls
import pytest
from dtls import KEY, OTHER, Authority
from processes import CLIENT, environment, run, wait_until


def by_client(collector, *arguments, host="127.0.0.1", **variables):
    port = dtls.coaps_address(collector)[1]
    return run(CLIENT, "-H", f"coaps://{host}:{port}", *arguments, env=environment(**variables))


def pre_shared(key=KEY, who="probe"):
    return {"COLLECTOR_PSK_IDENTITY": who, "COLLECTOR_PSK_KEY": key.encode().hex()}


SEND = ("send", "temperature", "21.5")


def test_our_client_has_a_key(with_key, tmp_path):
    done = by_client(with_key, *SEND, **pre_shared())
    assert done.returncode == 0 and "2.01" in done.stdout, done.stderr
    file = tmp_path / "our-key"
    file.write_text(KEY.encode().hex() + "\n")
    done = by_client(with_key, *SEND, "--psk-identity", "probe", "--psk-key-file", file,
                     **pre_shared(OTHER, "stranger"))
    assert done.returncode == 0, done.stderr
    assert len(with_key.rows()) == 2


@pytest.mark.parametrize("who, key, why", [
    ("stranger", KEY, "it has no key for the identity 'stranger'"),
    ("probe", OTHER, "its key for 'probe' is another one"),
])
@pytest.mark.parametrize("command, status", [(SEND, 5), (("healthcheck",), 1),
                                             (("load", "--devices", "3"), 1)])
def test_our_client_says_why_it_is_not_let_in(with_key, who, key, why, command, status):
    done = by_client(with_key, *command, **pre_shared(key, who))
    assert done.returncode == status
    assert re.match(rf"client: no DTLS session with \S+: {why}", done.stderr), done.stderr
    assert with_key.rows() == []


def test_our_client_begins_a_session_again_when_the_collector_restarts(start, with_key, tmp_path):
    """Events go on, and none is lost: `replay` waits until each is stored."""
    recorded = tmp_path / "recorded.ndjson"
    recorded.write_text("".join(
        f'{{"time":"2026-01-01T00:00:{second:06.3f}Z","t":{second}}}\n'
        for second in (n / 100 for n in range(200))))
    port = dtls.coaps_address(with_key)[1]
    client = subprocess.Popen(
        [CLIENT, "-S", "-H", f"coaps://127.0.0.1:{port}", "replay", "--timestamp-column", "time",
         "--speed", "1x", recorded], env=environment(**pre_shared()), stderr=subprocess.PIPE,
        text=True)
    wait_until(lambda: len(with_key.rows()) > 20)
    with_key.signal()
    assert with_key.wait() == 0
    again = start(psk_file=start.directory / "keys", coaps_listen=f"127.0.0.1:{port}")
    assert client.wait(30) == 0, client.communicate()[1]
    client.stderr.close()
    assert len(again.rows()) == 200


@pytest.mark.slow
@pytest.mark.parametrize("how, away_s", [(signal.SIGTERM, 2), (signal.SIGKILL, 2),
                                         (signal.SIGKILL, 0)])
def test_our_client_outlives_its_session(start, with_key, how, away_s):
    """Whether it is told, or its port is refused, or nobody answers in the session any more."""
    port = dtls.coaps_address(with_key)[1]
    client = subprocess.Popen(
        [CLIENT, "-H", f"coaps://127.0.0.1:{port}", "--timeout", "30", "system", "-p", "2",
         "-n", "3"], env=environment(**pre_shared()), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    assert "2.01" in client.stdout.readline()
    with_key.signal(how)
    with_key.wait()
    time.sleep(away_s)
    again = start(psk_file=start.directory / "keys", coaps_listen=f"127.0.0.1:{port}")
    _, errors = client.communicate(timeout=40)
    assert client.returncode == 0, errors
    assert again.metric('coaps_handshakes_total{result="ok"}') == 1
    per_period = len(again.rows()) / 3
    assert per_period == int(per_period) > 1


def test_many_devices_of_our_load(with_key):
    done = by_client(with_key, "load", "--devices", "50", "-n", "500", "--json", "--verify",
                     "--sqlite", with_key.database, **pre_shared())
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["handshakes"], report["stored"]) == (50, 500)
    assert report["verify"]["proven"]
    assert with_key.metric('coaps_handshakes_total{result="ok"}') == 50
    wait_until(lambda: with_key.metric("coaps_sessions") == 0)  # they have taken leave


def files(authority, pair=(None, None), ca=None):
    variables = {"COLLECTOR_SERVER_CA_FILE": ca or authority.certificate}
    if pair[0]:
        variables |= {"COLLECTOR_CLIENT_CERTIFICATE_FILE": pair[0],
                      "COLLECTOR_CLIENT_KEY_FILE": pair[1]}
    return {name: str(value) for name, value in variables.items()}


@pytest.mark.parametrize("command", [SEND, ("load", "--devices", "3", "-n", "3")])
def test_our_client_has_a_certificate(certified, authority, command):
    probe = authority.issue("probe")
    done = by_client(certified, *command, host="localhost", **files(authority, probe))
    assert done.returncode == 0, done.stderr
    options = ["--server-ca-file", authority.certificate, "--client-certificate-file", probe[0],
               "--client-key-file", probe[1]]
    done = by_client(certified, *options, *command, host="localhost")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [SEND, ("load", "--devices", "3")])
def test_why_certificates_are_not_taken(certified, authority, tmp_path, command):
    stranger = Authority(tmp_path, "stranger")
    probe = authority.issue("probe")

    def refused(host="localhost", **variables):
        done = by_client(certified, *command, host=host, **variables)
        assert done.returncode in (1, 5)
        return done.stderr.split(": ", 2)[2]

    assert refused(**files(authority, stranger.issue("impostor"))).startswith(
        "it does not trust the authority of our certificate")
    assert refused(**files(authority, authority.issue("old", expired=True))).startswith(
        "our certificate has expired")
    assert refused(**files(authority)).startswith("it wants a certificate of ours, or a key")
    assert refused(**files(authority, probe, ca=stranger.certificate)).startswith(
        "its certificate cannot be trusted: unable to get local issuer certificate")
    assert refused("127.0.0.1", **files(authority, probe)).startswith(
        "its certificate cannot be trusted: IP address mismatch")
    authority.revocation(probe[0])
    certified.told("certificates read again")
    assert refused(**files(authority, probe)).startswith("our certificate is revoked")
    assert certified.rows() == []


NEEDS = ("coaps:// needs --psk-identity and its key, or --server-ca-file and perhaps "
         "--client-certificate-file")


@pytest.mark.parametrize("env, said", [
    ({}, NEEDS),
    ({"COLLECTOR_PSK_IDENTITY": "probe"},
     "--psk-identity needs --psk-key-file or COLLECTOR_PSK_KEY"),
    ({"COLLECTOR_PSK_IDENTITY": "probe", "COLLECTOR_PSK_KEY": "secret"},
     "COLLECTOR_PSK_KEY: is no key of 1 to 64 bytes in hexadecimal digits"),
    ({**pre_shared(), "COLLECTOR_SERVER_CA_FILE": "/ca"},
     "--psk-identity and certificates exclude each other"),
    ({"COLLECTOR_CLIENT_KEY_FILE": "/key"},
     "--client-certificate-file and --client-key-file need each other"),
    ({"COLLECTOR_SERVER_CA_FILE": "/no/ca"}, "/no/ca: No such file or directory"),
    ({"COLLECTOR_SERVER_CA_FILE": "/dev/null"}, "/dev/null: holds no certificate in PEM"),
])
def test_our_client_needs_whole_keys(env, said):
    done = run(CLIENT, "-H", "coaps://127.0.0.1", "send", "t", "1", env=environment(**env))
    assert done.returncode == 2
    assert said in done.stderr and "secret" not in done.stderr


def test_a_key_of_another_certificate(authority):
    probe, other = authority.issue("probe"), authority.issue("other")
    done = run(CLIENT, "-H", "coaps://127.0.0.1", "send", "t", "1",
               env=environment(**files(authority, (probe[0], other[1]))))
    assert done.returncode == 2
    assert f"{other[1]}: is not the key of {probe[0]}" in done.stderr
