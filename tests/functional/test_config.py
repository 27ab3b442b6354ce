"""Flag over environment over file over default, and what a bad configuration says."""

import json
import os
import pty
import re
import subprocess

import pytest
import wire
from processes import COLLECTOR, environment, run


def configure(*arguments, env=None, **how):
    return run(COLLECTOR, *arguments, env=environment(**(env or {})), **how)


def printed(*arguments, env=None):
    """What --print-config says, as {key: text}."""
    done = configure(*arguments, "--print-config", env=env)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if re.match(r"[a-z-]+ *=", line)]
    return {key.strip(): value.strip() for key, value in (line.split("=", 1) for line in lines)}


def test_precedence(tmp_path):
    file = tmp_path / "collector.toml"
    file.write_text('log-level = "warn"\nbatch-events-max = 7\ndedup-entries-max = 1024\n')
    env = {"COLLECTOR_LOG_LEVEL": "error", "COLLECTOR_BATCH_EVENTS_MAX": "8"}
    default = printed()
    assert printed("--config", file)["dedup-entries-max"] == "1024"
    assert default["dedup-entries-max"] != "1024"
    assert printed("--config", file)["batch-events-max"] == "7"
    assert printed("--config", file, env=env)["batch-events-max"] == "8"
    assert printed("--config", file, "--batch-events-max", "9", env=env)["batch-events-max"] == "9"
    assert printed("--config", file, env=env)["log-level"].strip("\"'") == "error"
    assert printed(env={"COLLECTOR_CONFIG": str(file)})["batch-events-max"] == "7"


def test_every_option_has_an_environment_variable():
    """Each is asked for with a value it cannot have; the refusal names it."""
    options = set(re.findall(r"--([a-z-]+)", configure("--help").stdout))
    with_value = set(printed())
    assert with_value < options
    any_text = {option for option in with_value
                if option.endswith(("-path", "-file")) or option == "replica"}
    assert "sqlite-path" in any_text
    for option in with_value - any_text:
        variable = f"COLLECTOR_{option.upper().replace('-', '_')}"
        done = configure("--check-config", env={variable: "@"})
        assert done.returncode == 78, option
        assert option in done.stderr


def test_printed_configuration_can_be_read_again(tmp_path):
    file = tmp_path / "collector.toml"
    file.write_text(configure("--print-config", "--batch-events-max", "77").stdout)
    assert printed("--config", file) == printed("--batch-events-max", "77")


def test_environment_configures_a_running_collector(start):
    database = start.directory / "from-environment.db"
    start(sqlite_path=None, env={"COLLECTOR_SQLITE_PATH": str(database)})
    assert database.exists()


def test_file_configures_a_running_collector(start):
    database = start.directory / "from-file.db"
    file = start.directory / "collector.toml"
    file.write_text(f'coap-listen = "127.0.0.1:0,127.0.0.2:0"\nsqlite-path = "{database}"\n')
    collector = start("--config", file, coap_listen=None, sqlite_path=None)
    assert [host for host, _ in collector.coap_addresses] == ["127.0.0.1", "127.0.0.2"]
    assert database.exists()


@pytest.mark.parametrize("option, shows", [
    ("--check-config", ""),
    ("--print-config", "sqlite-path"),
    ("--version", "coap-collector "),
    ("--help", "--coap-listen"),
])
def test_options_that_only_print(option, shows, tmp_path):
    done = configure(option, cwd=tmp_path)
    assert done.returncode == 0
    assert shows in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []  # nothing was opened


