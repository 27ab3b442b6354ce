"""Files that deploy the collector: each is well formed, and names only what there is.

A tool that is not installed means a skip, and in CI a failure.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTOR = ROOT / os.environ.get("COLLECTOR_BIN", "build/release/bin/collector")
UNIT = ROOT / "deploy/debian/coap-collector.service"
COMPOSE = ["docker-compose.yml", "deploy/stack.yml", "deploy/stack.elasticsearch.yml"]
DEPLOYMENT = [*COMPOSE, "Dockerfile", "deploy/debian/collector.toml", ".gitlab-ci.yml"]
CLIENT_VARIABLES = {"COLLECTOR_HOST", "COLLECTOR_PORT"}
NOT_OF_THE_COLLECTOR = {"COLLECTOR_IMAGE"}  # of the compose files themselves


def run(*command, **how):
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how)


def tool(name):
    """Path of a program of the system or of the tests' Python packages."""
    found = shutil.which(name, path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    if not found and "CI" in os.environ:
        pytest.fail(f"{name} is not installed")
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def options():
    """Of the collector and of its subcommand."""
    text = run(COLLECTOR, "--help").stdout + run(COLLECTOR, "setup", "--help").stdout
    found = set(re.findall(r"--([a-z][a-z-]+)", text))
    assert {"sqlite-path", "http-listen"} <= found
    return found


@pytest.mark.parametrize("schema, path", [
    *(("vendor.compose-spec", path) for path in COMPOSE),
    ("vendor.gitlab-ci", ".gitlab-ci.yml"),
])
def test_file_has_its_schema(schema, path):
    checked = run(tool("check-jsonschema"), "--builtin-schema", schema, path)
    assert checked.returncode == 0, checked.stdout


def test_dockerfile_is_good():
    linted = run(tool("hadolint"), "Dockerfile")
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("path", DEPLOYMENT)
def test_options_exist(options, path):
    text = (ROOT / path).read_text()
    named = {name.lower().replace("_", "-")
             for name in re.findall(r"COLLECTOR_([A-Z][A-Z_]+)", text)
             if f"COLLECTOR_{name}" not in CLIENT_VARIABLES | NOT_OF_THE_COLLECTOR}
    named |= set(re.findall(r"^(?:# )?([a-z-]+) = ", text, re.MULTILINE))
    for command in re.findall(r"command: \[collector,(.*)\]", text):
        named |= set(re.findall(r"--([a-z-]+)", command))
    assert named - options == set(), "not in collector --help"
    if path == "deploy/debian/collector.toml":
        assert "sqlite-path" in named


def test_every_line_of_the_package_s_configuration_is_taken(tmp_path):
    """Also those that are commented out."""
    text = (ROOT / "deploy/debian/collector.toml").read_text()
    everything = tmp_path / "collector.toml"
    everything.write_text(re.sub(r"^# ([a-z-]+ = )", r"\1", text, flags=re.MULTILINE))
    for path in ROOT / "deploy/debian/collector.toml", everything:
        checked = run(COLLECTOR, "--config", path, "--check-config")
        assert checked.returncode == 0, checked.stdout


@pytest.fixture
def unit(tmp_path):
    """The unit as systemd would find it, with a program that is there."""
    text = UNIT.read_text()
    assert "ExecStart=/usr/bin/collector " in text
    path = tmp_path / UNIT.name
    path.write_text(text.replace("ExecStart=/usr/bin/collector ", "ExecStart=/bin/true "))
    return path


def test_unit_is_good(unit):
    verified = run(tool("systemd-analyze"), "verify", "--man=no", unit)
    # An unknown key is a line of output and status 0.
    ours = [line for line in verified.stdout.splitlines() if unit.name in line]
    assert (verified.returncode, ours) == (0, [])


def test_unit_is_confined(unit):
    rated = run(tool("systemd-analyze"), "security", "--offline=true", "--threshold=15", unit)
    assert rated.returncode == 0, rated.stdout[-200:]


def seconds_of(pattern, text):
    return int(re.search(pattern, text, re.MULTILINE)[1])


def test_whoever_stops_it_waits_for_the_drain():
    defaults = (ROOT / "docs/configuration.md").read_text()
    drain = seconds_of(r"^\| `--drain-timeout-seconds` \| (\d+)", defaults)
    assert seconds_of(r"^TimeoutStopSec=(\d+)$", UNIT.read_text()) > drain
    for path in ["docker-compose.yml", "deploy/stack.yml"]:
        assert seconds_of(r"stop_grace_period: (\d+)s", (ROOT / path).read_text()) > drain


def test_one_version_everywhere():
    version = re.search(r"project\(coap-collector VERSION (\S+)",
                        (ROOT / "CMakeLists.txt").read_text())[1]
    changelog = (ROOT / "deploy/debian/changelog").read_text()
    assert changelog.startswith(f"coap-collector ({version}) ")
    assert f"ARG VERSION={version}\n" in (ROOT / "Dockerfile").read_text()


def test_one_elasticsearch_everywhere():
    """Compose and chart run what the tests of real engines run."""
    tested = re.search(r"<engine.version>(.+)</engine.version>",
                       (ROOT / "scripts/engines/elasticsearch/pom.xml").read_text())[1]
    compose = (ROOT / "docker-compose.yml").read_text()
    assert re.findall(r"ELASTIC_VERSION:-([^}]+)}", compose) == [tested, tested]
    chart = (ROOT / "chart/values.yaml").read_text()
    assert re.findall(r"elasticsearch\.version --.*\n  version: (\S+)", chart) == [tested]


def test_compose_mounts_what_there_is():
    text = (ROOT / "docker-compose.yml").read_text()
    mounted = re.findall(r"^ +- (\./\S+?):", text, re.MULTILINE)
    assert mounted
    for path in mounted:
        assert (ROOT / path).exists(), f"{path} is missing"


def test_image_s_context_holds_what_is_built(tmp_path):
    """Configures from what .dockerignore lets through; ninja looks for every source."""
    ignored = (ROOT / ".dockerignore").read_text().split()
    context = tmp_path / "context"
    shutil.copytree(ROOT, context, symlinks=True,
                    ignore=lambda directory, names: [
                        name for name in names
                        if name in {"__pycache__", *(ignored if directory == str(ROOT) else [])}])
    (context / "build").mkdir()
    (context / "build/page-assets").symlink_to(ROOT / "build/page-assets")
    configured = run("cmake", "-S", context, "-B", context / "out", "-G", "Ninja",
                     "-DBUILD_TESTING=OFF")
    assert configured.returncode == 0, configured.stdout[-2000:]
    planned = run("ninja", "-C", context / "out", "-n", "collector", "client")
    assert planned.returncode == 0, planned.stdout[-500:]
    assert "Linking CXX executable bin/collector" in planned.stdout
