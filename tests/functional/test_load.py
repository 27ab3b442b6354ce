"""client load: simulated devices, what it says of them, and what --verify proves."""

import json
import os
import sqlite3
import subprocess

import pytest

from processes import CLIENT, client, environment, wait_until
from terminal import output_of, run_on_terminal


def load(collector, *arguments, status=0, verify=True, **how):
    """The result of `client load --json`."""
    store = ["--verify", "--sqlite", collector.database] if verify else []
    done = client(collector, "load", "--json", *store, *arguments, **how)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_closed_loop_measures_and_verifies(collector):
    result = load(collector, "--devices", 50, "--duration", 0.5, "--warmup", 0.1)
    assert result["sent"] == result["stored"] == len(collector.rows())
    assert result["events"] < result["stored"]  # the warm-up is not measured
    assert result["answers"] == {"2.01": result["sent"]}
    latency = result["latency_us"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"]
    assert latency["p99.9"] <= latency["max"]
    assert result["verify"]["proven"]
    assert len({row["origin"] for row in collector.rows()}) == 50


def test_open_loop_keeps_its_rate(collector):
    result = load(collector, "--devices", 20, "--rate", 200, "--duration", 1)
    assert 195 <= result["sent"] <= 201 and result["overdue"] == 0
    assert result["stored"] == result["sent"]


def test_values_names_and_types_are_the_callers(collector):
    load(collector, "-o", "probe", "-s", "me", "-N", "plant", "--devices", 1, "-n", 4, "-f", 2,
         "--max", 30, "level", 7.5)
    rows = collector.rows()
    assert {(row["name_space"], row["sender"], row["origin"], row["type"]) for row in rows} == {
        ("plant", "me", "probe-000000", "level")}
    assert {row["value"] for row in rows} <= {7.5, 15, 30}
    load(collector, "-n", 2, "position", '{"lat":1.5}')
    assert collector.rows()[-1]["payload"] == '{"type":"position","value":{"lat":1.5}}'


def test_non_confirmable_from_ports_of_their_own(collector):
    result = load(collector, "--non", "--source", "127.0.0.1", "--devices", 10, "-n", 100)
    assert result["stored"] == 100 and result["retransmitted"] == 0


def test_all_arrive_once_although_datagrams_are_lost(collector, record_property):
    result = load(collector, "--loss", 20, "--until-stored", "--ack-timeout", 0.05, "-n", 2000,
                  "--window", 500, "--timeout", 1, seconds=60)
    assert result["lost"] > 500 and result["retransmitted"] > 500
    assert result["stored"] == 2000 == len(collector.rows())
    assert result["verify"]["proven"]
    record_property("note", f"2,000 events at 20 % loss: {result['retransmitted']} retransmissions,"
                            f" all stored once in {result['elapsed_s']:.1f} s")


def test_status_tells_what_became_of_events(start):
    collector = start(pending_events_max=1)
    result = load(collector, "--window", 400, "-n", 400, status=4)
    assert result["unavailable"] > 0 and result["stored"] > 0
    assert result["stored"] + result["unavailable"] == 400
    collector.kill()
    result = load(collector, "-n", 1, "--ack-timeout", 0.05, status=5, verify=False)
    assert (result["sent"], result["unanswered"], result["retransmitted"]) == (1, 1, 4)


def test_kill_in_the_middle_is_reported_as_it_was(start, record_property):
    collector = start(log_requests_per_second_max=0)
    process = subprocess.Popen(
        [CLIENT, "-H", collector.coap[0], "-P", str(collector.coap[1]), "load", "--json",
         "--duration", "30", "--ack-timeout", "0.1", "--devices", "500", "--max-retransmit", "1",
         "--verify", "--sqlite", str(collector.database)],
        stdout=subprocess.PIPE, text=True, env=environment())
    wait_until(lambda: len(collector.rows()) > 300, what="events are stored")
    collector.kill()
    process.terminate()  # nobody is there any more: no need to wait for all of the 30 s
    out, _ = process.communicate(timeout=30)
    result = json.loads(out)
    assert process.returncode == 5, out
    verified = result["verify"]
    assert verified["proven"]
    assert verified["acknowledged"] == {"not_stored": 0, "stored_once": result["stored"],
                                        "stored_more": 0}
    unanswered = verified["unanswered"]
    assert result["unanswered"] == unanswered["not_stored"] + unanswered["stored_once"] > 0
    assert len(collector.rows()) == result["stored"] + unanswered["stored_once"], out
    record_property("note", f"kill -9 under `client load`: {result['stored']} acknowledged, all "
                            f"stored once; {unanswered['stored_once']} stored and "
                            f"{unanswered['not_stored']} not of {result['unanswered']} unanswered")


def test_verify_sees_a_store_that_broke_its_promise(start):
    """Rows vanish, double and change while the load still sends."""
    collector = start()
    process = subprocess.Popen(
        [CLIENT, "-H", collector.coap[0], "-P", str(collector.coap[1]), "load", "--duration", "60",
         "--rate", "200", "--verify", "--sqlite", str(collector.database)],
        stdout=subprocess.PIPE, text=True, env=environment())
    wait_until(lambda: len(collector.rows()) > 50, what="events are stored")
    with sqlite3.connect(collector.database, timeout=20) as database:
        database.execute("DELETE FROM records WHERE rowid IN (3, 4)")
        database.execute("UPDATE records SET value = 5 WHERE rowid = 5")
        database.execute("INSERT INTO records SELECT key + 1, rest, timestamp_ns, received_ns, "
                         "series, value, payload FROM records WHERE rowid = 6")
    database.close()
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 6, out
    assert "NOT VERIFIED" in out
    assert "WRONG: 2 acknowledged, not stored" in out
    assert "WRONG: 1 stored more than once" in out
    assert "WRONG: 1 stored with another payload" in out
    assert "acknowledged, not stored: d0000" in out


@pytest.mark.parametrize("arguments, says", [
    (["--verify"], "--sqlite FILE or --elasticsearch-url URL"),
    (["--verify", "--sqlite", "/nowhere/events.db"], "unable to open database file"),
    (["--source", "192.0.2.1"], "cannot send from 192.0.2.1"),
    (["-H", "no.such.host.invalid"], "cannot resolve 'no.such.host.invalid'"),
])
def test_what_cannot_begin_says_why(collector, arguments, says):
    named = "-H" in arguments
    done = client(None if named else collector, "load", "-n", 1, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr and not collector.rows()


@pytest.mark.parametrize("arguments, says", [
    (["-f", "1.1"], "need a number"),
    (["-f", "1.1", "t", "text"], "need a number"),
    (["--min", "2", "--max", "1", "t", "1"], "--min is above --max"),
    (["--devices", "0"], "--devices"),
    (["--sqlite", "a", "--elasticsearch-url", "b"], "excludes"),
    (["t", "x" * 1200], "1152"),
])
def test_wrong_usage_sends_nothing(collector, arguments, says):
    done = client(collector, "load", "-n", 1, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr and not collector.rows()


def test_progress_is_drawn_on_a_terminal(collector):
    process, terminal = run_on_terminal(
        [CLIENT, "-P", collector.coap[1], "load", "--duration", 0.7, "--devices", 10])
    shown = output_of(terminal, 15)
    assert process.wait(10) == 0
    os.close(terminal)
    assert " %  " in shown and "in flight" in shown and "[####" in shown
    assert shown.split("\r\x1b[K")[-1].startswith("events")  # the bar is wiped away
