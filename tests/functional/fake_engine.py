"""An engine over real HTTP that answers _bulk by script, for what a real one cannot be made to do.

It keeps documents by _id as `create` does: what it stored is known even where its answer was lost.
"""

import contextlib
import gzip
import http.server
import json
import socket
import struct
import threading
import time

REQUESTS_STREAM = "metrics-coap.requests-default"
ERROR_TYPES = {
    400: "mapper_parsing_exception",
    403: "security_exception",
    409: "version_conflict_engine_exception",
    429: "rejected_execution_exception",
    503: "unavailable_shards_exception",
}


class Bulk:
    """One _bulk request as it came."""

    def __init__(self, path, headers, body):
        self.path = path
        self.headers = headers
        self.bytes = len(body)
        self.time = time.monotonic()
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        lines = [json.loads(line) for line in body.splitlines()]
        assert body.endswith(b"\n") and len(lines) % 2 == 0, "not NDJSON of actions and documents"
        self.items = []  # (_id, document)
        for action, document in zip(lines[::2], lines[1::2]):
            assert list(action) == ["create"], action
            name = None if self.of_requests() else action["create"]["_id"]
            self.items.append((name, document))

    def of_requests(self):
        """Request metrics: their documents have no _id of ours."""
        return self.path.startswith(f"/{REQUESTS_STREAM}/")

    def ids(self):
        return [name for name, _ in self.items]


# --- what it may be told to do with a _bulk request: functions of (engine, bulk, handler) ---------


def store(engine, bulk, handler):
    """As a healthy engine does."""
    handler.answer(200, bulk_answer(engine.create_all(bulk)))


def store_request_metrics(engine, bulk, handler):
    engine.request_metrics += [document for _, document in bulk.items]
    handler.answer(200, bulk_answer([201] * len(bulk.items)))


def items(*statuses):
    """An item each status, in turn; 201 stores (or finds it there), others do not."""
    def behave(engine, bulk, handler):
        results = []
        for position, (name, document) in enumerate(bulk.items):
            status = statuses[position % len(statuses)]
            results.append(engine.create(name, document) if status == 201 else status)
        handler.answer(200, bulk_answer(results))
    return behave


def each(judge):
    """The status of each item is judge(document)."""
    def behave(engine, bulk, handler):
        results = []
        for name, document in bulk.items:
            status = judge(document)
            results.append(engine.create(name, document) if status == 201 else status)
        handler.answer(200, bulk_answer(results))
    return behave


def whole(status, **headers):
    """The whole request is refused: 401, 413, 429, 503..."""
    def behave(engine, bulk, handler):
        error = {"type": ERROR_TYPES.get(status, "scripted_exception"), "reason": "by script"}
        handler.answer(status, {"error": error, "status": status}, **headers)
    return behave


def larger_than(count):
    """413 for more items than that."""
    def behave(engine, bulk, handler):
        (whole(413) if len(bulk.items) > count else store)(engine, bulk, handler)
    return behave


