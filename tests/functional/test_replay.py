"""client replay: recorded data is stored once, and an interrupted replay goes on."""

import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from processes import CLIENT, client, environment, wait_until

OK, FAILED, USAGE, REFUSED = range(4)
RECORDINGS = pathlib.Path(__file__).parent / "recordings"


@pytest.fixture
def recording(tmp_path):
    """Copies an excerpt to where its state may be written beside it."""
    def copy(name):
        return shutil.copy(RECORDINGS / name, tmp_path)

    return copy


def test_several_value_columns(collector, recording):
    done = client(collector, "replay", recording("seattle-weather.csv"),
                  "--timestamp-column", "date", "--unit", "temp_max=Cel")
    assert (done.returncode, done.stdout) == (OK, ""), done.stderr
    assert "5 rows: 25 events stored, 0 refused" in done.stderr
    rows = collector.rows()
    assert collections.Counter(row["type"] for row in rows) == dict.fromkeys(
        ["precipitation", "temp_max", "temp_min", "wind", "weather"], 5)
    first = {row["type"]: row["value"] for row in rows if row["timestamp_ns"] == rows[0]
             ["timestamp_ns"]}
    assert first == {"precipitation": 0, "temp_max": 12.8, "temp_min": 5, "wind": 4.7,
                     "weather": "drizzle"}
    assert rows[0]["timestamp_ns"] == 1_325_376_000 * 10**9
    assert {(row["origin"], row["sender"]) for row in rows} == {("seattle-weather", "replay")}


def test_another_form_of_time_and_rows_that_are_no_events(collector, recording):
    path = recording("co2.csv")
    done = client(collector, "-o", "mauna-loa", "replay", path, "--timestamp-column", "date",
                  "--timestamp-format", "%Y%m%d")
    assert done.returncode == REFUSED
    assert f"{path}:2: cannot read '19580329' as a time from 1970 on" in done.stderr
    assert "7 rows: 5 events stored, 1 refused" in done.stderr
    assert {row["origin"] for row in collector.rows()} == {"mauna-loa"}


def test_a_row_for_each_value_as_json_lines(collector, tmp_path):
    path = tmp_path / "log.ndjson"
    deep = '{"time": 1600000003, "kind": "deep", "value": ' + "[" * 200_000 + "]" * 200_000 + "}"
    path.write_text("".join(json.dumps(line) + "\n" for line in [
        {"time": 1600000000, "device": {"id": "a"}, "kind": "level", "value": 1.5},
        {"time": 1600000001.5, "device": {"id": "b"}, "kind": "door", "value": True},
        {"time": 1600000002, "device": {"id": "b"}, "kind": "none", "value": None},
        [1]]) + deep)
    done = client(collector, "replay", path, "--timestamp-column", "time", "--type-column", "kind",
                  "--value-column", "value", "--origin-column", "device.id")
    assert done.returncode == REFUSED
    assert f"{path}:4: is no JSON object" in done.stderr
    assert f"{path}:5: is nested more than 64 levels deep" in done.stderr
    assert [(row["origin"], row["type"], row["value"], row["timestamp_ns"] / 10**9)
            for row in collector.rows()] == [("a", "level", 1.5, 1600000000),
                                             ("b", "door", True, 1600000001.5)]


