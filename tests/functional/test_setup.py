"""`collector setup` without an engine, and against one that only says no."""

import contextlib
import http.server
import json
import re
import threading

import pytest
from processes import COLLECTOR, environment, run

NOWHERE = "http://127.0.0.1:1"  # no engine listens there
IMPATIENT = ["--elasticsearch-start-timeout-seconds", "1"]


def setup(*arguments, env=None):
    return run(COLLECTOR, "setup", *arguments, env=environment(**(env or {})))


def dry_run(*arguments, env=None):
    """[(path, body)] of the printed requests."""
    done = setup("--dry-run", "--elasticsearch-url", NOWHERE, *arguments, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("#")
    parts = re.split(r"^PUT (\S+)\n", done.stdout, flags=re.MULTILINE)[1:]
    return [(path, json.loads(body) if body.strip() else None)
            for path, body in zip(parts[::2], parts[1::2], strict=True)]


def test_dry_run_prints_every_request():
    requests = dry_run()
    assert [path for path, _ in requests] == [
        "/_ilm/policy/metrics-coap.events-default",
        "/_index_template/metrics-coap.events-default",
        "/_data_stream/metrics-coap.events-default",
        "/_ilm/policy/metrics-coap.requests-default",
        "/_index_template/metrics-coap.requests-default",
        "/_data_stream/metrics-coap.requests-default",
    ]
    events = requests[1][1]
    assert events["data_stream"] == {}
    assert events["priority"] >= 200
    assert events["template"]["mappings"]["dynamic"] is False
    properties = events["template"]["mappings"]["properties"]
    assert properties["value"]["properties"]["number"] == {"type": "double"}
    assert properties["value"]["properties"]["object"]["type"] == "flattened"


def test_dry_run_for_opensearch_and_another_stream():
    requests = dict(dry_run("--elasticsearch-flavor", "opensearch",
                            env={"COLLECTOR_ELASTICSEARCH_STREAM": "iot-events"}))
    assert "/_plugins/_ism/policies/iot-events" in requests
    template = requests["/_index_template/iot-events"]
    assert template["index_patterns"] == ["iot-events"]
    properties = template["template"]["mappings"]["properties"]
    assert properties["value"]["properties"]["object"] == {"type": "flat_object"}


@pytest.mark.parametrize("mode", [[], ["--check"]])
def test_no_engine(mode):
    done = setup(*mode, *IMPATIENT, "--elasticsearch-url", NOWHERE)
    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
    assert NOWHERE in done.stderr
    assert "--elasticsearch-url" in done.stderr


@pytest.mark.parametrize("arguments", [
    ["--check", "--dry-run"],
    ["--elasticsearch-url", "engine"],
    ["--elasticsearch-user", "alone"],
    ["stray"],
])
def test_bad_usage(arguments):
    done = setup(*arguments)
    assert done.returncode == 78
    assert arguments[0] in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_missing_password_file(tmp_path):
    file = tmp_path / "missing-password"
    done = setup(*IMPATIENT, "--elasticsearch-url", NOWHERE, "--elasticsearch-user", "u",
                 "--elasticsearch-password-file", file)
    assert done.returncode == 78
    assert str(file) in done.stderr


def test_help():
    done = setup("--help")
    assert done.returncode == 0
    assert {"--dry-run", "--check"} <= set(done.stdout.split())


@contextlib.contextmanager
def server(answer):
    """An HTTP server whose answers are `answer(method, path)`: status and text. Yields its URL and
    the list of (method, path, Authorization) it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.command, self.path, self.headers["Authorization"]))
            status, text = answer(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = handle_any

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", asked
    finally:
        httpd.shutdown()
        httpd.server_close()


ROOT_BODY = json.dumps({"version": {"distribution": "opensearch", "number": "2.19.6"}})
DENIED = json.dumps({"error": {"type": "security_exception", "reason": "no permissions"}})


@pytest.mark.parametrize("status, text, exit_status, shows", [
    (401, DENIED, 77, "password"),
    (403, DENIED, 77, "no permissions"),
    (400, '{"error": "no such thing"}', 1, "no such thing"),
    (500, "<html>\n", 69, "500"),
])
def test_refused(status, text, exit_status, shows):
    def answer(method, path):
        if path == "/":
            return 200, ROOT_BODY
        return (404, "{}") if method == "GET" else (status, text)

    with server(answer) as (url, asked):
        done = setup("--elasticsearch-url", url)
    assert done.returncode == exit_status
    assert done.stderr.count("\n") == 1
    assert f"PUT {url}/_plugins/_ism/policies/metrics-coap.events-default" in done.stderr
    assert shows in done.stderr
    assert [method for method, _, _ in asked] == ["GET", "GET", "PUT"]
    assert "OpenSearch 2.19.6" in done.stdout


def test_not_an_engine():
    with server(lambda *_: (200, "<html>It works!</html>")) as (url, _):
        done = setup("--elasticsearch-url", url)
    assert done.returncode == 69
    assert url in done.stderr


def test_takes_the_url_that_answers_and_sends_credentials(tmp_path):
    file = tmp_path / "password"
    file.write_text("secret\n")
    with server(lambda method, path: (200, ROOT_BODY) if path == "/" else (403, DENIED)) as (
        url, asked,
    ):
        done = setup("--elasticsearch-url", f"{NOWHERE},{url}/", "--elasticsearch-user", "user",
                     "--elasticsearch-password-file", file)
    assert done.returncode == 77
    assert asked[0] == ("GET", "/", "Basic dXNlcjpzZWNyZXQ=")
    assert {authorization for _, _, authorization in asked} == {"Basic dXNlcjpzZWNyZXQ="}


def test_waits_for_an_engine_that_starts():
    asked_before = 2

    def answer(_, path):
        nonlocal asked_before
        asked_before -= 1
        if asked_before >= 0:
            return 503, "{}"
        return (200, ROOT_BODY) if path == "/" else (403, DENIED)

    with server(answer) as (url, asked):
        done = setup("--elasticsearch-url", url)
    assert done.returncode == 77
    assert "waiting" in done.stdout
    assert [path for _, path, _ in asked[:3]] == ["/", "/", "/"]
