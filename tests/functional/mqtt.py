"""MQTT brokers: Mosquitto, and one by hand that tells what a client writes and when."""

import os
import shutil
import signal
import socket
import subprocess

from processes import CLIENT, cannot_test, environment, run, wait_until

PUBLISH_QOS_1, PUBACK = 0x32, 0x40


def program(name):
    """Debian keeps the broker where only root looks."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        cannot_test(f"{name} is missing; scripts/setup test installs it")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mosquitto:
    """A broker that keeps what it has when it is told to, and drops nothing."""

    def __init__(self, directory, *settings):
        self.directory = directory
        self.port = free_port()
        self.config = directory / "mosquitto.conf"
        self.log = directory / "mosquitto.log"
        lines = ["persistence true", f"persistence_location {directory}/",
                 "max_queued_messages 0", f"listener {self.port} 127.0.0.1",
                 *(settings or ["allow_anonymous true"])]
        if os.geteuid() == 0:
            lines.append("user root")  # else it changes to one that may not write here
        self.config.write_text("\n".join(lines) + "\n")
        self.start()

    def start(self):
        with open(self.log, "ab") as output:
            start = output.tell()
            self.process = subprocess.Popen(
                [program("mosquitto"), "-c", self.config], stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT)
        wait_until(lambda: b" running" in self.log.read_bytes()[start:], 10, "mosquitto runs")

    def publish(self, topic, lines, *options):
        """Publishes each line with QoS 1."""
        done = run(program("mosquitto_pub"), "-h", "127.0.0.1", "-p", self.port, "-q", "1",
                   "-t", topic, "-l", *options, input="\n".join(lines) + "\n", seconds=60)
        assert done.returncode == 0, done.stderr

    def save(self):
        """Has all that was published written to its file."""
        path = self.directory / "mosquitto.db"
        path.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        wait_until(path.exists, 20, "mosquitto saves")  # it renames a complete file

    def kill(self):
        self.process.kill()
        self.process.wait()


class FakeBroker:
    """Takes one subscriber at a time."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.port = self.listener.getsockname()[1]

    def accept(self, session_present=False):
        """Takes a client's connection and its subscription."""
        self.client, _ = self.listener.accept()
        self.client.settimeout(10)
        assert self.read()[0] == 0x10
        self.client.sendall(bytes([0x20, 2, int(session_present), 0]))
        kind, body = self.read()
        assert kind == 0x82
        self.client.sendall(bytes([0x90, 3]) + body[:2] + bytes([1]))

    def read(self):
        """(first byte, what is behind the length) of the next packet; all here are short."""
        head = self.client.recv(2, socket.MSG_WAITALL)
        assert len(head) == 2 and head[1] < 128, head
        return head[0], self.client.recv(head[1], socket.MSG_WAITALL)

    def publish(self, message_id, topic, payload, flags=0):
        topic = topic.encode()
        body = len(topic).to_bytes(2, "big") + topic + message_id.to_bytes(2, "big") + payload
        self.client.sendall(bytes([PUBLISH_QOS_1 | flags, len(body)]) + body)

    def silent_for(self, seconds):
        """Whether the client writes nothing."""
        self.client.settimeout(seconds)
        try:
            return not self.client.recv(1)
        except TimeoutError:
            return True
        finally:
            self.client.settimeout(10)

    def close(self):
        self.client.close()
        self.listener.close()


class Bridge:
    """A running `client bridge mqtt`."""

    def __init__(self, directory, coap, port, *arguments, env=None):
        self.log = directory / "bridge.log"
        with open(self.log, "ab") as output:
            self.start = output.tell()
            self.process = subprocess.Popen(
                [CLIENT, "-H", coap[0], "-P", str(coap[1]), "bridge", "mqtt",
                 "--broker", f"127.0.0.1:{port}", *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=environment(**(env or {})))

    def told(self):
        return self.log.read_bytes()[self.start:].decode()

    def wait_until_connected(self):
        wait_until(lambda: "connected to mqtt broker" in self.told(), 10, "the bridge connects")
        return self

    def stop(self):
        """The exit status after SIGTERM."""
        self.process.terminate()
        return self.process.wait(20)

    def kill(self):
        self.process.kill()
        self.process.wait()
