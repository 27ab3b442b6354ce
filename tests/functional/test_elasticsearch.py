"""Events through the real programs into real engines, and what analysts and operators do there."""

import collections
import json
import os
import random
import resource
import signal
import subprocess
import time
import uuid

import pytest

import wire
from engines import NAMES, PASSWORD, USER, Rivals, free_port
from load import Load
from processes import CLIENT, COLLECTOR, client, environment, run, wait_until
from test_events import ask, post

pytestmark = [pytest.mark.engine, pytest.mark.slow]

STREAM = "metrics-coap.events-default"
REQUESTS_STREAM = "metrics-coap.requests-default"
TIMESTAMP = "2018-06-01T14:08:24.772Z"
REFUSED_FOR_GOOD = 0x96  # 4.22
EXIT_UNAVAILABLE = 69


def setup(engine, *arguments, env=None, expect=0):
    """`collector setup` for an engine; its output."""
    done = run(COLLECTOR, "setup", "--elasticsearch-url", engine.url, *arguments,
               env=environment(**(env or {})))
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def ready(engine):
    """An engine in which `collector setup` was done."""
    if not hasattr(engine, "is_set_up"):
        setup(engine)
        engine.is_set_up = True
    return engine


@pytest.fixture
def sender():
    """A name that no other test's events have."""
    return f"test-{uuid.uuid4().hex[:12]}"


def of(sender):
    return {"term": {"sender": sender}}


def serve(start, engine, **options):
    """A collector on an engine."""
    return start(store="elasticsearch", sqlite_path=None, elasticsearch_url=engine.url, **options)


def codes(answers):
    return [wire.code_text(answer.code) for answer in answers]


# --- documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value, field, stored", [
    (16.5, "value.number", 16.5),
    (-3, "value.number", -3.0),
    ("open", "value.string", "open"),
    (True, "value.boolean", True),
    ({"lat": 41.4, "lon": 2.2}, "value.location", None),
    ({"x": {"y": 1}, "z": "deep"}, "value.object", None),
    ([1, 2, 3], "value.object", None),
], ids=str)
def test_document(start, ready, sender, value, field, stored):
    collector = serve(start, ready)
    payload = {"type": "measured", "value": value, "unit": "C"}
    event = wire.event(sender=sender, timestamp=TIMESTAMP, payload=payload)
    (answer,) = ask(post(collector, event))
    assert str(answer.code) == "2.01 Created"
    ((name, fields, source),) = ready.hits(STREAM, of(sender))
    assert len(name) == 22
    assert source["payload"] == payload
    assert type(source["payload"]["value"]) is type(value)
    assert source["@timestamp"] == TIMESTAMP
    assert fields["@timestamp"] == TIMESTAMP
    assert fields["namespace"] == "default"
    assert fields["sender"] == sender
    assert fields["origin"] == "probe1"
    assert fields["payload.type"] == "measured"
    assert fields["event.ingested"] > TIMESTAMP
    # OpenSearch shows a flat_object under a second name, "value.object.".
    assert {key.rstrip(".") for key in fields if key.startswith("value.")} == {field}
    if stored is not None:
        assert fields[field] == stored


def test_texts_stay_what_they_are(start, ready, sender):
    """Quotes, line ends and other alphabets must not break the lines of a _bulk request."""
    collector = serve(start, ready)
    texts = ['say "hi"', "two\nlines", "Grüße, 世界 🌍", "back\\slash", '"}}\n{"create":{}}', ""]
    with collector.peer() as peer:
        for text in texts:
            answer = peer.ask_slow(wire.post(wire.event(text, sender=sender)))
            assert wire.code_text(answer.code) == "2.01"
    assert sorted(ready.values(STREAM, of(sender))) == sorted(texts)


