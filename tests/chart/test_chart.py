"""The charts render as meant under helm 3 and 4, their objects are what Kubernetes takes, and
values that are wrong or contradict each other end with a sentence that says what to do."""

import json
import re
import subprocess

import kubernetes_validate
import pytest
import yaml
from charts import (APIS, CHART, COLLECTOR, CRONJOBS, HELMS, ROOT, SCENARIOS, helm, objects, one,
                    pod_spec, rendered, scenario, scenario_id, template)
from values_table import with_table

KUBERNETES = ("1.30", "1.32", "1.34", "1.37")
each_scenario = pytest.mark.parametrize("chart, name", SCENARIOS, ids=scenario_id)


@each_scenario
@pytest.mark.parametrize("helm_name", HELMS)
def test_lint(chart, name, helm_name):
    done = helm(helm_name, "lint", "--strict", "--kube-version", "1.34.0", str(chart),
                values=(chart / "ci" / name).read_text())
    # lint knows no --api-versions: what needs an operator says so here.
    if "which is not there" not in done.stdout + done.stderr:
        assert done.returncode == 0, done.stdout + done.stderr


def without_secrets(text):
    """What is made anew each time, and what follows from it."""
    return [o for o in objects(text) if o["kind"] != "Secret"]


@each_scenario
def test_helm_3_and_4_render_alike(chart, name):
    assert without_secrets(scenario(chart, name, "helm3")) == without_secrets(scenario(chart, name))


@each_scenario
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_it(chart, name, version):
    checked = 0
    for document in objects(scenario(chart, name)):
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            assert any(document["apiVersion"] in api for api in APIS), document["kind"]
            continue
        checked += 1
    assert checked >= 3


def test_the_check_sees_a_mistake():
    deployment = one(objects(scenario(CHART, "plain-values.yaml")), "Deployment")
    deployment["spec"]["replicass"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.34", strict=True)


@each_scenario
def test_pods_are_restricted(chart, name):
    """What the Pod Security Standard `restricted` asks for, and resources for each container."""
    for document in objects(scenario(chart, name)):
        pod = pod_spec(document)
        if pod is None:
            continue
        where = f"{document['kind']} {document['metadata']['name']}"
        assert pod["automountServiceAccountToken"] is False, where
        assert pod["enableServiceLinks"] is False, where
        assert pod["securityContext"]["runAsNonRoot"] is True, where
        assert pod["securityContext"]["runAsUser"] in (65532, 1000), where
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        for container in pod["containers"] + pod.get("initContainers", []):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, where
            assert security["capabilities"] == {"drop": ["ALL"]}, where
            if pod["securityContext"]["runAsUser"] == 65532:
                assert security["readOnlyRootFilesystem"] is True, where
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, where
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}, where
            assert not container["image"].endswith(":latest"), where


@each_scenario
def test_volumes_and_services_meet(chart, name):
    """Mounts have volumes, selectors have pods, ports have names of containers' ports."""
    found = objects(scenario(chart, name))
    pods = [(o["spec"]["template"], pod_spec(o)) for o in found
            if o["kind"] in ("Deployment", "StatefulSet")]
    for document in found:
        pod = pod_spec(document)
        if pod:
            claims = document["spec"].get("volumeClaimTemplates", [])
            known = {v["name"] for v in pod.get("volumes", [])}
            known |= {claim["metadata"]["name"] for claim in claims}
            used = {mount["name"] for c in pod["containers"] for mount in c.get("volumeMounts", [])}
            assert used == known, document["metadata"]["name"]
        if document["kind"] == "Service":
            selected = [spec for pod_template, spec in pods
                        if document["spec"]["selector"].items()
                        <= pod_template["metadata"]["labels"].items()]
            assert len(selected) == 1, document["metadata"]["name"]
            ports = {p["name"]: p.get("protocol", "TCP") for c in selected[0]["containers"]
                     for p in c["ports"]}
            for port in document["spec"]["ports"]:
                assert ports[port["targetPort"]] == port.get("protocol", "TCP")


def toml_of(found):
    return one(found, "ConfigMap", "coap-collector")["data"]["collector.toml"]


