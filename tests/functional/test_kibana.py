"""The dashboards for Kibana and OpenSearch Dashboards: the bundle itself, its import by
`collector setup --kibana`, and, on real engines, the numbers that each panel shows."""

import json
import re

import fake_kibana
import pytest
import wire
from processes import COLLECTOR, ROOT, environment, run
from test_elasticsearch import ready, serve  # noqa: F401, fixture
from test_setup import ROOT_BODY, dry_run, server

BUNDLE = ROOT / "observability/kibana/coap-collector.ndjson"
OBJECTS = [json.loads(line) for line in BUNDLE.read_text().splitlines()]
EVENTS = "metrics-coap.events-default"
REQUESTS = "metrics-coap.requests-default"
PATTERNS = {"metrics-coap.events-*": EVENTS, "metrics-coap.requests-*": REQUESTS}
TYPES_OF_PANELS = {"histogram", "line", "metric", "table", "tile_map", "timelion"}


def of_type(kind):
    return {thing["id"]: thing for thing in OBJECTS if thing["type"] == kind}


def search_source(thing):
    return json.loads(thing["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])


def state_of(visualization):
    return json.loads(visualization["attributes"]["visState"])


def pattern_of(thing):
    """The title of the data view that it reads."""
    (reference,) = thing["references"]
    assert reference["name"] == search_source(thing)["indexRefName"]
    return of_type("index-pattern")[reference["id"]]["attributes"]["title"]


def timelion_reads(visualization):
    """Of a Timelion expression: the arguments of each .es(), by name."""
    return [dict(re.findall(r"(\w+)=('[^']*'|[^,)]+)", arguments))
            for arguments in re.findall(r"\.es\(((?:'[^']*'|[^)'])*)\)",
                                        state_of(visualization)["params"]["expression"])]


# --- the bundle -----------------------------------------------------------------------------------


def test_versions_can_be_imported_by_both():
    for thing in OBJECTS:
        assert set(thing) == {"id", "type", "attributes", "references", "migrationVersion"}
        ((kind, told),) = thing["migrationVersion"].items()
        assert kind == thing["type"]
        assert fake_kibana.version(told) <= fake_kibana.version(fake_kibana.NEWEST[kind])
    assert {state_of(one)["type"] for one in of_type("visualization").values()} == TYPES_OF_PANELS


def test_names_are_unique_and_ours():
    names = [fake_kibana.key(thing) for thing in OBJECTS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("coap-collector-") for _, name in names)
    titles = [thing["attributes"]["title"] for thing in OBJECTS]
    assert len(set(titles)) == len(titles)


def test_every_reference_resolves_and_every_object_is_used():
    names = {fake_kibana.key(thing) for thing in OBJECTS}
    used = set()
    for thing in OBJECTS:
        targets = {fake_kibana.key(reference) for reference in thing["references"]}
        assert targets <= names, thing["id"]
        used |= targets
        if thing["type"] == "dashboard":
            panels = json.loads(thing["attributes"]["panelsJSON"])
            assert [panel["panelRefName"] for panel in panels] == [
                reference["name"] for reference in thing["references"]]
        elif thing["type"] == "search" or (
                thing["type"] == "visualization" and state_of(thing)["type"] != "timelion"):
            assert pattern_of(thing) in PATTERNS
    assert names - used == {fake_kibana.key(thing) for thing in of_type("dashboard").values()}


def test_panels_do_not_overlap():
    for dashboard in of_type("dashboard").values():
        taken = set()
        for panel in json.loads(dashboard["attributes"]["panelsJSON"]):
            at = panel["gridData"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken and at["x"] + at["w"] <= 48
            taken |= cells


def fields_of_templates():
    """{data view's title: {field: type}} by the templates that `collector setup` installs."""
    def flat(properties, prefix=""):
        for name, field in properties.items():
            if "properties" in field:
                yield from flat(field["properties"], f"{prefix}{name}.")
            else:
                yield prefix + name, field["type"]

    requests = dict(dry_run())
    return {pattern: dict(flat(requests[f"/_index_template/{stream}"]["template"]["mappings"]
                               ["properties"])) for pattern, stream in PATTERNS.items()}


NUMERIC = {"double", "long", "date"}
FITTING = {"avg": NUMERIC, "sum": NUMERIC, "min": NUMERIC, "max": NUMERIC, "percentiles": NUMERIC,
           "date_histogram": {"date"}, "geohash_grid": {"geo_point"}, "terms": {"keyword"},
           "cardinality": {"keyword"}, "top_hits": NUMERIC}


def test_every_field_is_in_the_templates():
    fields = fields_of_templates()
    for thing in OBJECTS:
        if thing["type"] == "dashboard":
            continue
        if thing["type"] == "index-pattern":
            assert fields[thing["attributes"]["title"]][
                thing["attributes"]["timeFieldName"]] == "date"
            continue
        if thing["type"] == "visualization" and state_of(thing)["type"] == "timelion":
            reads = timelion_reads(thing)
            assert reads
            for read in reads:
                known = fields[read["index"]]
                assert known[read["timefield"]] == "date"
                assert known[read["metric"].split(":")[1]] in NUMERIC
                assert known[read["split"].split(":")[0]] == "keyword"
                assert set(re.findall(r"([\w.]+):", read["q"])) <= set(known)
            continue
        known = fields[pattern_of(thing)]
        assert set(re.findall(r"([\w.@]+):", search_source(thing)["query"]["query"])) <= set(known)
        if thing["type"] == "search":
            names = thing["attributes"]["columns"] + [thing["attributes"]["sort"][0][0]]
            assert set(names) <= set(known)
            continue
        for agg in state_of(thing)["aggs"]:
            if agg["type"] != "count":
                assert known[agg["params"]["field"]] in FITTING[agg["type"]], (thing["id"], agg)


# --- the import -----------------------------------------------------------------------------------


def setup(kibana, *arguments, path="", **env):
    """`collector setup` with an empty engine and this Kibana: exit status, the lines about Kibana,
    stderr."""
    def engine(method, asked):
        return (200, ROOT_BODY) if asked == "/" else (404, "{}") if method == "GET" else (200, "{}")

    with server(engine) as (engine_url, _), fake_kibana.serving(kibana) as url:
        done = run(COLLECTOR, "setup", "--elasticsearch-url", engine_url, "--kibana", url + path,
                   "--elasticsearch-start-timeout-seconds", "2", *arguments, env=environment(**env))
    lines = done.stdout.splitlines()
    about = next(i for i, line in enumerate(lines) if line.startswith("Kibana at "))
    return done.returncode, lines[about + 1 :], done.stderr


def lines_with(end):
    return [f"{thing['type']} {thing['attributes']['title']} ... {end}" for thing in OBJECTS]


@pytest.mark.parametrize("flavor", fake_kibana.XSRF)
def test_import_can_be_repeated(flavor):
    kibana = fake_kibana.Kibana(flavor)
    assert setup(kibana, "--check") == (1, lines_with("missing"), "")
    assert kibana.objects == {}
    assert setup(kibana) == (0, lines_with("created"), "")
    assert list(kibana.objects.values()) == OBJECTS
    assert setup(kibana) == (0, lines_with("updated"), "")
    assert setup(kibana, "--check")[1:] == (lines_with("there"), "")


def test_import_into_a_space_behind_a_prefix():
    kibana = fake_kibana.Kibana(prefix="/kibana/s/iot")
    status, lines, _ = setup(kibana, path="/")
    assert (status, lines) == (0, lines_with("created"))
    assert kibana.asked == ["/kibana/s/iot/api/saved_objects/_import?overwrite=true"]


def test_old_kibana_that_names_only_what_failed():
    kibana = fake_kibana.Kibana()
    kibana.list_results = False
    assert setup(kibana) == (0, lines_with("imported"), "")


def test_another_stream_is_what_the_data_view_shows():
    kibana = fake_kibana.Kibana()
    assert setup(kibana, "--elasticsearch-stream", "iot-events")[0] == 0
    text = json.dumps(list(kibana.objects.values()))
    assert "iot-events" in text and "metrics-coap.events" not in text
    assert "metrics-coap.requests-*" in text


@pytest.mark.parametrize("error, shown", [
    ({"type": "conflict"}, "failed: conflict"),
    ({"type": "unknown", "message": "boom", "statusCode": 500}, "failed: unknown: boom"),
    ({"type": "missing_references", "references": [{"type": "index-pattern", "id": "gone"}]},
     "failed: missing_references index-pattern gone"),
])
def test_one_object_that_is_refused_is_named(error, shown):
    kibana = fake_kibana.Kibana()
    kibana.refused[("dashboard", "coap-collector-weather")] = error
    status, lines, stderr = setup(kibana)
    assert (status, stderr) == (1, "")
    expected = lines_with("created")
    at = expected.index("dashboard CoAP city weather ... created")
    expected[at] = "dashboard CoAP city weather ... " + shown
    assert lines == expected


def test_not_ready_at_first():
    kibana = fake_kibana.Kibana()
    kibana.not_ready = 2
    status, lines, _ = setup(kibana)
    assert status == 0
    assert "waiting" in lines[0] and "503 Kibana server is not ready yet" in lines[0]
    assert lines[1:] == lines_with("created")
    assert len(kibana.asked) == 3


def test_never_ready():
    kibana = fake_kibana.Kibana()
    kibana.not_ready = 1000
    status, _, stderr = setup(kibana)
    assert status == 69
    assert "503" in stderr and stderr.count("\n") == 1


def test_no_kibana_there():
    kibana = fake_kibana.Kibana()
    status, _, stderr = setup(kibana, "--kibana", "http://127.0.0.1:1")
    assert status == 69
    assert "--kibana" in stderr and kibana.asked == []


@pytest.mark.parametrize("mode", [[], ["--check"]])
def test_credentials(mode):
    kibana = fake_kibana.Kibana(credentials="user:secret")
    user = ["--elasticsearch-user", "user", *mode]
    status, lines, stderr = setup(kibana, *user, COLLECTOR_ELASTICSEARCH_PASSWORD="wrong")
    assert (status, lines) == (77, []) and len(kibana.asked) == 1
    assert "401" in stderr and "password" in stderr and "wrong" not in stderr
    status, lines, _ = setup(kibana, *user, COLLECTOR_ELASTICSEARCH_PASSWORD="secret")
    assert lines == lines_with("missing" if mode else "created")


@pytest.mark.parametrize("answer, exit_status, shown", [
    ((403, '{"message": "Unable to bulk_create dashboard"}'), 77, "bulk_create"),
    ((404, "no page"), 1, "--kibana"),
    ((422, '{"message": "more recent version"}'), 1, "more recent version"),
    ((200, "<html>\n"), 1, "no answer of Kibana's"),
    ((200, '{"success": false, "successCount": 0}'), 1, ""),
])
def test_other_answers(answer, exit_status, shown):
    kibana = fake_kibana.Kibana()
    kibana.answers["/api/saved_objects/_import"] = answer
    status, lines, stderr = setup(kibana)
    assert status == exit_status and shown in stderr
    if not shown:
        assert lines == lines_with("failed: the answer does not name it")
    else:
        assert lines == [] and stderr.count("\n") == 1


def test_dry_run_prints_the_bundle():
    done = run(COLLECTOR, "setup", "--dry-run", "--kibana", "http://127.0.0.1:1/s/iot")
    assert done.returncode == 0
    text = done.stdout.split("POST http://127.0.0.1:1/s/iot/api/saved_objects/_import")[1]
    assert [json.loads(line) for line in text.splitlines()[1:] if line] == OBJECTS


@pytest.mark.parametrize("url", ["kibana", "http://u:p@kibana:5601", "http://a:1,http://b:1"])
def test_bad_url(url):
    done = run(COLLECTOR, "setup", "--dry-run", "--kibana", url)
    assert done.returncode == 78 and done.stderr.startswith("collector: --kibana: ")


# --- what the panels show -------------------------------------------------------------------------

FIRST, SECOND = "2001-03-01", "2001-03-02"
WEATHER = "weather-city"
# (sender, origin, type, value, day)
KNOWN_EVENTS = [
    (WEATHER, "Madrid", "temperature", 10, FIRST), (WEATHER, "Madrid", "temperature", 12, SECOND),
    (WEATHER, "Oslo", "temperature", -3, FIRST), (WEATHER, "Oslo", "temperature", -1, SECOND),
    (WEATHER, "Madrid", "humidity", 40, FIRST), (WEATHER, "Oslo", "windSpeed", 7.5, SECOND),
    ("demo", "Madrid", "temperature", 20, FIRST), ("demo", "Madrid", "temperature", 24, FIRST),
    ("demo", "van", "position", {"lat": 40.4, "lon": -3.7}, SECOND),
    ("demo", "door", "state", "open", SECOND),
]
# (replica, path, method, code, processing_time_us, requests, day)
KNOWN_REQUESTS = [
    *(("a", "/events", "POST", "2.01", time_us, 1, FIRST) for time_us in (100, 200, 300)),
    ("b", "/events", "POST", "5.03", 1000, 5, FIRST),
    ("b", "/events", "POST", "2.01", 3000, 2, SECOND),
    ("a", "/health", "GET", "2.05", 10, 4, SECOND),
]

# {buckets' keys: metrics}, by panel. Percentiles are 50, 95, 99.
SHOWN = {
    "count": {(): [10, 4, SECOND]},
    "events-by-type": {
        (FIRST, "temperature"): [4], (FIRST, "humidity"): [1], (SECOND, "temperature"): [2],
        (SECOND, "windSpeed"): [1], (SECOND, "position"): [1], (SECOND, "state"): [1]},
    "events-by-origin": {
        (FIRST, "Madrid"): [4], (FIRST, "Oslo"): [1], (SECOND, "Madrid"): [1],
        (SECOND, "Oslo"): [2], (SECOND, "van"): [1], (SECOND, "door"): [1]},
    "values-by-type": {
        (FIRST, "temperature"): [12.75], (FIRST, "humidity"): [40], (SECOND, "temperature"): [5.5],
        (SECOND, "windSpeed"): [7.5], (SECOND, "position"): [None], (SECOND, "state"): [None]},
    "latest-values": {
        ("Madrid", "temperature"): [12, SECOND, 4], ("Madrid", "humidity"): [40, FIRST, 1],
        ("Oslo", "temperature"): [-1, SECOND, 2], ("Oslo", "windSpeed"): [7.5, SECOND, 1]},
    "places": {("ez",): [1]},
    "weather-days": {
        ("Madrid", FIRST): [10], ("Madrid", SECOND): [12],
        ("Oslo", FIRST): [-3], ("Oslo", SECOND): [-1]},
    "weather-temperature": {
        (FIRST, "Madrid"): [10], (SECOND, "Madrid"): [12],
        (FIRST, "Oslo"): [-3], (SECOND, "Oslo"): [-1]},
    "weather-humidity": {(FIRST, "Madrid"): [40]},
    "weather-wind": {(SECOND, "Oslo"): [7.5]},
    "weather-latest": {
        ("Madrid", "temperature"): [12, 10, 12], ("Madrid", "humidity"): [40, 40, 40],
        ("Oslo", "temperature"): [-1, -3, -1], ("Oslo", "windSpeed"): [7.5, 7.5, 7.5]},
    "requests-time": {(FIRST, "a"): [200, 300, 300], (FIRST, "b"): [1000, 1000, 1000],
                      (SECOND, "b"): [3000, 3000, 3000]},
    "requests-time-table": {("a",): [200, 300, 300, 300, 3], ("b",): [2000, 3000, 3000, 3000, 7]},
    "requests-codes": {(FIRST, "2.01"): [3], (FIRST, "5.03"): [5],
                       (SECOND, "2.01"): [2], (SECOND, "2.05"): [4]},
    "requests-by-replica": {(FIRST, "a"): [3], (FIRST, "b"): [5],
                            (SECOND, "b"): [2], (SECOND, "a"): [4]},
    "requests-paths": {
        ("/events", "POST", "2.01"): [5, 900], ("/events", "POST", "5.03"): [5, 1000],
        ("/health", "GET", "2.05"): [4, 10]},
}


def engine_agg(agg):
    """As Kibana sends an aggregation, with a day as its interval."""
    params, field = agg["params"], {"field": agg["params"].get("field")}
    kind = agg["type"]
    if kind == "date_histogram":
        return {kind: {**field, "calendar_interval": "1d", "min_doc_count": 1}}
    if kind == "terms":
        return {kind: {**field, "size": params["size"],
                       "order": {params["orderBy"]: params["order"]}}}
    if kind == "geohash_grid":
        return {kind: {**field, "precision": params["precision"]}}
    if kind == "percentiles":
        return {kind: {**field, "percents": params["percents"]}}
    if kind == "top_hits":
        return {kind: {"size": params["size"], "docvalue_fields": [field],
                       "sort": [{params["sortField"]: params["sortOrder"]}]}}
    return {kind: field}


def aggregations(aggs):
    """The tree of a panel's aggregations; its metrics are at each level, to be ordered by."""
    metrics = [agg for agg in aggs if agg["schema"] == "metric"]
    inner = {agg["id"]: engine_agg(agg) for agg in metrics if agg["type"] != "count"}
    counted = {agg["id"] for agg in metrics if agg["type"] == "count"}
    for agg in reversed([agg for agg in aggs if agg["schema"] != "metric"]):
        body = engine_agg(agg)
        if agg["params"].get("orderBy") in counted:
            body["terms"]["order"] = {"_count": agg["params"]["order"]}
        metric_aggs = {name: one for name, one in inner.items() if name != "buckets"}
        inner = {**metric_aggs, "buckets": {**body, "aggs": inner}}
    return metrics, inner


def value_of(agg, bucket):
    if agg["type"] == "count":
        return [bucket["doc_count"]]
    found = bucket[agg["id"]]
    if agg["type"] == "percentiles":
        return list(found["values"].values())
    if agg["type"] == "top_hits":
        return found["hits"]["hits"][0]["fields"][agg["params"]["field"]]
    if agg["params"]["field"] == "@timestamp":
        return [found["value_as_string"][:10]]
    return [found["value"]]


def rows(metrics, bucket, keys=()):
    """{keys: metrics} of the innermost buckets."""
    if "buckets" not in bucket:
        return {keys: [value for agg in metrics for value in value_of(agg, bucket)]}
    found = {}
    for inner in bucket["buckets"]["buckets"]:
        name = inner["key_as_string"][:10] if "key_as_string" in inner else inner["key"]
        found |= rows(metrics, inner, (*keys, name))
    return found


def ask(engine, pattern, query, aggs):
    """Kibana's own query language and Lucene's differ in none of our queries but in this word."""
    span = {"range": {"@timestamp": {"gte": FIRST, "lte": f"{SECOND}T23:59:59Z"}}}
    text = {"query_string": {"query": query.replace(" and ", " AND ") or "*"}}
    metrics, tree = aggregations(aggs)
    answer = engine.ask("POST", f"/{pattern}/_search",
                        {"size": 0, "track_total_hits": True,
                         "query": {"bool": {"filter": [span, text]}}, "aggs": tree})
    return rows(metrics, {"doc_count": answer["hits"]["total"]["value"], **answer["aggregations"]})


def timelion_aggs(read):
    kind, field = read["metric"].split(":")
    split, size = read["split"].split(":")
    return [{"id": "1", "type": kind, "schema": "metric", "params": {"field": field}},
            {"id": "2", "type": "terms", "schema": "group", "params": {
                "field": split, "size": int(size), "orderBy": "_count", "order": "desc"}},
            {"id": "3", "type": "date_histogram", "schema": "segment",
             "params": {"field": read["timefield"]}}]


@pytest.fixture
def filled(start, ready):  # noqa: F811
    """An engine with the known events, sent to a collector, and the known requests."""
    collector = serve(start, ready)
    with collector.peer() as peer:
        for sender, origin, kind, value, day in KNOWN_EVENTS:
            event = {"namespace": "known", "sender": sender, "origin": origin,
                     "payload": {"type": kind, "value": value}, "timestamp": f"{day}T12:00:00Z"}
            if value == 24:  # not the same as the one before it
                event["timestamp"] = f"{day}T13:00:00Z"
            assert peer.ask_slow(wire.post(json.dumps(event).encode())).code == wire.CREATED
    for replica, path, method, code, time_us, requests, day in KNOWN_REQUESTS:
        status, answer = ready.exchange("PUT", f"/{REQUESTS}/_create/{replica}{code}{time_us}", {
            "@timestamp": f"{day}T12:00:00Z", "path": path, "method": method, "code": code,
            "processing_time_us": time_us, "requests": requests, "replica": replica})
        assert status in (201, 409), answer  # 409: another test was here
    ready.ask("POST", f"/{EVENTS},{REQUESTS}/_refresh")
    return ready


def alike(found, expected):
    """Percentiles are approximate by nature."""
    return len(found) == len(expected) and all(
        one == other if isinstance(other, (str, type(None))) else one == pytest.approx(other, 0.04)
        for one, other in zip(found, expected))


@pytest.mark.engine
@pytest.mark.slow
def test_panels_show_the_right_numbers(filled):
    panels = of_type("visualization")
    assert {f"coap-collector-{name}" for name in SHOWN} == set(panels)
    for name, expected in SHOWN.items():
        panel = panels[f"coap-collector-{name}"]
        if state_of(panel)["type"] == "timelion":
            answers = [ask(filled, read["index"], read["q"].strip("'"), timelion_aggs(read))
                       for read in timelion_reads(panel)]
            assert answers == [expected] * 2
            continue
        query = search_source(panel)["query"]["query"]
        found = ask(filled, pattern_of(panel), query, state_of(panel)["aggs"])
        assert set(found) == set(expected), name
        for keys, values in expected.items():
            assert alike(found[keys], values), (name, keys, found[keys])


@pytest.mark.engine
@pytest.mark.slow
def test_saved_search_shows_its_columns(filled):
    (search,) = of_type("search").values()
    ((field, order),) = search["attributes"]["sort"]
    answer = filled.ask("POST", f"/{pattern_of(search)}/_search", {
        "size": 1, "query": {"range": {"@timestamp": {"gte": FIRST, "lte": f"{FIRST}T23:59:59Z"}}},
        "fields": search["attributes"]["columns"], "sort": [{field: order}]})
    (hit,) = answer["hits"]["hits"]
    assert hit["fields"] == {"sender": ["demo"], "origin": ["Madrid"],
                             "payload.type": ["temperature"], "value.number": [24.0]}