def test_client_and_health(start, ready, sender):
    collector = serve(start, ready)
    done = client(collector, "-s", sender, "incremental", "-n", "10", "-f", "2", "doubled", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(ready.values(STREAM, of(sender))) == [2**n for n in range(10)]
    health = json.loads(collector.get("/health").text)
    assert (health["status"], health["store"]) == ("ok", "elasticsearch")
    done = client(collector, "healthcheck")
    assert done.returncode == 0 and "elasticsearch" in done.stdout


def test_same_event_through_two_collectors_is_one_document(start, ready, sender):
    collectors = [serve(start, ready), serve(start, ready)]
    event = wire.event(sender=sender, timestamp=TIMESTAMP)
    together = ask(*(post(collector, event) for collector in collectors * 3))
    later = ask(post(collectors[0], event)) + ask(post(collectors[1], event))
    assert {str(answer.code) for answer in together + later} == {"2.01 Created"}
    assert len(ready.hits(STREAM, of(sender))) == 1


def test_many_events_through_two_collectors_are_one_document_each(start, ready, sender):
    devices, events = 4, 2_500
    collectors = [serve(start, ready) for _ in range(2)]
    loads = [Load(collector.coap, sender, devices) for collector in collectors]
    for device in (device for load in loads for device in load.devices):
        device.numbers = iter(range(events))  # the same events at both
    for _ in range(400):
        for load in loads:
            load.run(0.05)
        if not any(load.waiting() for load in loads):
            break
    for collector, load in zip(collectors, loads):
        load.finish(collector.coap)
        assert (len(load.acknowledged), load.refused) == (devices * events, [])
        load.close()
    stored = collections.Counter(ready.values(STREAM, {"prefix": {"origin": sender}}))
    assert (len(stored), set(stored.values())) == (devices * events, {1})


# --- each event its own answer -------------------------------------------------------------------


def addresses_only(engine, stream):
    """A stream whose mapping conflicts with ours: origin must be an IP address."""
    engine.ask("PUT", f"/_index_template/{stream}", {
        "index_patterns": [stream], "data_stream": {}, "priority": 900,
        "template": {
            "settings": {"number_of_replicas": 0},
            "mappings": {"dynamic": False, "properties": {
                "@timestamp": {"type": "date"}, "sender": {"type": "keyword"},
                "origin": {"type": "ip"}}}}})
    engine.ask("PUT", f"/_data_stream/{stream}")


def test_mixed_batch_from_many_devices(start, ready, sender):
    """Good events, duplicates and ones that the mapping refuses, in the same _bulk requests."""
    stream = f"metrics-coap.{sender}-default"
    addresses_only(ready, stream)
    collector = serve(start, ready, elasticsearch_stream=stream)
    known = wire.event("known", sender=sender, origin="192.0.2.1", timestamp=TIMESTAMP)
    with collector.peer() as peer:
        assert peer.ask_slow(wire.post(known)).code == wire.CREATED
    kinds = [
        lambda n: (wire.event(n, sender=sender, origin=f"10.0.{n // 250}.{n % 250}"), wire.CREATED),
        lambda n: (wire.event(n, sender=sender, origin=f"probe{n}"), REFUSED_FOR_GOOD),
        lambda n: (known, wire.CREATED),
    ]
    devices = 999
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (4_096, hard))  # a socket each
    expected = [kinds[n % 3](n) for n in range(devices)]
    peers = [collector.peer() for _ in expected]
    requests = [wire.post(event) for event, _ in expected]
    try:
        for peer, request in zip(peers, requests):
            peer.send(request)
        answers = [peer.wait_for(request) for peer, request in zip(peers, requests)]
    finally:
        for peer in peers:
            peer.socket.close()
    assert codes(answers) == [wire.code_text(code) for _, code in expected]
    for answer, (_, code) in zip(answers, expected):
        if code == REFUSED_FOR_GOOD:
            assert "parsing_exception" in answer.text()  # the device's log says why
    good = {n for n in range(devices) if n % 3 == 0}
    assert collections.Counter(ready.values(stream, of(sender))) == collections.Counter(
        [*good, "known"])
    metrics = collector.metrics()
    requests = sum(number for name, number in metrics.items()
                   if name.startswith("coap_collector_elasticsearch_requests_total"))
    assert requests < 100, "they came in batches"
    assert metrics['coap_collector_elasticsearch_items_total{outcome="refused"}'] == devices / 3


# --- an engine that fails ------------------------------------------------------------------------


def stored_once(engine, stream, load, name):
    """Checks that what was acknowledged is there and nothing is there twice; the values."""
    stored = collections.Counter(engine.values(stream, {"prefix": {"origin": name}}))
    missing = set(load.acknowledged) - set(stored)
    assert not missing, f"{len(missing)} acknowledged events are lost: {sorted(missing)[:5]}"
    twice = [value for value, times in stored.items() if times > 1]
    assert not twice, f"{len(twice)} events are there twice: {twice[:5]}"
    return stored


