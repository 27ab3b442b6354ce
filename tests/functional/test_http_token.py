"""HTTP with a token: who gets in, and that the token is seen nowhere."""

import base64
import http.client

import pytest
from processes import COLLECTOR, environment, run

TOKEN = "fc9f8d3c-2b7e:4d2f/ok"
PROBES = ["/health", "/livez", "/readyz"]
OTHERS = ["/", "/assets/main.js", "/api/status", "/api/events", "/api/export.csv", "/api/live",
          "/metrics", "/api/nothing", "/nothing", "/health/", "//health", "/%68ealth/..",
          "/health/../metrics"]


def ask(collector, path, authorization=None, method="GET"):
    connection = http.client.HTTPConnection(*collector.http, timeout=10)
    try:
        connection.request(method, path,
                           headers={"Authorization": authorization} if authorization else {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read(200)
    finally:
        connection.close()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


RIGHT = [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("", TOKEN), basic("any user", TOKEN),
         basic("prometheus", TOKEN), basic("ab", TOKEN)]
WRONG = [None, "Bearer", "Bearer ", "Basic", "Basic ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x",
         f"Bearer  {TOKEN}", f"Digest {TOKEN}", TOKEN, basic("any", TOKEN[:-1]), basic("any", ""),
         basic(TOKEN, ""), "Basic " + base64.b64encode(TOKEN.split(":")[0].encode()).decode(),
         "Basic !!!!", "Basic abc", "Basic " + "A" * 6000]


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return file


@pytest.fixture
def guarded(start, token_file):
    return start(http_token_file=token_file)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_all_but_the_probes_need_it(guarded, method):
    for path in OTHERS:
        status, headers, body = ask(guarded, path, method=method)
        assert status == 401, path
        assert headers["WWW-Authenticate"].startswith('Basic realm="coap-collector"')
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert method == "HEAD" or b"token" in body
    if method == "GET":
        assert [ask(guarded, path)[0] for path in PROBES] == [200, 200, 200]


def test_the_right_one_opens(guarded):
    for authorization in RIGHT:
        assert ask(guarded, "/metrics", authorization)[0] == 200, authorization
    for path in ["/", "/assets/main.js", "/api/status", "/api/events", "/api/export.csv"]:
        assert ask(guarded, path, RIGHT[0])[0] == 200, path
    assert ask(guarded, "/nothing", RIGHT[0])[0] == 404


def test_a_wrong_one_does_not(guarded):
    for authorization in WRONG:
        assert ask(guarded, "/metrics", authorization)[0] == 401, authorization


def test_it_is_told_nowhere(guarded, token_file):
    for authorization in RIGHT + WRONG:
        ask(guarded, "/metrics", authorization)
    assert TOKEN.encode() not in ask(guarded, "/metrics", RIGHT[0])[2]
    assert TOKEN not in guarded.output()
    printed = run(COLLECTOR, "--print-config", env=environment(COLLECTOR_HTTP_TOKEN=TOKEN))
    assert printed.returncode == 0 and TOKEN not in printed.stdout


def test_from_the_environment(start):
    collector = start(env={"COLLECTOR_HTTP_TOKEN": TOKEN})
    assert ask(collector, "/metrics")[0] == 401
    assert ask(collector, "/metrics", RIGHT[0])[0] == 200


def test_without_one_nothing_is_asked(collector):
    assert ask(collector, "/metrics")[0] == 200
    assert "http-token" not in collector.output()


def test_an_open_door_is_told(start, token_file):
    warning = "is open to all who reach it"
    start(http_listen="0.0.0.0:0").told(warning)
    assert warning not in start(http_listen="0.0.0.0:0", http_token_file=token_file).output()
    assert warning not in start(http_listen="[::1]:0").output()


@pytest.mark.parametrize("content, said", [
    ("", "shorter than 16 characters"),
    ("0123456789abcde", "shorter than 16 characters"),
    ("0123456789 abcdef", "blanks"),
    ("0123456789abcdefü", "beyond ASCII"),
    (None, "No such file"),
])
def test_what_is_no_token(tmp_path, content, said):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    done = run(COLLECTOR, "--coap-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
               "--sqlite-path", tmp_path / "events.db", "--http-token-file", file)
    assert done.returncode == 78
    assert f"--http-token-file '{file}': " in done.stderr and said in done.stderr
    assert not content or content not in done.stderr


def test_one_source_only(tmp_path):
    done = run(COLLECTOR, "--check-config", "--http-token-file", tmp_path / "token",
               env=environment(COLLECTOR_HTTP_TOKEN=TOKEN))
    assert done.returncode == 78
    assert "exclude each other" in done.stderr and TOKEN not in done.stderr
