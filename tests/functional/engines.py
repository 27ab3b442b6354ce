"""Real OpenSearch and Elasticsearch nodes, run by scripts/engine, and what tests ask of them."""

import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

import pytest

from processes import ROOT, environment, run, wait_until

NAMES = ("opensearch", "elasticsearch")
EXIT_UNAVAILABLE = 69
START_SECONDS_MAX = 90
# Nodes live for seconds: what the optimising compiler would gain does not pay for its work.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1"
SMALL_REQUESTS = "http.max_content_length=1mb"  # 413 for more; below what a collector may send
USER, PASSWORD = "writer", "correct horse battery"


def install(name):
    """Skips the test where the engine cannot be had; in CI that is a failure."""
    done = run(ROOT / "scripts/engine", "--install", name, seconds=900)
    if done.returncode == EXIT_UNAVAILABLE:
        reason = done.stderr.strip().removeprefix("error: ")
        if os.environ.get("CI") == "true":
            pytest.fail(f"in CI the engines must be there: {reason}", pytrace=False)
        pytest.skip(reason)
    assert done.returncode == 0, done.stdout + done.stderr


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Engine:
    """One node and its data, which outlives the process: kill(), then start() again."""

    def __init__(self, name, *settings, user=None, ca_file=None):
        install(name)
        self.name = name
        self.settings = settings
        self.user = user  # (name, password)
        self.ca_file = ca_file
        self.port = free_port()
        self.url = f"{'https' if ca_file else 'http'}://127.0.0.1:{self.port}"
        # Not below pytest's directory: Elasticsearch runs as nobody, who must be able to go there.
        nodes = ROOT / "build/engines/nodes"
        nodes.mkdir(parents=True, exist_ok=True)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=nodes))
        self.directory.chmod(0o755)
        self.process = None

    def start(self):
        """Starts the node, without waiting for it."""
        command = [ROOT / "scripts/engine", self.name, "--http-port", str(self.port), "--data",
                   self.directory / "data", *self.settings]
        if self.user:
            command += ["--user", ":".join(self.user)]
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment(ENGINE_JAVA_OPTS=JAVA_OPTIONS))
        return self

    def wait(self):
        """Until it would answer a search: GET / answers before the shards are there."""
        def healthy():
            status = self.process.poll()
            assert status is None, f"{self.name} ended with {status}:\n{self.log()}"
            try:
                answer = self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
                return answer.get("timed_out") is False
            except (OSError, AssertionError):
                return False

        wait_until(healthy, START_SECONDS_MAX, f"{self.name} is ready")
        return self

    def log(self):
        return (self.directory / "log").read_text(errors="replace")[-4000:]

    def node_pid(self):
        """Elasticsearch's node is a child of a launcher."""
        file = self.directory / "data/pid"
        return int(file.read_text()) if file.exists() else self.process.pid

    def kill(self):
        """kill -9: a crash."""
        os.kill(self.node_pid(), signal.SIGKILL)
        self.process.wait(30)
        (self.directory / "data/pid").unlink(missing_ok=True)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def exchange(self, method, path, body=None, seconds=30, **headers):
        """(status, answer) of one request; a list as body is sent as NDJSON."""
        kind = "application/json"
        if isinstance(body, list):
            kind = "application/x-ndjson"
            body = "".join(json.dumps(line) + "\n" for line in body).encode()
        elif body is not None:
            body = json.dumps(body).encode()
        headers = {"Content-Type": kind, **headers}
        if self.user:
            token = base64.b64encode(":".join(self.user).encode()).decode()
            headers.setdefault("Authorization", f"Basic {token}")
        context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=seconds, context=context) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def ask(self, method, path, body=None, **how):
        """The answer to a request that must succeed."""
        status, answer = self.exchange(method, path, body, **how)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def search(self, stream, **body):
        """A search that sees everything that was acknowledged."""
        self.ask("POST", f"/{stream}/_refresh")
        return self.ask("POST", f"/{stream}/_search", body)

    def hits(self, stream, query):
        """Each hit as (_id, {flat field name: value}, _source)."""
        found = self.search(stream, query=query, fields=["*"], size=1000)["hits"]["hits"]
        return [(hit["_id"],
                 {name: values[0] for name, values in hit.get("fields", {}).items()},
                 hit["_source"]) for hit in found]

    def values(self, stream, query):
        """payload.value of all hits, however many."""
        found = []
        self.ask("POST", f"/{stream}/_refresh")
        page = self.ask("POST", f"/{stream}/_search?scroll=1m",
                        {"query": query, "size": 5000, "_source": ["payload.value"]})
        while page["hits"]["hits"]:
            found += [hit["_source"]["payload"]["value"] for hit in page["hits"]["hits"]]
            page = self.ask("POST", "/_search/scroll",
                            {"scroll": "1m", "scroll_id": page["_scroll_id"]})
        return found


def _node(name, *settings, **how):
    """Generator for fixtures: a node that is ready, and its end."""
    node = Engine(name, *settings, **how)
    try:
        yield node.start().wait()
    finally:
        node.stop()


@pytest.fixture(scope="session")
def opensearch():
    yield from _node("opensearch", SMALL_REQUESTS)


@pytest.fixture(scope="session")
def elasticsearch():
    yield from _node("elasticsearch", SMALL_REQUESTS)


@pytest.fixture(params=NAMES)
def engine(request):
    """Each of the two, which all tests of a session share: name what is yours by an own sender."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def node():
    """Starts nodes of a test's own, with settings."""
    nodes = []

    def start(name, *settings, **how):
        nodes.append(Engine(name, *settings, **how))
        return nodes[-1].start().wait()

    yield start
    for started in nodes:
        started.stop()


def make_certificates(directory):
    """A CA of its own and a certificate for 127.0.0.1: ca.crt, http.crt, http.key."""
    def openssl(*arguments):
        done = run("openssl", *arguments, cwd=directory)
        assert done.returncode == 0, done.stderr

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2",
            "-subj", "/CN=test CA")
    openssl("req", *new, "-keyout", "http.key", "-out", "http.csr", "-subj", "/CN=engine")
    openssl("x509", "-req", "-in", "http.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2",
            "-CAcreateserial", "-extfile", "names", "-out", "http.crt")


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """An Elasticsearch that wants TLS, by a CA of its own, and a user or an API key."""
    certificates = tmp_path_factory.mktemp("certificates")
    make_certificates(certificates)
    node = Engine("elasticsearch", "xpack.security.enabled=true",
                  "xpack.security.http.ssl.enabled=true",
                  "xpack.security.http.ssl.certificate=http.crt",
                  "xpack.security.http.ssl.key=http.key",
                  user=(USER, PASSWORD), ca_file=str(certificates / "ca.crt"))
    config = node.directory / "data/config"
    config.mkdir(parents=True)
    for name in ("http.crt", "http.key"):
        shutil.copy(certificates / name, config)
    try:
        yield node.start().wait()
    finally:
        node.stop()


class Rivals:
    """Other writers, who fill the engine's queue of writes for as long as the block lasts."""

    def __init__(self, engine, connections=3):
        self.engine = engine
        self.connections = connections

    def __enter__(self):
        self.engine.exchange("PUT", "/rivals", {"settings": {
            "number_of_shards": 8, "number_of_replicas": 0, "refresh_interval": "-1"}})
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._write) for _ in range(self.connections)]
        for thread in self.threads:
            thread.start()
        return self

    def _write(self):
        body = [line for n in range(200) for line in ({"create": {}}, {"text": "x" * 200, "n": n})]
        while not self.ending.is_set():
            self.engine.exchange("POST", "/rivals/_bulk", body)

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()