def wait_for_created(collector, event, seconds):
    """Sends an event until it is acknowledged."""
    with collector.peer() as peer:
        def created():
            answer = peer.ask_slow(wire.post(event))
            assert answer.code in (wire.CREATED, wire.UNAVAILABLE)
            return answer.code == wire.CREATED
        wait_until(created, seconds, "2.01")


def test_client_reads_the_engine_back(start, ready, sender):
    """`client load --verify` and `client watch`, against each engine."""
    collector = serve(start, ready)
    store = ["--elasticsearch-url", ready.url]
    watch = subprocess.Popen([CLIENT, "watch", *store, "--json", "-s", sender, "-n", "300"],
                             stdout=subprocess.PIPE, text=True, env=environment())
    load = ["load", "--json", "-s", sender, "--rate", 150, "--verify", *store]
    done = client(collector, *load, "--duration", 3)
    result = json.loads(done.stdout)
    assert (done.returncode, result["stored"]) == (0, result["sent"]), done.stderr
    assert result["verify"]["acknowledged"]["stored_once"] == result["stored"] >= 445
    seen = [json.loads(line) for line in watch.communicate(timeout=30)[0].splitlines()]
    assert len({(event["origin"], event["timestamp"]) for event in seen}) == len(seen) == 300
    # Another writer puts a second copy of an event under an id of its own, while load still sends.
    again = subprocess.Popen(
        [CLIENT, "-H", collector.coap[0], "-P", str(collector.coap[1]), *map(str, load),
         "--duration", "6", "-o", "twice"], stdout=subprocess.PIPE, text=True, env=environment())

    def one():
        ready.ask("POST", f"/{STREAM}/_refresh")
        query = {"size": 1, "query": {"bool": {"filter": [
            of(sender), {"prefix": {"origin": "twice-"}}]}}}
        return ready.ask("POST", f"/{STREAM}/_search", query)["hits"]["hits"]

    document = wait_until(one, 10, "an event of the second load")[0]["_source"]
    ready.ask("POST", f"/{STREAM}/_create/copy-{sender}", document)
    out, _ = again.communicate(timeout=60)
    assert again.returncode == 6, out
    assert json.loads(out)["verify"]["acknowledged"]["stored_more"] == 1


def test_engine_crashes_under_load(start, ready, sender, record_property):
    engine = ready
    collector = serve(start, engine, elasticsearch_event_deadline_ms=2000,
                      log_requests_per_second_max=0)
    load = Load(collector.coap, sender)
    load.run(random.uniform(1, 2))
    engine.kill()
    load.run(0.5)
    assert load.acknowledged
    with collector.peer() as peer:
        answer = peer.ask_slow(wire.post(wire.event(sender=sender)))
        assert answer.code == wire.UNAVAILABLE
        assert 0 < answer.option(wire.MAX_AGE) <= 60
    load.finish(collector.coap)  # everything sent so far has its answer
    while_down = len(load.refused)
    assert while_down > 0
    assert '"status":"ok"' not in collector.get("/health").text

    engine.start().wait()
    back = time.monotonic()
    wait_for_created(collector, wire.event("back", sender=sender, timestamp=TIMESTAMP), 10)
    waited = time.monotonic() - back
    assert waited < 2
    load.run(0.5)
    load.finish(collector.coap)
    stored = stored_once(engine, STREAM, load, sender)
    assert '"status":"ok"' in collector.get("/health").text
    record_property("note", f"{engine.name} killed under load: {len(load.acknowledged)} "
                            f"acknowledged, {while_down} told 5.03 meanwhile, {len(stored)} "
                            f"stored, first 2.01 {waited:.1f} s after the engine was healthy")
    load.close()


@pytest.mark.parametrize("name", NAMES)
def test_engine_is_overloaded(start, node, sender, name):
    """Its queue of writes is full of other people's: 429 for items and for whole requests."""
    engine = node(name, "thread_pool.write.size=1", "thread_pool.write.queue_size=1")
    setup(engine)
    collector = serve(start, engine, elasticsearch_event_deadline_ms=4000,
                      log_requests_per_second_max=0)
    load = Load(collector.coap, sender)
    with Rivals(engine):
        load.run(2)
        load.finish(collector.coap)
    load.run(0.3)
    load.finish(collector.coap)
    assert load.acknowledged
    stored_once(engine, STREAM, load, sender)
    pools = engine.ask("GET", "/_nodes/stats/thread_pool")["nodes"].values()
    assert sum(node["thread_pool"]["write"]["rejected"] for node in pools) > 0
    load.close()