@pytest.mark.parametrize("name", [name for chart, name in SCENARIOS if chart == CHART])
def test_collector_takes_the_configuration(name, tmp_path):
    """The real program reads the rendered file; its setup takes the rendered flags."""
    found = objects(scenario(CHART, name))
    directory = tmp_path / "etc"
    for kind in ("ca", "certificate", "credentials", "config", "coaps"):
        (directory / kind).mkdir(parents=True)
    (directory / "config/collector.toml").write_text(
        toml_of(found).replace("/etc/coap-collector", str(directory)))
    (directory / "credentials/secret").write_text("secret")
    (directory / "config/access").write_text(
        one(found, "ConfigMap", "coap-collector")["data"].get("access", ""))
    (directory / "coaps/psk").write_text("meter-1:7369787465656e206279746573206f6b\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
                    "-keyout", directory / "certificate/tls.key",
                    "-out", directory / "certificate/tls.crt"], check=True, capture_output=True)
    for source, target in (("crt", "ca/ca.crt"), ("crt", "coaps/ca.crt"), ("crt", "coaps/tls.crt"),
                           ("key", "coaps/tls.key")):
        (directory / target).write_bytes((directory / f"certificate/tls.{source}").read_bytes())

    workload = one(found, "StatefulSet" if name.startswith("edge") else "Deployment",
                   "coap-collector")
    commands = [pod_spec(workload)["containers"][0]["command"] + ["--check-config"]]
    commands += [pod_spec(o)["containers"][0]["command"] + ["--dry-run"] for o in found
                 if o["kind"] == "Job" and o["metadata"]["name"].endswith(("setup", "dashboards"))]
    assert len(commands) == {"edge": 1, "defa": 3, "eck-": 3}.get(name[:4], 2)
    for program, *flags in commands:
        assert program == "collector"
        flags = [flag.replace("/etc/coap-collector", str(directory)) for flag in flags]
        done = subprocess.run([COLLECTOR, *flags], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr


def test_values_are_the_collectors_options():
    """`config` takes every option of docs/configuration.md but those that the chart sets itself."""
    text = (ROOT / "docs/configuration.md").read_text()
    documented = set(re.findall(r"^\| `--([a-z-]+)`", text, re.MULTILINE))
    schema = json.loads((CHART / "values.schema.json").read_text())
    taken = set(schema["definitions"]["config"]["properties"])
    own = {"store", "coap-listen", "coaps-listen", "http-listen", "sqlite-path",
           "elasticsearch-url", "elasticsearch-user"}
    own |= {option for option in documented if option.endswith("-file")}
    not_for_pods = {"processes", "replica", "config", "check-config", "print-config", "version",
                    "help"}
    assert not taken - documented, "no options of the collector: take them out of the schema"
    assert not documented - taken - own - not_for_pods, (
        "new options: add them to definitions.config in chart/values.schema.json, "
        "or set them in the chart and name them here")


@pytest.mark.parametrize("chart", [CHART, CRONJOBS], ids=scenario_id)
def test_readme_has_every_value(chart):
    assert (chart / "README.md").read_text() == with_table(chart), (
        f"run: build/chart/venv/bin/python tests/chart/values_table.py {chart.name}")


def schema_paths(schema, definitions, prefix=""):
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    properties = schema.get("properties")
    if properties is None:
        yield prefix
        return
    for name, inner in properties.items():
        yield from schema_paths(inner, definitions, f"{prefix}.{name}" if prefix else name)


@pytest.mark.parametrize("chart", [CHART, CRONJOBS], ids=scenario_id)
def test_schema_knows_no_more_than_there_is(chart):
    schema = json.loads((chart / "values.schema.json").read_text())
    values = yaml.safe_load((chart / "values.yaml").read_text())
    for path in schema_paths(schema, schema["definitions"]):
        if path == "global" or path.startswith("config."):
            continue
        inner = values
        for name in path.split("."):
            if name in ("limits", "requests"):
                break
            assert name in inner, f"{path} is not in values.yaml"
            inner = inner[name]


BAD = [
    ("replica: 3", "replica"),
    ("replicas: 0", "replicas"),
    ("config: {log-levle: debug}", "log-levle"),
    ("config: {log-level: loud}", "log-level"),
    ("config: {store: sqlite}", "store"),
    ("config: {pending-events-max: many}", "pending-events-max"),
    ("service: {port: 70000}", "port"),
    ("image: {digest: 0123}", "digest"),
    ("elasticsearch: {external: {urls: ['https://u:p@es:9200']}}", "urls"),
    ("coaps: {secret: devices, files: [psk, tls.crt]}", "both of tls.crt and tls.key"),
    ("coaps: {secret: devices, port: 5683}", "are the same"),
    ("coaps: {files: [keys]}", "files"),
    ("terminationGracePeriodSeconds: 25", "would be killed"),
    ("config: {drain-timeout-seconds: 60}", "would be killed"),
    ("{store: sqlite, autoscaling: {enabled: true}}", "autoscaling.enabled needs store"),
    ("{store: sqlite, snapshots: {enabled: true}}", "snapshots.enabled needs store"),
    ("{store: sqlite, restore: {enabled: true}}", "restore.enabled needs store"),
    ("autoscaling: {enabled: true, minReplicas: 9, maxReplicas: 3}", "is more than"),
    ("autoscaling: {enabled: true, cpuUtilization: 0}", "autoscaling.cpuUtilization or"),
    ("{autoscaling: {enabled: true}, resources: {requests: {cpu: null}}}", "is missing"),
    ("service: {type: ClusterIP, nodePort: 30000}", "service.nodePort needs"),
    ("{service: {type: ClusterIP}, coaps: {secret: devices, nodePort: 30000}}",
     "coaps.nodePort needs"),
    ("service: {type: NodePort, loadBalancerIP: 192.0.2.1}", "needs service.type: LoadBalancer"),
    ("ingress: {enabled: true, host: a.example}", "kibana.ingress"),
    ("{store: sqlite, ingress: {enabled: true}}", "needs ingress.host"),
    ("udpRoute: {enabled: true}", "needs udpRoute.parentRefs"),
    ("{hostNetwork: true, antiAffinity: none}", "cannot share"),
    ("elasticsearch: {mode: external}", "needs elasticsearch.external.urls"),
    ("elasticsearch: {mode: external, external: {urls: ['http://es'], credentials: "
     "{method: api-key}}}", "needs its existingSecret and key"),
    ("elasticsearch: {mode: external, external: {urls: ['http://es'], credentials: "
     "{existingSecret: a}}}", "basic, api-key or bearer"),
    ("elasticsearch: {mode: external, external: {urls: ['http://es'], credentials: "
     "{method: basic, existingSecret: a, key: b}}}", "has a user"),
    ("elasticsearch: {mode: external, external: {urls: ['http://es'], tls: {caSecret: a}}}",
     "begin with http:"),
    ("elasticsearch: {mode: external, external: {urls: ['https://es'], credentials: "
     "{method: bearer, existingSecret: a, key: b}}}", "set kibana.enabled: false"),
    ("elasticsearch: {external: {urls: ['https://es']}}", "mode is statefulset"),
    ("elasticsearch: {users: {realmSecret: a}}", "or none of them"),
    ("{elasticsearch: {mode: eck}, fullnameOverride: a-name-that-is-longer-than-eck-can-take}",
     "at most 36"),
    ("kibana: {ingress: {enabled: true, host: a.example}}", "kibana.ingress.tlsSecret"),
    ("kibana: {enabled: false, ingress: {enabled: true}}", "needs kibana.enabled"),
]


@pytest.mark.parametrize("values, message", BAD, ids=[values for values, _ in BAD])
def test_bad_values(values, message):
    done = template(values=values)
    assert done.returncode != 0
    assert message in done.stderr


@pytest.mark.parametrize("values, api", [
    ("{elasticsearch: {mode: eck}, kibana: {enabled: false}}",
     "elasticsearch.k8s.elastic.co/v1/Elasticsearch"),
    ("metrics: {serviceMonitor: {enabled: true}}", "monitoring.coreos.com/v1/ServiceMonitor"),
    ("udpRoute: {enabled: true, parentRefs: [{name: a}]}",
     "gateway.networking.k8s.io/v1alpha2/UDPRoute"),
])
def test_an_operator_that_is_missing_is_named(values, api):
    done = template(values=values, apis=())
    assert done.returncode != 0
    assert f"needs {api} in the cluster" in done.stderr


@pytest.mark.parametrize("values", [
    "cities: []", "cities: [Madrid, Madrid]", "cities: ['-rf']", "intervalMinutes: 7",
    "city: Madrid",
])
def test_bad_values_of_the_cronjobs(values):
    assert template(CRONJOBS, values).returncode != 0


@pytest.mark.parametrize("helm_name", HELMS)
def test_a_changed_configuration_rolls_the_pods(helm_name):
    def checksum(values):
        found = rendered(values, helm_name=helm_name)
        return one(found, "Deployment", "collector")["spec"]["template"]["metadata"]["annotations"]

    plain = "elasticsearch: {mode: external, external: {urls: ['http://es']}}\n"
    plain += "kibana: {enabled: false}\n"
    assert checksum(plain) == checksum(plain + "replicas: 7")
    assert checksum(plain) != checksum(plain + "config: {log-level: debug}")


@pytest.mark.parametrize("helm_name", HELMS)
def test_large_numbers_stay_whole(helm_name):
    found = rendered("{store: sqlite, config: {receive-buffer-bytes: 33554432}}",
                     helm_name=helm_name)
    assert "receive-buffer-bytes = 33554432\n" in toml_of(found) + "\n"


def test_secrets_are_made_and_are_nowhere_else():
    text = scenario(CHART, "default-values.yaml")
    passwords = one(objects(text), "Secret", "passwords")["data"]
    assert passwords.keys() == {"admin", "collector", "setup", "kibana", "reader",
                                "kibana-encryption-key"}
    realm = one(objects(text), "Secret", "realm")["stringData"]
    assert len(set(passwords.values())) == len(passwords)
    for value in passwords.values():
        assert text.count(value) == 1
    roles = yaml.safe_load(realm["roles.yml"])
    for line in realm["users_roles"].splitlines():
        role, user = line.split(":")
        assert role in roles or role in ("superuser", "kibana_system", "kibana_admin")
        assert re.search(rf"^{user}:\$2a\$10\$", realm["users"], re.MULTILINE)
    assert roles["coap_writer"]["indices"][0]["privileges"] == [
        "create_doc", "auto_configure", "view_index_metadata"]


def test_setup_comes_before_collectors_where_the_engine_is_there_already():
    external = one(objects(scenario(CHART, "fleet-values.yaml")), "Job", "setup")
    assert external["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "envFrom" not in json.dumps(external) and "configMap" not in json.dumps(external)
    own = one(objects(scenario(CHART, "default-values.yaml")), "Job", "setup")
    assert own["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"


def test_routes_of_datagrams():
    found = objects(scenario(CHART, "fleet-values.yaml"))
    udp, tcp = [o for o in found if o["kind"] == "Service"]
    assert udp["spec"]["type"] == "LoadBalancer"
    assert udp["spec"]["externalTrafficPolicy"] == "Local"
    assert {(p["name"], p["port"], p["protocol"]) for p in udp["spec"]["ports"]} == {
        ("coap", 5683, "UDP"), ("coaps", 5684, "UDP")}
    assert tcp["spec"]["type"] == "ClusterIP"
    assert {p["protocol"] for p in tcp["spec"]["ports"]} == {"TCP"}
    rolling = one(found, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 1, "maxUnavailable": 0}
    hosts = one(objects(scenario(CHART, "plain-values.yaml")), "Deployment")["spec"]
    assert hosts["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


WITH_TOKEN = """
store: sqlite
http: {tokenSecret: http}
metrics: {serviceMonitor: {enabled: true}}
"""


def test_whoever_asks_by_http_has_its_token():
    found = rendered(WITH_TOKEN)
    from_secret = {"secretKeyRef": {"name": "http", "key": "token"}}
    (collector,) = pod_spec(one(found, "StatefulSet"))["containers"]
    assert collector["env"] == [{"name": "COLLECTOR_HTTP_TOKEN", "valueFrom": from_secret}]
    (find,) = pod_spec(one(found, "Pod"))["containers"]
    assert {"name": "HTTP_TOKEN", "valueFrom": from_secret} in find["env"]
    (endpoint,) = one(found, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["authorization"] == {"credentials": {"name": "http", "key": "token"}}


def test_alerts_and_dashboard_are_the_projects_own(tmp_path):
    """They are links out of the chart; what is packed is the files."""
    found = objects(scenario(CHART, "fleet-values.yaml"))
    alerts = yaml.safe_load((ROOT / "observability/alerts.yml").read_text())
    assert one(found, "PrometheusRule")["spec"] == alerts
    dashboard = one(found, "ConfigMap", "-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["coap-collector.json"]) == json.loads(
        (ROOT / "observability/grafana/coap-collector.json").read_text())
    # The alerts know the collectors by this job.
    monitor = one(found, "ServiceMonitor")
    job = monitor["metadata"]["labels"][monitor["spec"]["jobLabel"]]
    assert f'job="{job}"' in json.dumps(alerts).replace('\\"', '"')
    for helm_name in HELMS:
        assert helm(helm_name, "package", str(CHART), "--destination", tmp_path).returncode == 0
        (archive,) = tmp_path.glob("*.tgz")
        packed = subprocess.run(["tar", "xzOf", archive, "coap-collector/files/alerts.yml"],
                                capture_output=True, text=True, check=True).stdout
        assert packed == (ROOT / "observability/alerts.yml").read_text()
        archive.unlink()


def test_the_autoscaler_has_the_number_to_itself():
    found = objects(scenario(CHART, "fleet-values.yaml"))
    assert "replicas" not in one(found, "Deployment")["spec"]
    scaler = one(found, "HorizontalPodAutoscaler")["spec"]
    assert [metric["type"] for metric in scaler["metrics"]] == ["ContainerResource", "Pods"]
    assert scaler["metrics"][1]["pods"]["metric"]["name"] == "coap_collector_events_pending"


def test_cities_have_cronjobs_of_their_own():
    found = objects(scenario(CRONJOBS, "many-values.yaml"))
    jobs = [o for o in found if o["kind"] == "CronJob"]
    names = {job["metadata"]["name"] for job in jobs}
    assert len(names) == 4 and all(re.fullmatch(r"[a-z0-9-]{1,52}", name) for name in names)
    for job in jobs:
        (container,) = pod_spec(job)["containers"]
        city = job["metadata"]["annotations"]["weather-city/city"]
        assert container["command"][-3:] == [f"--origin={city}", "city", city]
        assert "--sender=weather-city" in container["command"]
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
