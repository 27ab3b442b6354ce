"""client bridge mqtt: what is published with QoS 1 is stored, whoever is killed meanwhile."""

import json
import socket

import pytest

import wire
from engines import make_certificates
from mqtt import PUBACK, Bridge, FakeBroker, Mosquitto, free_port
from processes import client, run, wait_until

OK, FAILED, USAGE, REFUSED, UNAVAILABLE = range(5)


@pytest.fixture
def ending():
    """A list of what must be killed when the test ends."""
    running = []
    yield running
    for each in running:
        each.kill()


def started(ending, thing):
    ending.append(thing)
    return thing


@pytest.fixture
def broker(tmp_path, ending):
    return started(ending, Mosquitto(tmp_path))


def values_of(collector):
    return {(row["origin"], row["type"]): row["value"] for row in collector.rows()}


def test_topics_and_payloads_become_events(tmp_path, collector, broker, ending):
    refused = tmp_path / "refused.jsonl"
    broker.publish("home/kitchen/old", ["1"], "-r")
    bridge = started(ending, Bridge(
        tmp_path, collector.coap, broker.port, "--topic", "home/+/+", "--topic", "zigbee/#",
        "--origin", "{topic[1]}", "--timestamp", "/last_seen", "--refused-file", refused,
        "-N", "house")).wait_until_connected()
    broker.publish("home/kitchen/temperature", ["21.5"])
    broker.publish("home/kitchen/state", ["on", "{broken"])
    broker.publish("home/other/" + "x" * 300, ["1"])
    broker.publish("zigbee/hall", [json.dumps(
        {"humidity": 40, "update": {"state": "idle"}, "last_seen": "2020-01-02T03:04:05Z"})])
    wait_until(lambda: len(collector.rows()) == 4, what="four events")
    assert values_of(collector) == {
        ("kitchen", "temperature"): 21.5, ("kitchen", "state"): "on",
        ("hall", "humidity"): 40, ("hall", "update.state"): "idle"}
    assert {row["name_space"] for row in collector.rows()} == {"house"}
    assert {row["sender"] for row in collector.rows()} == {"mqtt"}
    zigbee = [row for row in collector.rows() if row["origin"] == "hall"]
    assert {row["timestamp_ns"] for row in zigbee} == {1_577_934_245 * 10**9}
    assert bridge.stop() == OK
    assert "6 messages: 4 events stored, 1 refused, 1 messages that are no event" in bridge.told()
    lines = [json.loads(line) for line in refused.read_text().splitlines()]
    assert sorted(line["payload"] for line in lines) == ["1", "{broken"]


def test_a_user_a_password_and_tls(tmp_path, collector, ending):
    make_certificates(tmp_path)
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    (tmp_path / "users").write_text("bridge:secret\n")
    assert run("mosquitto_passwd", "-U", tmp_path / "users").returncode == 0
    broker = started(ending, Mosquitto(
        tmp_path, f"password_file {tmp_path}/users", f"cafile {tmp_path}/ca.crt",
        f"certfile {tmp_path}/http.crt", f"keyfile {tmp_path}/http.key"))
    how = ["--topic", "t", "--ca-file", tmp_path / "ca.crt", "--username", "bridge"]
    wrong = started(ending, Bridge(tmp_path, collector.coap, broker.port, *how,
                                   env={"MQTT_PASSWORD": "wrong"}))
    wait_until(lambda: "refuses us" in wrong.told(), what="a refusal")
    assert "trying again in 1 s" in wrong.told()
    assert wrong.stop() == OK
    (tmp_path / "password").write_text("secret\n")
    bridge = started(ending, Bridge(tmp_path, collector.coap, broker.port, *how,
                                    "--password-file", tmp_path / "password"))
    bridge.wait_until_connected()
    broker.publish("t", [str(n) for n in range(300)], "--cafile", tmp_path / "ca.crt",
                   "-u", "bridge", "-P", "secret")
    wait_until(lambda: len(collector.rows()) == 300, what="300 events")
    assert bridge.stop() == OK