def test_batch_is_too_large(start, ready, sender):
    """What gathers while the engine stands still is more than it takes in one request: 413."""
    collector = serve(start, ready, log_requests_per_second_max=0)
    body = "x" * 3500
    with collector.peer() as peer:
        assert peer.ask_slow(wire.post(wire.event("first", sender=sender))).code == wire.CREATED
        waiting = {}
        os.kill(ready.node_pid(), signal.SIGSTOP)
        try:
            for n in range(500):
                request = wire.post(wire.event(f"{n}-{body}", sender=sender, timestamp=TIMESTAMP))
                waiting[request.token] = request
                peer.send(request)
                time.sleep(0.0005)
        finally:
            os.kill(ready.node_pid(), signal.SIGCONT)
        deadline = time.monotonic() + 15
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} of 500 without an answer"
            answer = peer.receive(1)
            if answer is None:
                for request in waiting.values():
                    peer.send(request)
                continue
            if answer.type == wire.CON:
                peer.send(wire.Message(wire.ACK, wire.EMPTY, answer.message_id))
            if answer.token in waiting:
                assert wire.code_text(answer.code) == "2.01", answer
                del waiting[answer.token]
    collector.told("413")
    assert len(set(ready.values(STREAM, of(sender)))) == 501


def test_engine_has_no_memory_for_large_requests(start, node, sender):
    """429 for a whole request that will never fit: it must become smaller."""
    engine = node("opensearch", "indexing_pressure.memory.limit=100kb")
    setup(engine)
    collector = serve(start, engine, elasticsearch_event_deadline_ms=5000,
                      log_requests_per_second_max=0)
    load = Load(collector.coap, sender, devices=8)
    load.run(2)
    load.finish(collector.coap)
    stored_once(engine, STREAM, load, sender)
    assert len(load.acknowledged) > len(load.refused)
    load.close()


# --- credentials ---------------------------------------------------------------------------------


def api_key(engine, *privileges):
    """A key for writing to the events' stream only."""
    roles = {"writer": {"cluster": ["monitor"], "indices": [
        {"names": [STREAM], "privileges": list(privileges)}]}}
    return engine.ask("POST", "/_security/api_key", {"name": "w", "role_descriptors": roles})


def assert_not_shown(collector, *secrets):
    shown = collector.output()
    for secret in secrets:
        assert secret not in shown


def arrives(collector, engine, sender):
    with collector.peer() as peer:
        assert peer.ask_slow(wire.post(wire.event(1, sender=sender))).code == wire.CREATED
    assert len(engine.hits(STREAM, of(sender))) == 1


@pytest.fixture
def safe(secured):
    """The secured engine, set up."""
    setup(secured, "--elasticsearch-user", USER, "--elasticsearch-ca-file", secured.ca_file,
          env={"COLLECTOR_ELASTICSEARCH_PASSWORD": PASSWORD})
    return secured


def test_password_from_environment_over_tls(start, safe, sender):
    collector = serve(start, safe, elasticsearch_user=USER, elasticsearch_ca_file=safe.ca_file,
                      log_level="trace", env={"COLLECTOR_ELASTICSEARCH_PASSWORD": PASSWORD})
    arrives(collector, safe, sender)
    assert_not_shown(collector, PASSWORD)


def test_password_that_changes(start, safe, sender, tmp_path):
    """While it is wrong devices are told to come again, and the operator is told once; the new one
    is taken without a restart."""
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    collector = serve(start, safe, elasticsearch_user=USER, elasticsearch_ca_file=safe.ca_file,
                      elasticsearch_password_file=file, elasticsearch_event_deadline_ms=500,
                      elasticsearch_breaker_probe_ms=200, log_level="trace",
                      request_metrics_per_second_max=0)  # their log line is another one
    arrives(collector, safe, sender)
    file.write_text("hunter22, outdated\n")
    time.sleep(1.1)  # it is looked at once a second
    with collector.peer() as peer:
        for n in range(5):
            answer = peer.ask_slow(wire.post(wire.event(f"refused {n}", sender=sender)))
            assert answer.code == wire.UNAVAILABLE
            assert answer.option(wire.MAX_AGE) > 0
    told = [line for line in collector.told(": 401 ").splitlines() if ": 401 " in line]
    assert len(told) == 1, told
    file.write_text(PASSWORD + "\n")
    wait_for_created(collector, wire.event("in", sender=sender, timestamp=TIMESTAMP), 10)
    assert set(safe.values(STREAM, of(sender))) == {1, "in"}
    assert_not_shown(collector, PASSWORD, "hunter22")


