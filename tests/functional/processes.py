"""The real programs, started and stopped as an operator would."""

import dataclasses
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTOR = str(ROOT / os.environ.get("COLLECTOR_BIN", "build/release/bin/collector"))
CLIENT = str(ROOT / os.environ.get("CLIENT_BIN", "build/release/bin/client"))
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 20
LISTENING = re.compile(r"listening coap=(\S+) http=([^\s\"]+)")


def wait_until(condition, seconds=10, what="condition"):
    """Polls until the condition's value is true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def cannot_test(reason):
    """Something that a test needs is not here: on people's machines it is skipped, in the pipeline
    it fails."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def environment(**more):
    """This process's environment without what would configure a collector or client."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COLLECTOR_", "OPENWEATHER"))}
    return {**kept, **more}


def run(*command, seconds=20, **how):
    """Runs a program to its end."""
    how = {"env": environment(), "capture_output": True, "text": True, "timeout": seconds, **how}
    return subprocess.run([str(part) for part in command], check=False, **how)


def address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def rows_of(path, query="SELECT * FROM events ORDER BY timestamp_ns", parameters=()):
    """Rows of an event store as dicts, read while a collector may be writing it."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, parameters)]
    finally:
        connection.close()


@dataclasses.dataclass
class HttpAnswer:
    status: int
    text: str
    content_type: str

    @classmethod
    def of(cls, answer):
        return cls(answer.status, answer.read().decode(), answer.headers["Content-Type"])


class Collector:
    """A running collector; its output goes to a file beside its database."""

    def __init__(self, directory, *arguments, prefix=(), env=None, **options):
        self.directory = pathlib.Path(directory)
        self.output_path = self.directory / "collector.log"
        options = {
            "coap_listen": "127.0.0.1:0",
            "http_listen": "127.0.0.1:0",
            "sqlite_path": self.directory / "events.db",
            **options,
        }
        self.database = pathlib.Path(options["sqlite_path"] or "")
        flags = []
        for name, value in options.items():
            if value is not None:
                flags += [f"--{name.replace('_', '-')}", str(value)]
        self.started = time.monotonic()
        with open(self.output_path, "ab") as output:
            self.output_start = output.tell()
            self.process = subprocess.Popen(
                [*prefix, COLLECTOR, *flags, *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=environment(**(env or {})),
            )
        try:
            self.wait_until_listening()
        except BaseException:
            self.kill()
            raise

    def output(self):
        """What it has printed so far. A log line is written soon after the answer it tells of."""
        return self.output_path.read_bytes()[self.output_start :].decode(errors="replace")

    def told(self, text, times=1):
        """Its output, once the text stands there so often."""
        return wait_until(lambda: self.output().count(text) >= times and self.output(), what=text)

    def wait_until_listening(self):
        def listening():
            status = self.process.poll()
            assert status is None, f"ended with {status}: {self.output()}"
            return LISTENING.search(self.output())

        found = wait_until(listening, START_SECONDS_MAX, "the collector listens")
        self.coap_addresses = [address(text) for text in found[1].split(",")]
        self.coap = self.coap_addresses[0]
        self.http = address(found[2])

    def uri(self, path):
        return f"coap://{self.coap[0]}:{self.coap[1]}{path}"

    def peer(self, source=None):
        return wire.Peer(self.coap, source)

    def get(self, path):
        """An HTTP GET; an error status is an answer too."""
        url = f"http://{self.http[0]}:{self.http[1]}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return HttpAnswer.of(answer)
        except urllib.error.HTTPError as error:
            return HttpAnswer.of(error)

    def metrics(self):
        """{'name{label="value"}': number} of /metrics."""
        text = self.get("/metrics").text
        samples = [line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#"]
        return {name: float(value) for name, value in samples}

    def metric(self, name):
        return self.metrics().get(f"coap_collector_{name}", 0)

    def rows(self, *query):
        return rows_of(self.database, *query)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS_MAX):
        """The exit status."""
        return self.process.wait(seconds)

    def stop(self):
        """As an orchestrator does. A collector that does not end well fails its test."""
        if self.process.poll() is None:
            self.signal()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        assert status == 0, f"ended with {status}: {self.output()[-4000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()


def client(collector, *arguments, env=None, **how):
    """Runs the client against a collector to its end."""
    where = ["-H", collector.coap[0], "-P", collector.coap[1]] if collector else []
    return run(CLIENT, *where, *arguments, env=environment(**(env or {})), **how)


def events_in(text):
    """The events, as dicts, that the client printed."""
    found = []
    for line in text.splitlines():
        start = line.find("{")
        if start >= 0:
            found.append(json.loads(line[start:]))
    return found