def test_what_the_collector_refuses_is_told_by_its_line(collector, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(f'time,kind,value\n2020-01-01,"{"x" * 300}",1\n2020-01-01,b,2\n')
    done = client(collector, "replay", path, "--timestamp-column", "time", "--type-column", "kind",
                  "--value-column", "value")
    assert done.returncode == REFUSED
    assert f"{path}:2: 4.00 payload.type" in done.stderr
    assert [row["type"] for row in collector.rows()] == ["b"]


def test_a_file_that_grew_goes_on_and_restart_begins_anew(collector, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("time,value\n2020-01-01,1\n")
    command = ["replay", path, "--timestamp-column", "time"]
    assert client(collector, *command).returncode == OK
    with open(path, "a") as file:
        file.write("2020-01-02,2\n")
    done = client(collector, *command)
    assert "going on behind line 2" in done.stderr
    assert "1 rows: 1 events stored" in done.stderr
    assert "2 rows: 2 events stored" in client(collector, *command, "--restart").stderr
    assert "2 rows: 2 events stored" in client(collector, *command, "-o", "other").stderr
    assert len(collector.rows()) == 4


def write_rows(path, count):
    """Rows a millisecond apart."""
    lines = [f"2020-01-01T00:00:{n // 1000:02}.{n % 1000:03}Z,{n}" for n in range(count)]
    path.write_text("\n".join(["time,value", *lines]) + "\n")


def replay_in_background(collector, path, *options):
    return subprocess.Popen([CLIENT, "-H", collector.coap[0], "-P", str(collector.coap[1]),
                             "replay", path, "--timestamp-column", "time", *options],
                            env=environment(), stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_goes_on_where_it_was_ended(start, tmp_path, number):
    collector, path = start(), tmp_path / "data.csv"
    write_rows(path, 4_000)
    replay = replay_in_background(collector, path, "--speed", "1x")
    state = tmp_path / "data.csv.replay"
    wait_until(lambda: state.exists() and json.loads(state.read_text())["line"] > 0,
               what="progress is kept")
    replay.send_signal(number)
    told = replay.communicate(timeout=20)[1]
    assert replay.returncode == (-number if number == signal.SIGKILL else FAILED), told
    line = json.loads(state.read_text())["line"]
    assert line - 1 <= len(collector.rows()) < 4_000
    done = client(collector, "replay", path, "--timestamp-column", "time", seconds=60)
    assert done.returncode == OK, done.stderr
    assert f"{4_001 - line} rows: {4_001 - line} events stored" in done.stderr
    assert sorted(row["value"] for row in collector.rows()) == list(range(4_000))


@pytest.mark.slow
def test_waits_for_a_collector_that_is_away(start, tmp_path):
    collector, path = start(), tmp_path / "data.csv"
    write_rows(path, 3_000)
    replay = replay_in_background(collector, path)
    wait_until(lambda: len(collector.rows()) > 100, what="some are stored")
    collector.kill()
    collector = start(coap_listen=f"{collector.coap[0]}:{collector.coap[1]}")
    told = replay.communicate(timeout=60)[1]
    assert replay.returncode == OK, told
    assert sorted(row["value"] for row in collector.rows()) == list(range(3_000))


def test_as_fast_as_recorded_times_a_factor(collector, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("time,value\n2020-01-01,0\n2020-01-01T00:00:30Z,1\n2020-01-01T00:01:00Z,2\n")
    before = time.monotonic()
    done = client(collector, "replay", path, "--timestamp-column", "time", "--speed", "60x")
    took = time.monotonic() - before
    assert done.returncode == OK, done.stderr
    assert 1 <= took < 5
    assert len(collector.rows()) == 3


@pytest.mark.parametrize("arguments, told", [
    (["--timestamp-column", "when"], "there is no column 'when', but time, value"),
    (["--timestamp-column", "time", "--speed", "fast"], "'fast' is not max, or like 60x"),
    (["--timestamp-column", "time", "--timestamp-format", "iso"], "'iso' is not auto"),
    (["--timestamp-column", "time", "--type-column", "value"], "exactly one --value-column"),
    ([], "--timestamp-column is required"),
])
def test_wrong_usage_is_told(tmp_path, arguments, told):
    path = tmp_path / "data.csv"
    path.write_text("time,value\n2020-01-01,1\n")
    done = client(None, "replay", path, *arguments)
    assert done.returncode == USAGE, done.stderr
    assert told in done.stderr
    assert os.listdir(tmp_path) == ["data.csv"]


def test_no_such_file(tmp_path):
    done = client(None, "replay", tmp_path / "none.csv", "--timestamp-column", "t")
    assert done.returncode == FAILED
    assert "none.csv: No such file or directory" in done.stderr
