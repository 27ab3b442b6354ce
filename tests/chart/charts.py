"""Renders the charts, each scenario once a helm."""

import functools
import os
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "chart"
CRONJOBS = ROOT / "cronjobs"
HELMS = ("helm3", "helm4")
COLLECTOR = ROOT / os.environ.get("COLLECTOR_BIN", "build/release/bin/collector")

# What a cluster with all operators offers.
APIS = (
    "monitoring.coreos.com/v1/ServiceMonitor", "monitoring.coreos.com/v1/PrometheusRule",
    "elasticsearch.k8s.elastic.co/v1/Elasticsearch", "kibana.k8s.elastic.co/v1/Kibana",
    "gateway.networking.k8s.io/v1/UDPRoute",
)
SCENARIOS = [(chart, path.name) for chart in (CHART, CRONJOBS)
             for path in sorted((chart / "ci").glob("*-values.yaml"))]


def scenario_id(scenario):
    return f"{scenario.name}" if isinstance(scenario, pathlib.Path) else str(scenario)


def helm(name, *arguments, values=None):
    """Runs it; values are the text of a values file."""
    if values is not None:
        arguments = (*arguments, "--values", "-")
    return subprocess.run([ROOT / "build/chart/bin" / name, *arguments], input=values,
                          capture_output=True, text=True, timeout=60)


def template(chart=CHART, values="{}", helm_name="helm4", apis=APIS, arguments=()):
    flags = [flag for api in apis for flag in ("--api-versions", api)]
    return helm(helm_name, "template", "coap", str(chart), "--kube-version", "1.34.0", *flags,
                *arguments, values=values)


def objects(text):
    return [document for document in yaml.safe_load_all(text) if document]


def rendered(values="{}", **options):
    done = template(values=values, **options)
    assert done.returncode == 0, done.stderr
    return objects(done.stdout)


@functools.cache
def scenario(chart, name, helm_name="helm4"):
    """The objects of a scenario, as text."""
    done = template(chart, (chart / "ci" / name).read_text(), helm_name)
    assert done.returncode == 0, done.stderr
    return done.stdout


def one(found, kind, end=""):
    """The object of a kind whose name ends so."""
    (fitting,) = [o for o in found if o["kind"] == kind and o["metadata"]["name"].endswith(end)]
    return fitting


def pod_spec(document):
    """The pod that an object makes, or None."""
    spec = document.get("spec") or {}
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if document["kind"] == "Pod":
        return spec
    if document["kind"] in ("Deployment", "StatefulSet", "Job", "CronJob"):
        return spec["template"]["spec"]
    return None
