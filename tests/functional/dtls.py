"""Peers that speak DTLS: libcoap's coap-client, and OpenSSL with datagrams of our own."""

import os
import shutil
import subprocess

import pytest

from processes import address, run, wait_until

EVENT = ('{"namespace":"city","sender":"gate","origin":"probe",'
         '"payload":{"type":"temperature","value":21.5}}')
ANSWER_SECONDS = 5


def program(name, package):
    """Where a program is; without it a test is skipped, in the pipeline it fails."""
    found = shutil.which(name)
    if not found:
        why = f"{name} is not installed (Debian: {package})"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
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
