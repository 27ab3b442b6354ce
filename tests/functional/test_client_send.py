"""What `send` and `incremental` do beyond one event: files, pipes, formats, retries, reports."""

import contextlib
import json
import os
import pty
import re
import socket
import subprocess
import threading
import time

import pytest

import wire
from processes import CLIENT, client, environment, events_in, run

OK, FAILED, USAGE, REFUSED, UNAVAILABLE, UNANSWERED = range(6)


class Scripted:
    """A CoAP server that does with each request what its script says, and then stores the rest.

    A step is a code, or (code, options), or None for no answer, or "separate"."""

    def __init__(self, *script):
        self.script, self.requests = list(script), []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.host = f"coap://127.0.0.1:{self.socket.getsockname()[1]}"
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                datagram, peer = self.socket.recvfrom(2048)
                request = wire.decode(datagram)
                if request.code == wire.POST:
                    self.requests.append(request)
                    self.answer(request, peer, self.script.pop(0) if self.script else wire.CREATED)

    def answer(self, request, peer, step):
        if step is None:
            return
        if step == "separate":
            ack = wire.Message(wire.ACK, wire.EMPTY, request.message_id)
            self.socket.sendto(wire.encode(ack), peer)
            time.sleep(0.3)
            answer = wire.Message(wire.CON, wire.CREATED, 7, request.token)
        else:
            code, options = step if isinstance(step, tuple) else (step, [])
            kind = wire.ACK if request.type == wire.CON else wire.NON
            answer = wire.Message(kind, code, request.message_id, request.token, options)
        self.socket.sendto(wire.encode(answer), peer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.socket.close()


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def terminal(*command, error=False, **more):
    """Runs a command on a terminal (only its standard error with `error`): (status, what it showed,
    what went to the pipe)."""
    ours, theirs = pty.openpty()
    streams = {"stdout": subprocess.PIPE, "stderr": theirs} if error else {
        "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen([str(part) for part in command], stdin=theirs, **streams,
                               env=environment(**{"TERM": "xterm", "NO_COLOR": "", **more}))
    os.close(theirs)
    shown, piped = b"", b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while chunk := os.read(ours, 65536):
            shown += chunk
    if process.stdout:
        piped = process.stdout.read()
        process.stdout.close()
    os.close(ours)
    return process.wait(20), shown.decode().replace("\r\n", "\n"), piped.decode()


def test_time_is_told_on_standard_error(collector):
    done = client(collector, "send", "t", "1")
    assert re.fullmatch(r"client: 2\.01 after [0-9.]+ m?s\n", done.stderr)
    assert len(done.stdout.splitlines()) == 2
    silent = client(collector, "-S", "send", "t", "1")
    assert (silent.returncode, silent.stdout, silent.stderr) == (OK, "", "")


def test_json_line(collector):
    done = client(collector, "send", "--json", "t", "1")
    (line,) = lines(done.stdout)
    assert list(line) == ["code", "milliseconds", "attempts", "retransmissions", "event"]
    assert (line["code"], line["attempts"], line["retransmissions"]) == ("2.01", 1, 0)
    assert 0 < line["milliseconds"] < 5000
    assert line["event"]["payload"] == {"type": "t", "value": 1}


def test_json_line_of_a_refusal(collector):
    done = client(collector, "-o", "o" * 257, "send", "--json", "t", "1")
    assert done.returncode == REFUSED
    (line,) = lines(done.stdout)
    assert line["code"] == "4.00"
    assert line["diagnostic"] == "origin is longer than 256 bytes"


@pytest.mark.parametrize("name, number", [
    ("json", wire.JSON), ("cbor", wire.CBOR), ("senml", wire.SENML_JSON),
    ("senml-cbor", wire.SENML_CBOR),
])
def test_content_formats(collector, name, number):
    arguments = ["-o", "probe1", "send", "--content-format", name, "temperature", "21.5"]
    assert client(collector, *arguments).returncode == OK
    (row,) = collector.rows()
    assert (row["origin"], row["type"], row["value"]) == ("probe1", "temperature", 21.5)
    with Scripted() as server:
        assert run(CLIENT, "-H", server.host, *arguments).returncode == OK
    (request,) = server.requests
    assert request.option(wire.CONTENT_FORMAT) == number


def test_senml_has_no_place_for_a_sender(collector):
    done = client(collector, "-s", "me", "send", "--content-format", "senml", "t", "1")
    assert done.returncode == USAGE
    assert "SenML has no place for --sender" in done.stderr
    assert collector.rows() == []


def test_non_confirmable():
    with Scripted() as server:
        done = run(CLIENT, "-H", server.host, "send", "--non", "t", "1")
    assert done.returncode == OK
    assert [request.type for request in server.requests] == [wire.NON]


def test_values_from_a_pipe(collector):
    done = client(collector, "send", "temperature", "-", input='21.5\n"21.5"\n\nwarm\ntrue')
    assert done.returncode == OK, done.stderr
    assert [row["value"] for row in collector.rows()] == [21.5, "21.5", "warm", 1]
    assert "4 sent: 4 stored" in done.stderr


def test_whole_events_from_a_pipe(collector):
    sent = [{"payload": {"type": "t", "value": 1, "unit": "V"}, "origin": "here"},
            {"payload": {"type": "t", "value": 2}, "timestamp": "2018-06-01T14:08:24.772Z"}]
    done = client(collector, "-o", "there", "send", "-", input="\n".join(map(json.dumps, sent)))
    assert done.returncode == OK, done.stderr
    events = sorted(events_in(done.stdout), key=lambda event: event["payload"]["value"])
    assert [event["origin"] for event in events] == ["here", "there"]
    assert events[0]["payload"]["unit"] == "V"
    assert events[1]["timestamp"] == "2018-06-01T14:08:24.772Z"
    assert len(collector.rows()) == 2


def test_a_pipe_is_sent_as_it_comes(collector):
    host, port = collector.coap
    process = subprocess.Popen(
        [CLIENT, "-H", host, "-P", str(port), "send", "t", "-"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment())
    for value in range(3):
        process.stdin.write(f"{value}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "POST: /events > 2.01\n"
        assert json.loads(process.stdout.readline())["payload"]["value"] == value
    process.communicate(timeout=10)
    assert process.returncode == OK


@pytest.mark.parametrize("line, why", [
    ("nonsense", "not JSON"), ("21.5", "an event is an object"),
    ('{"payload":{"type":"t"}}', "payload.value is missing"),
    ('{"payload":{"type":"t","value":1},"tiemstamp":"x"}', "tiemstamp"),
    ('{"payload":{"type":"t","value":"%s"}}' % ("x" * 2000), "does not fit into one datagram"),
])
def test_a_line_that_is_no_event_is_told_and_the_others_are_sent(collector, line, why):
    good = '{"payload":{"type":"t","value":1}}\n'
    done = client(collector, "send", "-", input=good + line + "\n" + good)
    assert done.returncode == FAILED
    assert re.search(rf"^client: line 2: .*{re.escape(why)}.*; not sent$", done.stderr, re.M)
    assert len(collector.rows()) == 2


EVENTS = [{"payload": {"type": "t", "value": n}, "timestamp": f"2018-06-01T14:08:2{n}Z"}
          for n in range(3)]


@pytest.mark.parametrize("text", [
    json.dumps(EVENTS), json.dumps(EVENTS, indent=1), "\n".join(map(json.dumps, EVENTS)) + "\n",
])
def test_events_of_a_file(collector, tmp_path, text):
    file = tmp_path / "events"
    file.write_text(text)
    for _ in range(2):  # the same events again are the same events
        assert client(collector, "send", "--file", file).returncode == OK
    assert [row["value"] for row in collector.rows()] == [0, 1, 2]


def test_values_and_one_event_of_a_file(collector, tmp_path):
    file = tmp_path / "file"
    file.write_text("[1,2]")
    assert client(collector, "send", "level", "--file", file).returncode == OK
    file.write_text(json.dumps(EVENTS[2], indent=2))
    assert client(collector, "send", "--file", file).returncode == OK
    assert sorted((row["type"], row["value"]) for row in collector.rows()) == [
        ("level", 1), ("level", 2), ("t", 2)]


@pytest.mark.parametrize("arguments", [
    ["send", "--file", "x", "t", "1"], ["send", "--file", "x", "--id", "1"],
    ["send", "t", "1", "--content-format", "xml"], ["send", "t", "1", "--retries", "-1"],
    ["-H", "coaps://127.0.0.1", "send", "t", "1"], ["-H", "http://127.0.0.1", "send", "t", "1"],
    ["-H", "coap://127.0.0.1/events", "send", "t", "1"], ["-H", "", "send", "t", "1"],
    ["incremental", "--rate", "0", "t", "1"], ["incremental", "--rate", "1", "-p", "1", "t", "1"],
])
def test_wrong_usage(arguments):
    done = run(CLIENT, *arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr.count("\n") == 1 and "--help" in done.stderr


def test_a_file_that_is_not_there(collector):
    done = client(collector, "send", "--file", "/nonexistent/events")
    assert done.returncode == FAILED
    assert done.stderr == "client: cannot read /nonexistent/events: No such file or directory\n"


def test_dry_run_needs_no_collector():
    arguments = ["-o", "probe1", "send", "--dry-run", "--timestamp", "2018-06-01T14:08:24Z"]
    done = run(CLIENT, *arguments, "t", "1")
    assert done.returncode == OK and done.stderr == ""
    event = ('{"namespace":"default","sender":"client","origin":"probe1","payload":{"type":"t",'
             '"value":1},"timestamp":"2018-06-01T14:08:24Z"}')
    assert done.stdout == (f"POST: /events, not sent: application/json, {len(event)} bytes, "
                           f"confirmable\n{event}\n")
    cbor = run(CLIENT, *arguments, "--content-format", "senml-cbor", "--non", "t", "1").stdout
    assert cbor == ("POST: /events, not sent: application/senml+cbor, 24 bytes, non-confirmable\n"
                    "81a3006870726f6265312f7406fb41d6c454d60000000201\n")
    series = run(CLIENT, "incremental", "--dry-run", "-n", "3", "t", "1")
    assert series.stdout.count("not sent") == 3


def test_retries_after_an_unavailable_answer():
    now = (wire.UNAVAILABLE, [(wire.MAX_AGE, b"")])
    with Scripted(now, (wire.TOO_MANY, [(wire.MAX_AGE, b"\x01")])) as server:
        started = time.monotonic()
        done = run(CLIENT, "-H", server.host, "send", "--json", "--retries", "2", "t", "1")
    assert done.returncode == OK, done.stderr
    assert time.monotonic() - started >= 1  # as Max-Age says
    (line,) = lines(done.stdout)
    assert (line["code"], line["attempts"]) == ("2.01", 3)
    assert len({request.payload for request in server.requests}) == 1
    assert len({request.token for request in server.requests}) == 3
    assert "5.03; trying again in 0 s (1 of 2)" in done.stderr
    assert "4.29; trying again in 1 s (2 of 2)" in done.stderr


def test_retries_end():
    now = (wire.UNAVAILABLE, [(wire.MAX_AGE, b"")])
    with Scripted(*[now] * 9) as server:
        done = run(CLIENT, "-H", server.host, "send", "--retries", "3", "t", "1")
    assert done.returncode == UNAVAILABLE
    assert len(server.requests) == 4
    assert done.stdout.startswith("POST: /events > 5.03")


@pytest.mark.parametrize("code", [wire.BAD_REQUEST, 0x96])
def test_a_refused_event_is_not_tried_again(code):
    with Scripted(code) as server:
        done = run(CLIENT, "-H", server.host, "send", "--retries", "3", "t", "1")
    assert done.returncode == REFUSED
    assert len(server.requests) == 1


@pytest.mark.slow
def test_retries_after_a_lost_answer():
    with Scripted(None) as server:
        done = run(CLIENT, "-H", server.host, "--timeout", "1", "send", "--non", "--retries", "1",
                   "--json", "t", "1")
    assert done.returncode == OK
    assert lines(done.stdout)[0]["attempts"] == 2
    assert "no answer; trying again in 1 s" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("lost", [1, 2])
def test_retransmissions_are_told(lost):
    with Scripted(*[None] * lost) as server:
        done = run(CLIENT, "-H", server.host, "send", "--json", "t", "1")
    assert done.returncode == OK
    assert len(server.requests) == lost + 1
    assert len({request.message_id for request in server.requests}) == 1
    assert lines(done.stdout)[0]["retransmissions"] == lost
    assert f"{lost} retransmission" in done.stderr


def test_a_separate_answer_is_none():
    with Scripted("separate") as server:
        done = run(CLIENT, "-H", server.host, "send", "--json", "t", "1")
    assert done.returncode == OK
    assert lines(done.stdout)[0]["retransmissions"] == 0
    assert len(server.requests) == 1


def test_rate_and_summary(collector):
    done = client(collector, "incremental", "--rate", "100", "-n", "50", "t", "1")
    assert done.returncode == OK
    times = [row["timestamp_ns"] for row in collector.rows()]
    assert 0.45e9 <= times[-1] - times[0] < 2e9
    told, quantiles = done.stderr.splitlines()
    assert re.fullmatch(r"client: 50 sent: 50 stored, 0 refused, 0 unavailable, 0 unanswered in "
                        r"\d+\.\d{3} s, [0-9.]+ events/s", told)
    assert re.fullmatch(r"client: answered after \S+ m?s \(p50\), \S+ m?s \(p90\), "
                        r"\S+ m?s \(p99\), \S+ m?s \(p99\.9\)", quantiles)


def test_uris_name_the_collector(collector):
    port = collector.coap[1]
    assert run(CLIENT, "-H", f"coap://127.0.0.1:{port}", "healthcheck").returncode == OK
    for environ in ({"COLLECTOR_HOST": f"coap://localhost:{port}/", "COLLECTOR_PORT": "9"},
                    {"COLLECTOR_HOST": "coap://127.0.0.1", "COLLECTOR_PORT": str(port)}):
        assert run(CLIENT, "healthcheck", env=environment(**environ)).returncode == OK
    done = run(CLIENT, "-H", f"coap://127.0.0.1:{port}", "-P", "9", "healthcheck")
    assert "127.0.0.1:9" in done.stderr


def test_colours_only_on_a_terminal(collector):
    command = [CLIENT, "-H", collector.uri(""), "send", "t", "1"]
    status, shown, _ = terminal(*command)
    assert status == OK and "POST: /events > \033[32m2.01\033[0m\n" in shown
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        _, shown, _ = terminal(*command, **plain)
        assert "POST: /events > 2.01\n" in shown and "\033" not in shown
    assert "\033" not in run(*command).stdout


def test_live_line_on_a_terminal_that_no_answers_go_to(collector):
    series = ["incremental", "--rate", "40", "-n", "40", "t", "1"]
    status, shown, piped = terminal(CLIENT, "-H", collector.uri(""), *series, error=True)
    assert status == OK
    assert re.search(r"\r\033\[K\d+ sent, \d+ stored, \d+ in flight, \S+ events/s", shown)
    assert shown.count("client: 40 sent: 40 stored") == 1
    assert piped.count("> 2.01\n") == 40 and "\033" not in piped
    _, shown, _ = terminal(CLIENT, "-H", collector.uri(""), *series)
    assert "in flight" not in shown