@pytest.mark.parametrize("flag, value", [
    ("--coap-listen", "nowhere"),
    ("--coap-listen", "127.0.0.1:99999"),
    ("--coap-listen", "127.0.0.1:0,[::1"),
    ("--http-listen", "127.0.0.1:http"),
    ("--store", "papyrus"),
    ("--pending-events-max", "0"),
    ("--pending-events-max", "many"),
    ("--pending-bytes-max", "-1"),
    ("--batch-events-max", "1.5"),
    ("--payload-bytes-max", "99999999"),
    ("--dedup-entries-max", "1e99"),
    ("--log-level", "loud"),
    ("--log-format", "xml"),
    ("--log-requests-per-second-max", "-5"),
    ("--elasticsearch-url", "localhost:9200"),
    ("--elasticsearch-url", "http://a:9200,https://b:x"),
    ("--elasticsearch-stream", "Metrics"),
    ("--elasticsearch-flavor", "solr"),
    ("--elasticsearch-verification", "maybe"),
    ("--elasticsearch-compress", "perhaps"),
    ("--elasticsearch-event-deadline-ms", "0"),
    ("--elasticsearch-user", "alone"),
    ("--elasticsearch-password-file", "without-user"),
    ("--elasticsearch-key-file", "without-certificate"),
])
def test_bad_value(flag, value, tmp_path):
    done = configure(flag, value, cwd=tmp_path)
    assert done.returncode == 78
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert flag in done.stderr
    assert value.split(",")[-1] in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content, shows", [
    ('sqlite_path = "x"\n', "sqlite_path"),
    ("batch-events-max = 0\n", "batch-events-max"),
    ('log-level = "loud"\n', "loud"),
    ("no equals sign [\n", ""),
    (None, "missing.toml"),
])
def test_bad_file(content, shows, tmp_path):
    file = tmp_path / "missing.toml"
    if content is not None:
        file = tmp_path / "collector.toml"
        file.write_text(content)
    done = configure("--config", file, "--check-config")
    assert done.returncode == 78
    assert done.stderr.count("\n") == 1
    assert shows in done.stderr


def test_secrets_are_neither_printed_nor_options(tmp_path):
    secrets = {f"COLLECTOR_ELASTICSEARCH_{name}": "s3cret" for name in
               ("PASSWORD", "API_KEY", "BEARER")}
    for variable, value in secrets.items():
        user = ["--elasticsearch-user", "u"] if "PASSWORD" in variable else []
        done = configure("--print-config", *user, env={variable: value})
        assert done.returncode == 0
        assert value not in done.stdout
        option = variable.removeprefix("COLLECTOR_").lower().replace("_", "-")
        assert configure("--check-config", f"--{option}", value).returncode == 78
        file = tmp_path / "collector.toml"
        file.write_text(f'{option} = "{value}"\n')
        done = configure("--check-config", "--config", file)
        assert done.returncode == 78
        assert option in done.stderr
        assert value not in done.stderr
    done = configure("--check-config", env=secrets)
    assert done.returncode == 78
    assert "s3cret" not in done.stderr
    done = configure("--check-config", "--elasticsearch-url", "https://u:s3cret@host")
    assert done.returncode == 78
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["stray"], ["--coap-listen"]])
def test_bad_usage(arguments):
    done = configure(*arguments)
    assert done.returncode == 78
    assert arguments[0] in done.stderr
    assert done.stderr.count("\n") == 1


def test_json_log(start):
    """Without a terminal a line is a JSON object, and a request's fields have ECS names."""
    collector = start()
    with collector.peer() as peer:
        peer.ask(wire.post(b'{"secret": 1}'))
    collector.stop()
    lines = [json.loads(line) for line in collector.output().splitlines()]
    assert all({"@timestamp", "log.level", "message", "event.action"} <= set(line)
               for line in lines)
    assert [line["event.action"] for line in lines] == [
        "starting", "listening", "request", "draining", "drained"]
    request = lines[2]
    assert request["client.address"] == "127.0.0.1" and request["client.port"] > 0
    assert request["url.path"] == "/events" and request["coap.request.method"] == "POST"
    assert request["coap.response.code"] == "4.00" and request["event.duration"] >= 0
    assert '"secret": 1' not in collector.output()


def test_text_log_on_a_terminal_and_in_the_journal(tmp_path):
    """What a pipe gets as JSON is text where a person or systemd reads it."""
    command = [COLLECTOR, "--processes", "2", "--coap-listen", "127.0.0.1:0", "--http-listen",
               "127.0.0.1:0", "--sqlite-path", tmp_path / "missing" / "events.db"]
    terminal, end = pty.openpty()
    run(*command, stdout=end, stderr=subprocess.DEVNULL, capture_output=False)
    assert re.match(rb"\d{4}-\S+Z info    process 0 is \d+", os.read(terminal, 4096))
    os.close(terminal)
    os.close(end)
    for variable in ("1:2", None):
        with open(tmp_path / "journal", "wb+") as journal:
            stat = os.fstat(journal.fileno())
            place = variable or f"{stat.st_dev}:{stat.st_ino}"
            run(*command, stdout=journal, stderr=subprocess.DEVNULL, capture_output=False,
                env=environment(JOURNAL_STREAM=place))
        assert (tmp_path / "journal").read_text().startswith("{") == (variable is not None)
