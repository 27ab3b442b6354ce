"""The page's HTTP side: files, queries, downloads, live events, limits."""

import concurrent.futures
import csv
import gzip
import http.client
import io
import json
import re
import socket
import time
import urllib.parse

import pytest
from fake_engine import FakeEngine
from processes import wait_until

import wire


def ask(collector, path, headers=None, timeout=15, **parameters):
    """Status, headers and body of a GET."""
    if parameters:
        path += "?" + urllib.parse.urlencode(parameters, doseq=True)
    connection = http.client.HTTPConnection(*collector.http, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def query(collector, what, **parameters):
    status, headers, body = ask(collector, f"/api/{what}", **parameters)
    assert status == 200, body
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    return json.loads(body)


def at(second):
    return f"2024-05-01T00:{second // 60:02}:{second % 60:02}Z"


def ms(second):
    return 1714521600_000 + 1000 * second


@pytest.fixture
def filled(collector, peer):
    """A collector with numbers, a boolean, a text, and positions, among them a late one."""
    events = [wire.event(float(n), origin=f"probe{n % 2}", timestamp=at(n)) for n in range(100)]
    events += [
        wire.event(None, payload={"type": "door", "value": True}, timestamp=at(7)),
        wire.event(None, payload={"type": "note", "value": 'a,"b"\n', "by": "me"}, timestamp=at(8)),
        wire.event(None, payload={"type": "place", "value": {"lat": 51.5, "lon": -0.1}},
                   timestamp=at(20)),
        wire.event(None, payload={"type": "place", "value": [8.5, 47.25]}, timestamp=at(10)),
    ]
    for event in events:
        assert peer.ask(wire.post(event)).code == wire.CREATED
    return collector


def test_status(filled):
    status = wait_until(lambda: (got := query(filled, "status"))["events_stored"] == 104 and got)
    assert status["store"] == "sqlite"
    assert (status["state"], status["phase"], status["reason"]) == ("serving", "serving", None)
    assert status["stored_total"] == 104
    assert status["database_bytes"] > 4096
    assert status["resident_bytes"] > 1_000_000
    assert status["commit_p50_ms"] > 0
    assert status["coap"] == f"{filled.coap[0]}:{filled.coap[1]}"


def test_series(filled):
    series = query(filled, "series")["series"]
    assert [one["last"] for one in series] == sorted((one["last"] for one in series), reverse=True)
    by_name = {(one["origin"], one["type"]): one for one in series}
    assert len(by_name) == 5
    odd = by_name["probe1", "temperature"]
    assert (odd["count"], odd["first"], odd["last"], odd["last_value"]) == (50, at(1), at(99), 99)
    assert by_name["probe1", "door"]["last_value"] is True
    assert by_name["probe1", "place"]["last_value"] == {"lat": 51.5, "lon": -0.1}
    assert by_name["probe1", "note"]["last_value"] == 'a,"b"\n'
    few = query(filled, "series", limit=2)
    assert few["truncated"] and few["series"] == series[:2]
    some = query(filled, "series", type=["door", "note"], origin="probe1")["series"]
    assert {one["type"] for one in some} == {"door", "note"}
    assert query(filled, "series", sender="nobody")["series"] == []


def test_chart(filled):
    chart = query(filled, "chart", type="temperature", **{"from": at(0), "to": at(100)}, buckets=10)
    assert (chart["from_ms"], chart["to_ms"], chart["bucket_ms"]) == (ms(0), ms(100), 10_000)
    assert not chart["truncated"] and chart["behind"] == 0
    even = next(one for one in chart["series"] if one["origin"] == "probe0")
    assert even["t"] == [ms(10 * n) for n in range(10)]
    assert even["min"] == [10 * n for n in range(10)]
    assert even["mean"] == [10 * n + 4 for n in range(10)]
    assert even["max"] == [10 * n + 8 for n in range(10)]
    assert even["count"] == [5] * 10
    door = query(filled, "chart", type="door")["series"]
    assert [(one["mean"], one["count"]) for one in door] == [([1], [1])]
    assert query(filled, "chart", type="note")["series"][0]["t"] == []
    assert query(filled, "chart", type="nothing")["series"] == []


def test_events_in_pages(filled):
    found, before = [], ""
    while before is not None:
        page = query(filled, "events", limit=33, before=before)
        found += page["events"]
        before = page["next"]
    assert len(found) == len({event["id"] for event in found}) == 104
    times = [event["timestamp"] for event in found]
    assert times == sorted(times, reverse=True)
    stored = {row["id"] for row in filled.rows()}
    assert {event["id"] for event in found} == stored
    page = query(filled, "events", origin="probe0", **{"from": at(10), "to": at(20)})
    assert [event["value"] for event in page["events"]] == [18, 16, 14, 12, 10]
    assert page["next"] is None
    note = query(filled, "events", type="note")["events"][0]
    assert note["value"] == 'a,"b"\n'
    assert note["payload"] == {"type": "note", "value": 'a,"b"\n', "by": "me"}
    assert page["events"][0]["payload"] is None


def test_positions(filled):
    positions = query(filled, "positions")["positions"]
    assert [(one["latitude"], one["longitude"], one["timestamp"]) for one in positions] == [
        (51.5, -0.1, at(20))]
    assert query(filled, "positions", type="temperature")["positions"] == []


def test_exports(filled):
    status, headers, body = ask(filled, "/api/export.csv")
    assert status == 200
    assert headers["Content-Type"].lower() == "text/csv; charset=utf-8"
    assert headers["Content-Disposition"] == 'attachment; filename="events.csv"'
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert len(rows) == 104
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)
    assert next(row for row in rows if row["type"] == "note")["value"] == 'a,"b"\n'
    status, headers, body = ask(filled, "/api/export.ndjson", origin="probe0",
                                **{"from": at(10), "to": at(20)})
    assert headers["Content-Disposition"] == 'attachment; filename="events.ndjson"'
    events = [json.loads(line) for line in body.splitlines()]
    assert [event["value"] for event in events] == [10, 12, 14, 16, 18]
    assert set(events[0]) == {"id", "namespace", "sender", "origin", "type", "value", "payload",
                              "timestamp", "received"}


