"""The client against the real collector: what it prints and how it ends."""

import contextlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

import wire
from processes import CLIENT, Collector, client, environment, events_in, run

OK, FAILED, USAGE, REFUSED, UNAVAILABLE, UNANSWERED = range(6)


def values(collector):
    return [row["value"] for row in collector.rows()]


@contextlib.contextmanager
def answering(code, options=()):
    """A UDP server that answers every request with one code; yields its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.1)
        stop = threading.Event()

        def serve():
            while not stop.is_set():
                try:
                    datagram, peer = server.recvfrom(2048)
                except TimeoutError:
                    continue
                request = wire.decode(datagram)
                answer = wire.Message(wire.ACK, code, request.message_id, request.token,
                                      list(options), b"because")
                server.sendto(wire.encode(answer), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield str(server.getsockname()[1])
        finally:
            stop.set()
            thread.join()


def test_send(collector):
    named = ["-s", "demo", "-o", "probe1", "-N", "test"]
    done = client(collector, *named, "send", "temperature", "21.5")
    assert done.returncode == OK, done.stderr
    assert done.stdout.startswith("POST: /events > 2.01\n")
    (event,) = events_in(done.stdout)
    assert event.pop("timestamp")
    assert event == {"namespace": "test", "sender": "demo", "origin": "probe1",
                     "payload": {"type": "temperature", "value": 21.5}}
    (row,) = collector.rows()
    assert (row["name_space"], row["sender"], row["origin"]) == ("test", "demo", "probe1")


@pytest.mark.parametrize("text, value", [
    ("21", 21), ("-3.5", -3.5), ("1e3", 1000), ("true", True), ("running", "running"),
    ('"21"', "21"), ("", ""), ("zwölf", "zwölf"), ("[1,2]", [1, 2]),
    ('{"lat":40.4,"lon":-3.7}', {"lat": 40.4, "lon": -3.7}),
])
def test_value_as_typed(collector, text, value):
    done = client(collector, "send", "reading", text)
    assert done.returncode == OK, done.stderr
    (event,) = events_in(done.stdout)
    assert event["payload"]["value"] == value
    assert isinstance(event["payload"]["value"], bool) == isinstance(value, bool)


def test_defaults(collector):
    assert client(collector, "send", "temperature", "1").returncode == OK
    (row,) = collector.rows()
    assert row["name_space"] == "default"
    assert row["sender"] == "client"
    assert row["origin"] == socket.gethostname()


def test_long_options_and_environment(collector):
    host, port = collector.coap
    done = client(None, "--origin", "o", "--sender", "s", "--namespace", "n", "--silent",
                  "send", "t", "1", env={"COLLECTOR_HOST": host, "COLLECTOR_PORT": str(port)})
    assert (done.returncode, done.stdout) == (OK, "")
    (row,) = collector.rows()
    assert (row["name_space"], row["sender"], row["origin"]) == ("n", "s", "o")


def test_incremental(collector):
    done = client(collector, "-s", "demo", "-o", "probe1", "incremental", "--numberOfEvents", "10",
                  "-f", "1.1", "temperature", "15")
    assert done.returncode == OK, done.stderr
    assert done.stdout.count("POST: /events > 2.01\n") == 10
    sent = sorted(event["payload"]["value"] for event in events_in(done.stdout))
    assert sent == sorted(values(collector))
    assert sent == pytest.approx([15 * 1.1**n for n in range(10)])


@pytest.mark.parametrize("bound, expected", [
    (["-f", "10", "--max", "500"], [5, 50, 500, 500]),
    (["-f", "0.1", "--min", "0.4"], [5, 0.5, 0.4, 0.4]),
    ([], [5, 5, 5, 5]),
])
def test_incremental_bounds(collector, bound, expected):
    done = client(collector, "incremental", "-n", "4", *bound, "level", "5")
    assert done.returncode == OK, done.stderr
    assert values(collector) == pytest.approx(expected)


def test_incremental_does_not_wait_for_answers_but_gets_them_all(collector):
    assert client(collector, "-S", "incremental", "-n", "2000", "count", "1").returncode == OK
    assert len(collector.rows()) == 2000


def test_incremental_keeps_pace(collector):
    done = client(collector, "incremental", "-n", "4", "-p", "0.1", "-f", "2", "t", "1")
    assert done.returncode == OK
    times = [row["timestamp_ns"] for row in collector.rows()]
    assert times[-1] - times[0] >= 280_000_000


def test_incremental_for_ever_until_interrupted(collector):
    process = subprocess.Popen(
        [CLIENT, "-H", collector.coap[0], "-P", str(collector.coap[1]), "incremental", "-p", "0.01",
         "tick", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment())
    for _ in range(10):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()  # communicate() would miss what was buffered by readline()
    process.stdout.close()
    assert process.wait(10) == OK
    acknowledged = 5 + rest.count("POST: /events > 2.01")
    assert len(collector.rows()) == acknowledged


def test_system_sends_this_machines_measurements(collector):
    done = client(collector, "system", "-n", "2", "-p", "0.05")
    assert done.returncode == OK, done.stderr
    rows = collector.rows()
    types = [row["type"] for row in rows]
    assert types.count("load1") == types.count("memoryAvailable") == 2
    memory = next(row["value"] for row in rows if row["type"] == "memoryAvailable")
    assert 1e6 < memory < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_healthcheck(collector):
    done = client(collector, "healthcheck")
    assert done.returncode == OK
    assert done.stdout.startswith("GET: /health > 2.05\n")
    assert json.loads(done.stdout.splitlines()[1])["status"] == "ok"
    silent = client(collector, "-S", "healthcheck")
    assert (silent.returncode, silent.stdout) == (OK, "")


def test_healthcheck_of_nobody():
    done = run(CLIENT, "-H", "127.0.0.1", "-P", "9", "healthcheck")
    assert done.returncode == FAILED
    assert done.stderr.count("\n") == 1 and "127.0.0.1:9" in done.stderr


@pytest.mark.parametrize("code, options, status, shows", [
    (0x80, [], REFUSED, "4.00 because"),
    (0x96, [], REFUSED, "4.22 because"),
    (0x9D, [(wire.MAX_AGE, b"\x07")], UNAVAILABLE, "4.29 because (try again in 7 s)"),
    (0xA0, [], UNAVAILABLE, "5.00 because"),
    (0xA3, [(wire.MAX_AGE, b"\x09")], UNAVAILABLE, "5.03 because (try again in 9 s)"),
])
def test_exit_status_tells_why_not(code, options, status, shows):
    with answering(code, options) as port:
        done = run(CLIENT, "-H", "127.0.0.1", "-P", port, "send", "t", "1")
    assert done.returncode == status
    assert done.stdout.startswith(f"POST: /events > {shows}\n")


def test_refused_by_the_real_collector(collector):
    done = client(collector, "-o", "o" * 257, "send", "t", "1")
    assert done.returncode == REFUSED
    assert "4.00 origin is longer than 256 bytes" in done.stdout
    assert collector.rows() == []


def test_nobody_listens():
    done = run(CLIENT, "-H", "127.0.0.1", "-P", "9", "send", "t", "1")
    assert done.returncode == UNANSWERED
    assert "no collector at 127.0.0.1:9" in done.stderr


def test_nobody_answers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        done = run(CLIENT, "-H", "127.0.0.1", "-P", deaf.getsockname()[1], "--timeout", "1", "send",
                   "t", "1")
    assert done.returncode == UNANSWERED
    assert "no answer" in done.stderr


@pytest.mark.slow
def test_client_retransmits_until_the_collector_is_back(tmp_path):
    first = Collector(tmp_path)
    port = first.coap[1]
    first.process.send_signal(signal.SIGSTOP)
    process = subprocess.Popen([CLIENT, "-H", "127.0.0.1", "-P", str(port), "send", "t", "1"],
                               stdout=subprocess.PIPE, text=True, env=environment())
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    first.kill()
    second = Collector(tmp_path, coap_listen=f"127.0.0.1:{port}")
    try:
        out, _ = process.communicate(timeout=30)
        assert process.returncode == OK
        assert out.startswith("POST: /events > 2.01\n")
        assert len(second.rows()) == 1
        second.stop()
    finally:
        second.kill()


@pytest.mark.parametrize("arguments", [
    [],
    ["no-such-command"],
    ["send"],
    ["send", "temperature"],
    ["send", "temperature", "1", "2"],
    ["send", "t", "null"],
    ["send", "t", "{not json"],
    ["--port", "0", "send", "t", "1"],
    ["--port", "http", "send", "t", "1"],
    ["--no-such-option", "send", "t", "1"],
    ["incremental", "-n", "-1", "t", "1"],
    ["incremental", "-n", "1.5", "t", "1"],
    ["incremental", "-f", "0", "t", "1"],
    ["incremental", "-f", "-1", "t", "1"],
    ["incremental", "-p", "-1", "t", "1"],
    ["incremental", "t", "warm"],
    ["incremental", "--min", "2", "--max", "1", "t", "1"],
    ["send", "t", "1", "--timestamp", "yesterday"],
    ["city"],
])
def test_wrong_usage(arguments):
    done = run(CLIENT, *arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr.count("\n") == 1
    assert "--help" in done.stderr


@pytest.mark.parametrize("arguments, shows", [
    (["--help"], "healthcheck"), (["-h"], "incremental"), (["--version"], "coap-collector client"),
    (["-V"], "libcoap"), (["incremental", "--help"], "--numberOfEvents"), (["send", "-h"], "value"),
])
def test_help_and_version(arguments, shows):
    done = run(CLIENT, *arguments)
    assert (done.returncode, done.stderr) == (OK, "")
    assert shows in done.stdout


REPORT = {
    "name": "Madrid", "dt": 1527862104, "visibility": 10000,
    "main": {"temp": 23.4, "pressure": 1016, "humidity": 40}, "wind": {"speed": 3.6, "deg": 220},
    "clouds": {"all": 5}, "weather": [{"description": "clear sky"}],
}


@pytest.fixture
def weather():
    """A stand-in for openweathermap.org: .answer is (status, body), .asked the paths."""

    class Weather(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            status, body = server.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Weather)
    server.answer, server.asked = (200, REPORT), []
    server.env = {"OPENWEATHERMAP_URL": f"http://127.0.0.1:{server.server_port}",
                  "OPENWEATHERMAP_APIKEY": "se/cret"}
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_city(collector, weather):
    done = client(collector, "city", "San Sebastián", env=weather.env)
    assert done.returncode == OK, done.stderr
    (path,) = weather.asked
    assert "q=San%20Sebasti%C3%A1n" in path and "appid=se%2Fcret" in path
    rows = {row["type"]: row for row in collector.rows()}
    assert rows["temperature"]["value"] == 23.4
    assert rows["humidity"]["value"] == 40
    assert rows["weather"]["value"] == "clear sky"
    for row in rows.values():
        assert (row["sender"], row["origin"]) == ("weather-city", "San Sebastián")
        assert row["timestamp_ns"] == 1527862104 * 10**9
    # The same report again is the same events.
    assert client(collector, "city", "San Sebastián", env=weather.env).returncode == OK
    assert len(collector.rows()) == len(rows)


@pytest.mark.parametrize("answer, shows", [
    ((401, {"cod": 401, "message": "Invalid API key"}), "OPENWEATHERMAP_APIKEY"),
    ((404, {"cod": "404", "message": "city not found"}), "knows no city 'Atlantis'"),
    ((429, {"cod": 429}), "limit"),
    ((500, b"oops"), "500"),
    ((200, b"<html>"), "not a weather report"),
    ((200, {"main": {}}), "not a weather report"),
])
def test_city_without_a_report(collector, weather, answer, shows):
    weather.answer = answer
    done = client(collector, "city", "Atlantis", env=weather.env)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert shows in done.stderr
    assert "se/cret" not in done.stderr and "se%2Fcret" not in done.stderr
    assert collector.rows() == []


def test_city_without_a_key(collector, weather):
    done = client(collector, "city", "Madrid",
                  env={"OPENWEATHERMAP_URL": weather.env["OPENWEATHERMAP_URL"]})
    assert done.returncode == FAILED
    assert "OPENWEATHERMAP_APIKEY is not set" in done.stderr
    assert weather.asked == []


def test_city_without_a_server(collector):
    done = client(collector, "city", "Madrid", env={"OPENWEATHERMAP_URL": "http://127.0.0.1:9",
                                                    "OPENWEATHERMAP_APIKEY": "key"})
    assert done.returncode == FAILED
    assert re.search(r"cannot ask 127\.0\.0\.1:9: .*", done.stderr)