@pytest.mark.parametrize("form", ["encoded", "pair"])
def test_api_key(start, safe, sender, tmp_path, form):
    key = api_key(safe, "create_doc", "auto_configure", "view_index_metadata")
    file = tmp_path / "key"
    file.write_text(key["encoded"] if form == "encoded" else f"{key['id']}:{key['api_key']}")
    collector = serve(start, safe, elasticsearch_api_key_file=file, log_level="trace",
                      elasticsearch_ca_file=safe.ca_file)
    arrives(collector, safe, sender)
    assert_not_shown(collector, key["api_key"], key["encoded"])


def test_api_key_without_the_right_to_write(start, safe, sender):
    """403 is an operator's mistake: the devices shall come again."""
    key = api_key(safe, "read", "view_index_metadata")
    collector = serve(start, safe, elasticsearch_ca_file=safe.ca_file,
                      elasticsearch_event_deadline_ms=500,
                      env={"COLLECTOR_ELASTICSEARCH_API_KEY": key["encoded"]})
    with collector.peer() as peer:
        assert peer.ask_slow(wire.post(wire.event(sender=sender))).code == wire.UNAVAILABLE
    collector.told("403")


def refuses_to_start(url, *arguments, seconds=2, env=None):
    """Status 69 and one line, within the time that was configured; the line."""
    began = time.monotonic()
    done = run(COLLECTOR, "--store", "elasticsearch", "--elasticsearch-url", url,
               "--elasticsearch-start-timeout-seconds", seconds, "--coap-listen", "127.0.0.1:0",
               "--http-listen", "127.0.0.1:0", *arguments, env=environment(**(env or {})))
    took = time.monotonic() - began
    assert done.returncode == EXIT_UNAVAILABLE, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert url in done.stderr
    assert "listening" not in done.stdout
    assert took < seconds + 1.5
    return done.stderr


def test_certificate_of_an_unknown_authority(safe):
    line = refuses_to_start(safe.url, "--elasticsearch-user", USER,
                            env={"COLLECTOR_ELASTICSEARCH_PASSWORD": PASSWORD})
    assert "certificate" in line
    assert PASSWORD not in line


def test_wrong_password_at_start(safe):
    line = refuses_to_start(safe.url, "--elasticsearch-user", USER, "--elasticsearch-ca-file",
                            safe.ca_file, env={"COLLECTOR_ELASTICSEARCH_PASSWORD": "hunter22"})
    assert ": 401 " in line
    assert "hunter22" not in line


def test_no_engine_at_start():
    line = refuses_to_start(f"http://127.0.0.1:{free_port()}")
    assert "--elasticsearch-url" in line


# --- what analysts ask ---------------------------------------------------------------------------


