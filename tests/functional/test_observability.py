"""What operators get, against a real Prometheus: the alerts, the dashboard, and their words in
docs/operations.md."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

import wire
from processes import ROOT, run, wait_until

FOLDER = ROOT / "observability"
DASHBOARD = json.loads((FOLDER / "grafana/coap-collector.json").read_text())
ALERTS = (FOLDER / "alerts.yml").read_text()
DOCUMENT = (ROOT / "docs/operations.md").read_text()
METRIC = re.compile(r"\b(?:coap_collector|process)_[a-z_]+")
SCRAPES = 3  # before anything is asked


def program(name):
    """Where scripts/setup unpacked it, or the system's."""
    path = shutil.which(name, path=f"{ROOT}/build/prometheus/usr/bin") or shutil.which(name)
    if path is None:
        end = pytest.fail if "CI" in os.environ else pytest.skip
        end(f"no {name} here; scripts/setup test gets it")
    return path


def queries():
    """(panel's title, query) of the dashboard."""
    return [(panel["title"], target["expr"])
            for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def metric_names(text):
    return {re.sub("_(bucket|sum|count)$", "", name) for name in METRIC.findall(text)}


def served(collector):
    """The families of /metrics."""
    return set(re.findall(r"^# TYPE (\S+)", collector.get("/metrics").text, re.MULTILINE))


def test_each_alert_fires_for_its_reason_and_for_no_other():
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        done = run(program("promtool"), *command, cwd=FOLDER, seconds=120)
        assert done.returncode == 0, done.stdout + done.stderr
    names = set(re.findall(r"- alert: (\w+)", ALERTS))
    proven = set(re.findall(r'alertname="(\w+)"', (FOLDER / "alerts_test.yml").read_text()))
    assert names == proven and len(names) > 10


def test_alerts_and_metrics_are_explained(collector):
    names = re.findall(r"- alert: (\w+)", ALERTS)
    assert re.findall(r"^### (CoapCollector\w+)", DOCUMENT, re.MULTILINE) == names
    used = metric_names("\n".join([ALERTS, *(query for _, query in queries())]))
    told = metric_names(DOCUMENT)
    assert used <= served(collector)
    assert told <= served(collector)
    assert used <= told


class Prometheus:
    """One that scrapes a collector by our own files, once a second."""

    def __init__(self, directory, collector):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        target = "{}:{}".format(*collector.http)
        text = (FOLDER / "prometheus.yml").read_text()
        assert "collector:8080" in text and "15s" in text
        config = directory / "prometheus.yml"
        config.write_text(text.replace("collector:8080", target).replace("15s", "1s"))
        shutil.copy(FOLDER / "alerts.yml", directory)
        with open(directory / "prometheus.log", "wb") as log:
            self.process = subprocess.Popen(
                [program("prometheus"), f"--config.file={config}",
                 f"--storage.tsdb.path={directory}/tsdb",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdout=log, stderr=log)

    def get(self, path, **parameters):
        """The data of an answer that must succeed."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it starts
                raise
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def value(self, query):
        result = self.get("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def ready(self):
        try:
            return (self.value("count_over_time(up[1m])") or 0) >= SCRAPES
        except OSError:
            assert self.process.poll() is None, "Prometheus ended"
            return False


@pytest.fixture
def prometheus(tmp_path, collector):
    server = Prometheus(tmp_path, collector)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def for_prometheus(query):
    """As Grafana sends it."""
    for variable, value in {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}.items():
        query = query.replace(variable, value)
    assert "$" not in query, query
    return query


@pytest.mark.slow
def test_prometheus_answers_the_dashboard_and_the_alerts(prometheus, collector, peer):
    began = time.monotonic()
    while not prometheus.ready() or time.monotonic() - began < 2:
        assert time.monotonic() - began < 60
        assert peer.ask(wire.post(wire.event())).code == wire.CREATED
        assert peer.ask(wire.post(b"{")).code == wire.BAD_REQUEST
        time.sleep(0.02)
    for title, query in queries():
        assert prometheus.get("query", query=for_prometheus(query))["result"], (title, query)
    assert prometheus.value('rate(coap_collector_events_total{outcome="stored"}[1m])') > 1
    assert prometheus.value("coap_collector_store_disk_free_bytes") > 0
    assert abs(prometheus.value("process_start_time_seconds") - time.time()) < 60

    def evaluated():
        (group,) = prometheus.get("rules")["groups"]
        rules = {rule["name"]: rule for rule in group["rules"]}
        return all(rule["health"] == "ok" for rule in rules.values()) and rules

    rules = wait_until(evaluated, 60, "every alert was evaluated")
    assert set(rules) == set(re.findall(r"- alert: (\w+)", ALERTS))
    # Every second request was bad, so just this one is on its way. How fast the disk of this
    # machine fills is not ours to say.
    under_way = {name for name, rule in rules.items() if rule["state"] != "inactive"}
    assert under_way - {"CoapCollectorDiskFilling"} == {"CoapCollectorRequestsInvalid"}