@pytest.fixture
def silent_collector():
    """A socket that takes requests and answers when it is told."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        yield server


def take(server):
    """(address, request, event) of the next request."""
    datagram, address = server.recvfrom(2048)
    request = wire.decode(datagram)
    return address, request, json.loads(request.payload)


def answer(server, address, request, code):
    server.sendto(wire.encode(wire.Message(wire.ACK, code, request.message_id, request.token)),
                  address)


def test_acknowledges_once_it_is_stored(tmp_path, silent_collector, ending):
    broker = FakeBroker()
    bridge = started(ending, Bridge(tmp_path, silent_collector.getsockname(), broker.port,
                                    "--topic", "t"))
    broker.accept()
    bridge.wait_until_connected()
    broker.publish(7, "t", b"21.5")
    address, request, _ = take(silent_collector)
    assert broker.silent_for(0.5)
    answer(silent_collector, address, request, wire.CREATED)
    assert broker.read() == (PUBACK, bytes([0, 7]))
    broker.publish(8, "t", b"1")
    address, request, _ = take(silent_collector)
    answer(silent_collector, address, request, wire.UNAVAILABLE)
    assert broker.silent_for(0.5)
    address, request, _ = take(silent_collector)
    answer(silent_collector, address, request, wire.BAD_REQUEST)
    assert broker.read() == (PUBACK, bytes([0, 8]))
    broker.close()


def test_a_message_delivered_again_keeps_its_time(tmp_path, silent_collector, ending):
    broker = FakeBroker()
    started(ending, Bridge(tmp_path, silent_collector.getsockname(), broker.port, "--topic", "t"))
    broker.accept()
    broker.publish(7, "t", b"21.5")
    address, request, first = take(silent_collector)
    broker.client.close()
    answer(silent_collector, address, request, wire.CREATED)
    broker.accept(session_present=True)
    broker.publish(7, "t", b"21.5", flags=8)
    address, request, again = take(silent_collector)
    assert again == first
    answer(silent_collector, address, request, wire.CREATED)
    assert broker.read() == (PUBACK, bytes([0, 7]))
    broker.publish(7, "t", b"21.5")
    *_, later = take(silent_collector)
    assert later["timestamp"] > first["timestamp"]
    broker.close()


def test_ends_without_acknowledging_what_is_not_stored(tmp_path, silent_collector, ending):
    broker = FakeBroker()
    bridge = started(ending, Bridge(tmp_path, silent_collector.getsockname(), broker.port,
                                    "--topic", "t"))
    broker.accept()
    broker.publish(7, "t", b"21.5")
    take(silent_collector)
    bridge.process.terminate()
    assert broker.client.recv(100) == b""
    assert bridge.process.wait(10) == UNAVAILABLE
    assert "the broker keeps" in bridge.told()
    broker.close()


@pytest.mark.parametrize("arguments, told", [
    (["--topic", "a#"], "'a#' is no topic filter"),
    (["--topic", "a", "--broker", "b:x"], "--broker: 'b:x' has no port"),
    (["--topic", "a", "--origin", "{top}"], "{top}"),
    (["--topic", "a", "--password-file", "/none"], "--password-file: cannot read /none"),
    ([], "--topic is required"),
])
def test_wrong_usage_is_told(arguments, told):
    broker = [] if "--broker" in arguments else ["--broker", "b"]
    done = client(None, "bridge", "mqtt", *broker, *arguments)
    assert done.returncode == USAGE, done.stderr
    assert told in done.stderr


def test_no_broker_is_tried_again(tmp_path, collector, ending):
    bridge = started(ending, Bridge(tmp_path, collector.coap, free_port(), "--topic", "t"))
    wait_until(lambda: "trying again in 2 s" in bridge.told(), what="a second try")
    assert "cannot connect to mqtt broker" in bridge.told()
    assert bridge.stop() == OK


class Trio:
    """Broker, bridge and collector, each of which may be killed."""

    def __init__(self, directory, start, ending):
        self.directory, self.start, self.ending = directory, start, ending
        self.broker = started(ending, Mosquitto(directory))
        self.collector = start()
        self.coap = self.collector.coap
        self.bridge = None
        self.start_bridge()
        self.bridge.wait_until_connected()
        self.published = 0

    def start_bridge(self):
        self.bridge = started(self.ending, Bridge(
            self.directory, self.coap, self.broker.port, "--topic", "load", "--client-id", "one",
            "--value", "/n", "--timestamp", "/t"))

    def publish(self, count):
        lines = [json.dumps({"n": n, "t": f"2026-01-01T00:00:00.{n:06}Z"})
                 for n in range(self.published, self.published + count)]
        self.broker.publish("load", lines)
        self.published += count

    def stored(self):
        return self.collector.rows("SELECT count(*) AS n FROM events")[0]["n"]

    def kill_broker(self):
        self.broker.kill()
        self.broker.start()

    def kill_bridge(self):
        self.bridge.kill()
        self.start_bridge()

    def kill_collector(self):
        self.collector.kill()
        self.collector = self.start(coap_listen=f"{self.coap[0]}:{self.coap[1]}")

    def kill_amid(self, count, kill):
        """Publishes so many, and kills while they are on their way."""
        before = self.stored()
        self.publish(count)
        self.broker.save()
        wait_until(lambda: self.stored() > before, 60, "some are stored")
        assert self.stored() < self.published, "all were stored before the kill"
        kill()

    def check_all_stored_once(self, seconds):
        wait_until(lambda: self.stored() >= self.published, seconds, "all are stored")
        assert self.bridge.stop() == OK, self.bridge.told()
        stored = self.collector.rows("SELECT value FROM events")
        assert sorted(row["value"] for row in stored) == list(range(self.published))


@pytest.mark.slow
def test_nothing_is_lost_when_each_is_killed_once(tmp_path, start, ending):
    trio = Trio(tmp_path, start, ending)
    for count, kill in ((4000, trio.kill_broker), (3000, trio.kill_collector),
                        (3000, trio.kill_bridge)):
        trio.kill_amid(count, kill)
    trio.check_all_stored_once(30)


@pytest.mark.long
def test_100000_messages_each_killed_three_times(tmp_path, start, ending):
    trio = Trio(tmp_path, start, ending)
    trio.publish(10_000)
    for _ in range(3):
        for kill in (trio.kill_broker, trio.kill_collector, trio.kill_bridge):
            trio.kill_amid(10_000, kill)
    trio.check_all_stored_once(300)
