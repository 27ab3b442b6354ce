"""How the collector tells about itself: /health, /.well-known/core, and its HTTP side."""

import asyncio
import datetime
import json
import re

import aiocoap
import pytest

import wire


def check_health(text):
    health = json.loads(text)
    assert set(health) == {"status", "store", "version", "time"}
    assert health["status"] == "ok"
    assert health["store"] == "sqlite"
    assert re.fullmatch(r"\d+\.\d+\.\d+", health["version"])
    told = datetime.datetime.fromisoformat(health["time"])
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs((now - told).total_seconds()) < 10


def test_health_over_coap(peer):
    answer = peer.ask(wire.request(wire.GET, "/health"))
    assert answer.code == wire.CONTENT
    assert answer.option(wire.CONTENT_FORMAT) == wire.JSON
    assert answer.option(wire.MAX_AGE) == 0
    check_health(answer.text())


def test_health_is_asked_anew_each_time(peer):
    request = wire.request(wire.GET, "/health")
    assert peer.ask(request).code == peer.ask(request).code == wire.CONTENT


def test_resources_are_described(collector):
    async def get():
        context = await aiocoap.Context.create_client_context()
        try:
            message = aiocoap.Message(code=aiocoap.GET, uri=collector.uri("/.well-known/core"))
            return await asyncio.wait_for(context.request(message).response, 10)
        finally:
            await context.shutdown()

    answer = asyncio.run(get())
    assert str(answer.code) == "2.05 Content"
    assert answer.opt.content_format == 40
    links = dict(re.findall(r"<([^>]*)>([^<]*)", answer.payload.decode()))
    assert {"/events", "/health"} <= set(links)
    assert all(re.search(r';rt="[^"]+"', link) for link in links.values())
    assert ';ct="50 60 110 112"' in links["/events"]
    assert ';ct="50 60"' in links["/health"]


@pytest.mark.parametrize("path", ["/health", "/readyz"])
def test_health_over_http(collector, path):
    answer = collector.get(path)
    assert (answer.status, answer.content_type) == (200, "application/json")
    check_health(answer.text)


def test_liveness_over_http(collector):
    assert collector.get("/livez").status == 200


def test_unknown_http_path(collector):
    assert collector.get("/nothing").status == 404


def test_metrics_are_prometheus_text(collector, peer):
    """Every line is as the text exposition format says, and each sample belongs to a family."""
    peer.ask(wire.post(wire.event()))
    answer = collector.get("/metrics")
    assert answer.status == 200
    assert answer.content_type.startswith("text/plain")
    families = {}
    label = r'[a-z_]+="(?:[^"\\\n]|\\.)*"'
    sample = re.compile(rf"([a-z_]+)(?:\{{{label}(?:,{label})*\}})? [-+.e0-9]+|NaN|[-+]Inf")
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in families and kind in ("counter", "gauge", "histogram")
            families[name] = kind
        elif not line.startswith("# HELP "):
            found = sample.fullmatch(line)
            assert found, line
            name = re.sub("_(bucket|sum|count)$", "", found[1])
            assert name in families or found[1] in families, line
            assert name.startswith(("coap_collector_", "process_"))
    assert all(name.endswith("_total") for name, kind in families.items() if kind == "counter")


def test_metrics_count(collector, peer):
    names = ['events_total{outcome="stored"}', "requests_total",
             'responses_total{path="/events",code="2.01"}',
             'response_seconds_count{path="/events",class="2.xx"}', "store_events_committed_total"]
    before = [collector.metric(name) for name in names]
    for n in range(7):
        assert peer.ask(wire.post(wire.event(n))).code == wire.CREATED
    assert [collector.metric(name) for name in names] == [count + 7 for count in before]


def test_duplicates_are_counted(collector, peer):
    event = wire.event(timestamp="2020-01-01T00:00:00Z")
    for _ in range(3):
        assert peer.ask(wire.post(event)).code == wire.CREATED
    assert collector.metric('events_total{outcome="stored"}') == 1
    assert collector.metric('events_total{outcome="duplicate"}') == 2


@pytest.mark.release_only
def test_start_up_time(start, record_property):
    """From exec to the first answered /health."""
    collector = start()
    with collector.peer() as peer:
        assert peer.ask(wire.request(wire.GET, "/health")).code == wire.CONTENT
        spent_ms = 1000 * (peer.answered - collector.started)
    record_property("note", f"first /health answered {spent_ms:.1f} ms after exec")
    assert spent_ms < 1000