def cut_json(engine, bulk, handler):
    """Stored, and a complete HTTP answer whose JSON ends in the middle."""
    text = json.dumps(bulk_answer(engine.create_all(bulk)))
    handler.answer(200, text[: len(text) * 2 // 3])


def cut_body(engine, bulk, handler):
    """Stored, and the connection ends before the announced length."""
    text = json.dumps(bulk_answer(engine.create_all(bulk)))
    handler.answer(200, text[: len(text) // 2], length=len(text))
    handler.close_connection = True


def wrong_count(engine, bulk, handler):
    """Stored, and one item too few in the answer."""
    handler.answer(200, bulk_answer(engine.create_all(bulk)[:-1]))


def not_json(engine, bulk, handler):
    """A proxy's page, and nothing stored."""
    handler.answer(200, "<html>It works!</html>")


def slow(seconds):
    """Stored at once, and the answer's body comes in pieces over that time."""
    def behave(engine, bulk, handler):
        text = json.dumps(bulk_answer(engine.create_all(bulk)))
        handler.answer(200, "", length=len(text))
        step = max(1, len(text) // 10)
        for begin in range(0, len(text), step):
            time.sleep(seconds / 10)
            handler.wfile.write(text[begin : begin + step].encode())
            handler.wfile.flush()
    return behave


def reset(stored):
    """The request was read, then the connection is reset: the outcome is unknown."""
    def behave(engine, bulk, handler):
        if stored:
            engine.create_all(bulk)
        linger = struct.pack("ii", 1, 0)  # close() then sends a reset
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.abort()
    return behave


def silent(engine, bulk, handler):
    """Stored, and never answered."""
    engine.create_all(bulk)
    handler.engine.stopping.wait(60)
    handler.close_connection = True


def bulk_answer(statuses):
    answers = []
    for status in statuses:
        result = {"status": status}
        if status >= 300:
            result["error"] = {"type": ERROR_TYPES.get(status, "scripted_exception"),
                               "reason": "by script"}
        answers.append({"create": result})
    return {"took": 1, "errors": any(status >= 300 for status in statuses), "items": answers}


class FakeEngine:
    """Listens on 127.0.0.1 from start() to stop(), and again on the same port after that."""

    def __init__(self, distribution="opensearch"):
        self.distribution = distribution
        self.documents = {}  # _id: document
        self.bulks = []  # of events
        self.request_metrics = []  # documents that were stored
        self.request_metrics_bulks = []
        self.request_metrics_default = store_request_metrics
        self.requests = []  # "GET /", of everything but _bulk
        self.script = []  # for the next _bulk requests, one each
        self.default = store  # for all after those
        self.wrong = []  # requests that no engine would take
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.port = 0
        self.server = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        handler = type("Handler", (_Handler,), {"engine": self})
        self.stopping.clear()
        self.server = _Server(("127.0.0.1", self.port), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        """Connections are refused from now on; open ones end."""
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.server.end_connections()
        self.server = None

    def will(self, *behaviours):
        self.script += behaviours

    def create(self, name, document):
        with self.lock:
            if name in self.documents:
                return 409
            self.documents[name] = document
            return 201

    def create_all(self, bulk):
        return [self.create(name, document) for name, document in bulk.items]

    def take(self, bulk, handler):
        if bulk.of_requests():
            self.request_metrics_bulks.append(bulk)
            return self.request_metrics_default(self, bulk, handler)
        with self.lock:
            self.bulks.append(bulk)
            behave = self.script.pop(0) if self.script else self.default
        return behave(self, bulk, handler)

    def values(self):
        """What `payload.value` the stored documents have."""
        with self.lock:
            return [document["payload"]["value"] for document in self.documents.values()]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *arguments):
        self.connections = set()
        super().__init__(*arguments)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self):
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        pass  # a client that went away is part of the script


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0]
        if not path.endswith("/_bulk"):
            return self.other()
        try:
            bulk = Bulk(self.path, self.headers, body)
        except (AssertionError, ValueError, KeyError) as error:
            self.engine.wrong.append(f"{error!r}: {body[:200]!r}")
            return self.answer(400, {"error": {"type": "parse_exception", "reason": f"{error}"}})
        return self.engine.take(bulk, self)

    do_PUT = do_POST

    def do_GET(self):
        if self.path.split("?")[0] != "/":
            return self.other()
        self.engine.requests.append("GET /")
        version = {"number": "2.19.0" if self.engine.distribution == "opensearch" else "8.19.0"}
        if self.engine.distribution == "opensearch":
            version["distribution"] = "opensearch"
        return self.answer(200, {"name": "fake", "cluster_name": "fake", "version": version})

    do_HEAD = do_GET

    def other(self):
        self.engine.requests.append(f"{self.command} {self.path}")
        error = {"type": "index_not_found_exception", "reason": "a scripted engine has none"}
        return self.answer(404, {"error": error, "status": 404})

    def answer(self, status, body, length=None, **headers):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
            self.wfile.flush()

    def abort(self):
        self.close_connection = True
        self.connection.close()
        self.rfile.close()
        self.wfile.close()

    def log_message(self, *_):
        pass