def test_cut_exports_say_so(start):
    collector = start(page_export_rows_max=3)
    with collector.peer() as peer:
        for n in range(5):
            peer.ask(wire.post(wire.event(n)))
    lines = ask(collector, "/api/export.csv")[2].decode().splitlines()
    assert len(lines) == 5 and lines[-1].startswith("# cut: ")
    lines = ask(collector, "/api/export.ndjson")[2].decode().splitlines()
    assert len(lines) == 4 and json.loads(lines[-1])["error"].startswith("cut: ")


BAD_PARAMETERS = [
    ("/api/status?x=1", "parameters"),
    ("/api/series?origins=a", "origins"),
    ("/api/series?limit=0", "limit"),
    ("/api/series?limit=10001", "limit"),
    ("/api/series?limit=3&limit=4", "limit"),
    ("/api/series?from=2024-05-01T00:00:00Z", "from"),
    ("/api/chart?buckets=2001", "buckets"),
    ("/api/chart?buckets=1", "buckets"),
    ("/api/chart?buckets=ten", "buckets"),
    ("/api/chart?from=yesterday", "from"),
    ("/api/chart?from=2024-05-02T00:00:00Z&to=2024-05-01T00:00:00Z", "from"),
    ("/api/events?before=x", "before"),
    ("/api/events?before=99999999999999999999999", "before"),
    ("/api/events?limit=-1", "limit"),
    ("/api/positions?limit=1", "limit"),
    ("/api/export.csv?limit=1", "limit"),
    ("/api/live?from=2024-05-01T00:00:00Z", "from"),
    ("/api/series?" + "&".join(f"origin={n}" for n in range(201)), "origin"),
]


def test_bad_parameters(collector):
    for path, named in BAD_PARAMETERS:
        status, headers, body = ask(collector, path)
        assert status == 400, path
        assert headers["Content-Type"] == "application/json"
        assert named in json.loads(body)["error"], path


def test_hostile_texts_are_values(filled):
    """What is no series finds nothing, and what is asked is no SQL."""
    for text in ["' OR 1=1 --", '"', "\\", "%", "\x00", "é" * 300, "');DROP TABLE series;--"]:
        assert query(filled, "series", origin=text)["series"] == []
    assert len(query(filled, "series")["series"]) == 5