def test_searches(start, ready, sender):
    collector = serve(start, ready)
    events = []
    for hour in range(3):
        for n in range(20):
            at = f"2024-05-01T{hour:02}:{n:02}:00Z"
            for kind, base in (("temperature", 20), ("humidity", 60)):
                payload = {"type": kind, "value": base + hour + n / 20}
                events.append(wire.event(sender=sender, origin=f"probe{n % 4}", timestamp=at,
                                         payload=payload))
    for n, (lat, lon) in enumerate([(41.4, 2.2), (41.5, 2.1), (52.5, 13.4)]):
        payload = {"type": "position", "value": {"lat": lat, "lon": lon}}
        events.append(wire.event(sender=sender, origin=f"truck{n}", timestamp=TIMESTAMP,
                                 payload=payload))
    answers = ask(*(post(collector, event) for event in events))
    assert {str(answer.code) for answer in answers} == {"2.01 Created"}

    def matching(*filters):
        return {"bool": {"filter": [of(sender), *filters]}}

    assert len(ready.hits(STREAM, matching({"term": {"origin": "probe1"}}))) == 30
    box = {"top_left": {"lat": 42, "lon": 2}, "bottom_right": {"lat": 41, "lon": 3}}
    found = ready.hits(STREAM, matching({"geo_bounding_box": {"value.location": box}}))
    assert sorted(fields["origin"] for _, fields, _ in found) == ["truck0", "truck1"]
    answer = ready.search(
        STREAM, size=0, query=matching({"exists": {"field": "value.number"}}),
        aggs={"type": {
            "terms": {"field": "payload.type"},
            "aggs": {"time": {
                "date_histogram": {"field": "@timestamp", "fixed_interval": "1h"},
                "aggs": {"p": {"percentiles": {"field": "value.number",
                                               "percents": [50, 99]}}}}}}})
    seen = {kind["key"]: kind["time"]["buckets"]
            for kind in answer["aggregations"]["type"]["buckets"]}
    assert sorted(seen) == ["humidity", "temperature"]
    for kind, base in (("temperature", 20), ("humidity", 60)):
        assert [hour["doc_count"] for hour in seen[kind]] == [20, 20, 20]
        for number, hour in enumerate(seen[kind]):
            assert hour["p"]["values"]["50.0"] == pytest.approx(base + number + 0.475, abs=0.03)
            assert hour["p"]["values"]["99.0"] == pytest.approx(base + number + 0.95, abs=0.03)


def test_request_metrics(start, ready, sender):
    """Sampled requests in their own stream: percentiles and counts, by code and replica."""
    collector = serve(start, ready, replica=sender, request_metrics_per_second_max=20)
    requests = [wire.post(wire.event(n, sender=sender)) for n in range(60)]
    requests += [wire.post("no JSON")] * 3 + [wire.request(wire.GET, "/nothing")] * 2
    with collector.peer() as peer:
        answered = collections.Counter(codes(peer.ask_slow(request) for request in requests))
    ours = {"term": {"replica": sender}}
    aggregations = {"codes": {"terms": {"field": "code"}, "aggs": {
        "requests": {"sum": {"field": "requests"}},
        "time": {"percentiles": {"field": "processing_time_us", "percents": [50, 99]}}}}}

    def seen():
        answer = ready.search(REQUESTS_STREAM, size=0, query=ours, aggs=aggregations)
        buckets = answer["aggregations"]["codes"]["buckets"]
        complete = sum(each["requests"]["value"] for each in buckets) == len(requests)
        return complete and {each["key"]: each for each in buckets}

    by_code = wait_until(seen, 20, "each request is stood for")
    assert by_code.keys() <= answered.keys() and "2.01" in by_code
    times = by_code["2.01"]["time"]["values"]
    assert 0 < times["50.0"] <= times["99.0"] < 20_000_000
    hits = ready.hits(REQUESTS_STREAM, ours)
    wait_until(lambda: collector.metric('request_metrics_total{outcome="written"}') == len(hits),
               10, "what was written is counted")
    for _, fields, source in hits:
        assert fields.keys() == source.keys(), "each field can be searched"
        assert fields["path"] in ("/events", "/nothing")
        assert fields["method"] in ("POST", "GET")


# --- collector setup -----------------------------------------------------------------------------


def installed(engine):
    """Everything that setup may have changed."""
    paths = ("/_index_template/*coap*", "/_data_stream/metrics-coap*",
             "/metrics-coap*/_mapping", "/metrics-coap*/_settings")
    return [engine.ask("GET", path) for path in paths]


def test_setup_twice_changes_nothing(ready):
    before = installed(ready)
    text = setup(ready)
    assert "unchanged" in text
    assert "created" not in text and "updated" not in text
    assert installed(ready) == before
    assert before[0]["index_templates"] and before[1]["data_streams"]


def test_setup_dry_run_changes_nothing(ready, sender):
    before = installed(ready)
    stream = f"metrics-coap.{sender}-default"
    setup(ready, "--elasticsearch-stream", stream, "--dry-run")
    assert installed(ready) == before


def test_setup_without_an_engine():
    done = run(COLLECTOR, "setup", "--elasticsearch-url", f"http://127.0.0.1:{free_port()}",
               "--elasticsearch-start-timeout-seconds", 1)
    assert done.returncode == EXIT_UNAVAILABLE
    assert done.stderr.count("\n") == 1, done.stderr
