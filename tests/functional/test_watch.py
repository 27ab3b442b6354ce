"""client watch: what arrives in a store, on a terminal and in a pipe."""

import json
import os
import subprocess

from processes import CLIENT, client, environment, wait_until
from terminal import output_of, resize, run_on_terminal


def watch(collector, *arguments):
    return subprocess.Popen(
        [CLIENT, "watch", "--sqlite", str(collector.database), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def feed_until_ended(process, collector, *arguments):
    """A watcher begins where the store ends when it opens it, so events come until it has some."""
    def ended():
        client(collector, "-S", *arguments)
        return process.poll() is not None

    wait_until(ended, 20, "the watcher has seen its events")
    return process.communicate()


def test_watch_follows_in_a_pipe(collector):
    client(collector, "send", "old", 1)
    process = watch(collector, "--json", "-n", "3", "-o", "door")
    client(collector, "-o", "window", "send", "state", "open")
    out, err = feed_until_ended(process, collector, "-o", "door", "send", "state",
                                '{"open":true}')
    events = [json.loads(line) for line in out.splitlines()]
    assert (process.returncode, err, len(events)) == (0, "", 3)
    assert {event["origin"] for event in events} == {"door"}
    assert events[0]["payload"] == {"type": "state", "value": {"open": True}}
    process = watch(collector, "-n", "1", "--type", "state")
    out, _ = feed_until_ended(process, collector, "-o", "door", "send", "state", "shut")
    assert out.rstrip().endswith("  default/client/door state shut")


def test_watch_draws_a_live_table_and_leaves_a_clean_terminal(collector):
    process, terminal = run_on_terminal(
        [CLIENT, "watch", "--sqlite", collector.database], columns=100)
    shown = output_of(terminal, 15, until="0 series")
    assert shown.startswith("\x1b[?1049h\x1b[?25l")
    client(collector, "-o", "probe", "incremental", "-n", 8, "-f", 2, "level", 1)
    shown += output_of(terminal, 15, until="default/client/probe level")
    assert "▁" in shown and "█" in shown
    resize(terminal, 60, 12)
    output_of(terminal, 0.4)
    narrow = output_of(terminal, 15, until="\x1b[J").split("\x1b[H")[-1]
    assert all(len(line.split("\x1b")[0]) <= 60 for line in narrow.split("\r\n"))
    process.terminate()
    assert process.wait(10) == 0
    assert output_of(terminal, 2).endswith("\x1b[?25h\x1b[?1049l")
    os.close(terminal)


def test_watch_does_not_hold_up_the_writer(collector):
    process = watch(collector, "--json")
    try:
        done = client(collector, "load", "--json", "--duration", 0.5, "--devices", 50)
        result = json.loads(done.stdout)
        assert result["stored"] == result["sent"] > 0
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert len(out.splitlines()) <= result["stored"]