def test_files(collector):
    status, headers, body = ask(collector, "/")
    assert status == 200 and b"<html" in body.lower()
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    status, again, nothing = ask(collector, "/", {"If-None-Match": headers["ETag"]})
    assert (status, nothing) == (304, b"") and again["ETag"] == headers["ETag"]
    plain = ask(collector, "/assets/uPlot.min.css")
    packed = ask(collector, "/assets/uPlot.min.css", {"Accept-Encoding": "gzip, deflate, br"})
    assert plain[1]["Content-Type"].startswith("text/css")
    assert packed[1]["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed[2]) == plain[2] and len(plain[2]) > 1000
    assert ask(collector, "/assets/uPlot.iife.min.js")[1]["Content-Type"].startswith(
        "text/javascript")


def test_nothing_else_is_served(collector):
    for path in ["/assets/../events.db", "/assets/%2e%2e/events.db", "/assets/..%2fevents.db",
                 "/../etc/passwd", "/assets//etc/passwd", "/assets/", "/assets/index.html%00",
                 "/events.db", "/api/", "/api/x/y"]:
        assert ask(collector, path)[0] in (400, 404), path


class Live:
    """A connection to /api/live, read message by message."""

    def __init__(self, collector, path="/api/live"):
        self.socket = socket.create_connection(collector.http, timeout=10)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.answer = http.client.HTTPResponse(self.socket)
        self.answer.begin()

    def next(self, kind):
        """The data of the next message of a kind."""
        found = None
        while line := self.answer.readline().decode():
            if line.startswith("event: "):
                found = line[7:].strip()
            elif line.startswith("data: ") and found == kind:
                return json.loads(line[6:])
        raise EOFError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answer.close()
        self.socket.close()


def test_live_events(filled, peer):
    time.sleep(1.2)  # what was stored in the second before is told too
    with Live(filled) as all_live, Live(filled, "/api/live?origin=mine") as mine:
        assert all_live.answer.headers["Content-Type"] == "text/event-stream"
        assert all_live.next("status")["stored_total"] == 104
        mine.next("status")
        peer.ask(wire.post(wire.event(1, origin="other")))
        peer.ask(wire.post(wire.event(2, origin="mine")))
        only = mine.next("events")
        assert ([event["value"] for event in only["events"]], only["skipped"]) == ([2], 0)
        seen = []
        while len(seen) < 2:
            news = all_live.next("events")
            seen = [event["value"] for event in news["events"]] + seen
            assert news["skipped"] == 0
        assert seen == [2, 1]
        assert all_live.next("status")["live"] == 2


def test_live_skips_what_is_too_much(collector, peer):
    with Live(collector) as live:
        live.next("status")
        peer.ask(wire.post([wire.event(n, payload={"type": "t", "value": n}) for n in range(25)]))
        for _ in range(12):
            peer.ask(wire.post([wire.event(n, origin="o") for n in range(25)]))
        shown = skipped = 0
        while shown + skipped < 325:
            news = live.next("events")
            assert len(news["events"]) <= 100
            shown += len(news["events"])
            skipped += news["skipped"]
        assert shown + skipped == 325


def test_live_connections_are_bounded(start):
    collector = start(page_live_max=2)
    with Live(collector) as one, Live(collector) as two:
        one.next("status")
        two.next("status")
        status, _, body = ask(collector, "/api/live")
        assert status == 503 and "open pages" in json.loads(body)["error"]
        assert collector.get("/health").status == 200
    wait_until(lambda: query(collector, "status")["live"] == 0, what="places are given back")
    with Live(collector) as again:
        assert again.next("status")["live"] == 1


def test_stopping_ends_open_pages(start):
    collector = start()
    with Live(collector) as live:
        live.next("status")
        began = time.monotonic()
        collector.stop()
        assert time.monotonic() - began < 3


def test_many_pages_leave_probes_alone(filled):
    """More queries than there are readers: each is answered, or told to come again."""
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: ask(filled, "/api/series")[0], range(120)))
        assert set(answers) <= {200, 503} and answers.count(200) >= 20
        assert filled.get("/livez").status == 200


def test_page_off(start):
    collector = start(page="off")
    for path in ["/", "/api/status", "/api/live", "/assets/uPlot.min.css"]:
        assert ask(collector, path)[0] == 404
    assert collector.get("/health").status == 200
    assert not (collector.directory / "events.db-summary").exists()


def test_elasticsearch_has_no_page(start):
    engine = FakeEngine().start()
    try:
        collector = start(store="elasticsearch", sqlite_path=None, elasticsearch_url=engine.url)
        status, headers, body = ask(collector, "/")
        assert status == 200 and headers["Content-Type"].startswith("text/plain")
        assert b"Kibana" in body
        assert query(collector, "status")["store"] == "elasticsearch"
        for path in ["/api/series", "/api/live", "/api/export.csv"]:
            status, _, body = ask(collector, path)
            assert status == 404 and "Kibana" in json.loads(body)["error"]
        collector.stop()
    finally:
        engine.stop()


def test_damaged_summary_is_made_again(start):
    collector = start()
    with collector.peer() as peer:
        for n in range(5):
            peer.ask(wire.post(wire.event(n)))
    collector.stop()
    summary = collector.directory / "events.db-summary"
    summary.write_bytes(b"no database at all, however long it may be" * 100)
    again = start()
    assert query(again, "series")["series"][0]["count"] == 5
    assert re.search(r"^SQLite format", summary.read_bytes()[:20].decode(errors="replace"))
