"""Peers that speak DTLS: libcoap's coap-client, and OpenSSL with datagrams of our own."""

import dataclasses
import os
import shutil
import subprocess
import time

import pytest

from processes import address, cannot_test, run, wait_until

EVENT = ('{"namespace":"city","sender":"gate","origin":"probe",'
         '"payload":{"type":"temperature","value":21.5}}')
ANSWER_SECONDS = 5
KEY = "sixteen bytes ok"
OTHER = "0123456789abcdef"
LISTEN = "127.0.0.1:0"


def keys(path, **known):
    """A file of keys, replaced as a whole."""
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(f"{who}:{key.encode().hex()}\n" for who, key in known.items()))
    fresh.rename(path)
    return path


def program(name, package):
    """Where a program is."""
    found = shutil.which(name)
    if not found:
        cannot_test(f"{name} is not installed (Debian: {package})")
    return found


def coaps_address(collector):
    return address(collector.output().split(" coaps=")[1].split()[0].split('"')[0])


def send(collector, *options, event=EVENT, path="/events", seconds=ANSWER_SECONDS):
    """What coap-client shows of one POST: the message that came back, or none."""
    host, port = coaps_address(collector)
    client = program("coap-client-openssl", "libcoap3-bin")
    done = run(client, "-m", "post", "-t", "50", "-v", "7", "-B", seconds, *options, "-e", event,
               f"coaps://{host}:{port}{path}", seconds=seconds + 10)
    return done.stdout + done.stderr


def stored(output):
    return "c:2.01" in output


@dataclasses.dataclass
class Record:
    """As it is on the wire (RFC 6347 section 4.1)."""

    ALERT, HANDSHAKE, APPLICATION = 21, 22, 23

    type: int
    epoch: int  # from 1 on the rest is encrypted
    body: bytes

    def __str__(self):
        names = {20: "change", 21: "alert", 22: "handshake", 23: "data"}
        body = f"{len(self.body)} bytes" if self.epoch else self.body[:2].hex()
        return f"{names.get(self.type, self.type)} of epoch {self.epoch} {body}"

    @property
    def alert(self):
        """The number of a fatal alert that everybody can read, else None."""
        if self.type == self.ALERT and self.epoch == 0 and self.body[0] == 2:
            return self.body[1]

    @property
    def finished(self):
        """Whether it is a handshake's last message of either side."""
        return self.type == self.HANDSHAKE and self.epoch == 1

    @property
    def cipher(self):
        """What a ServerHello has chosen, else None."""
        if self.type == self.HANDSHAKE and self.epoch == 0 and self.body[0] == 2:
            at = 12 + 2 + 32  # message header, version, random; then the session id
            at += 1 + self.body[at]
            return int.from_bytes(self.body[at : at + 2], "big")


def records(datagram):
    found = []
    while datagram:
        end = 13 + int.from_bytes(datagram[11:13], "big")
        found.append(Record(datagram[0], int.from_bytes(datagram[3:5], "big"), datagram[13:end]))
        datagram = datagram[end:]
    return found


class Tunnel:
    """A DTLS session that carries datagrams as they are given."""

    def __init__(self, collector, identity, key_hex):
        host, port = coaps_address(collector)
        self.process = subprocess.Popen(
            [program("openssl", "openssl"), "s_client", "-dtls1_2", "-quiet", "-psk", key_hex,
             "-psk_identity", identity, "-connect", f"{host}:{port}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.set_blocking(self.process.stdout.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def send(self, datagram):
        self.process.stdin.write(datagram)
        self.process.stdin.flush()

    def receive(self):
        return wait_until(self.process.stdout.read, ANSWER_SECONDS, "a datagram")


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
        done = run(program("openssl", "openssl"), *arguments)
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
def with_key(start):
    file = keys(start.directory / "keys", probe=KEY)
    return start(psk_file=file, coaps_listen=LISTEN)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "authority")


@pytest.fixture
def certified(start, authority):
    certificate, key = authority.issue("localhost")
    return start(tls_certificate_file=certificate, tls_key_file=key, coaps_listen=LISTEN,
                 tls_client_ca_file=authority.certificate,
                 tls_revocation_file=authority.revocation())
