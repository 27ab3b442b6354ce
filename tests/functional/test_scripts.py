"""The commands that the README begins with. They build; here everything is built already."""

import os
import re
import select
import signal
import subprocess

import pytest

from engines import install
from processes import CLIENT, COLLECTOR, ROOT, LISTENING, environment, run, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.release_only,
    pytest.mark.skipif(COLLECTOR != str(ROOT / "build/release/bin/collector"),
                       reason="the scripts use build/release"),
]


def test_demo():
    done = run(ROOT / "scripts/start", "--demo", seconds=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "load1" in done.stdout
    for value in ("15", "16.5", "18.15", "35.369215365"):
        assert re.search(rf"demoMemoria │ temperature +│ {re.escape(value)} ", done.stdout)
    assert ", 0 missing" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_start_serves_until_interrupted(tmp_path, number):
    output = tmp_path / "output"
    with open(output, "wb") as file:
        process = subprocess.Popen(
            [ROOT / "scripts/start", "--", "--coap-listen", "127.0.0.1:0", "--http-listen",
             "127.0.0.1:0", "--sqlite-path", tmp_path / "events.db"],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment(),
            process_group=0)
    try:
        wait_until(lambda: "Ctrl-C" in output.read_text(), 60, "start explains itself")
        port = LISTENING.search(output.read_text())[1].rsplit(":", 1)[1]
        assert f"client -H 127.0.0.1 -P {port} send" in output.read_text()
        os.killpg(process.pid, number)  # as a terminal does
        assert process.wait(20) == 0
        wait_until(lambda: "drained" in output.read_text(), 5, "its last line is shown")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_progress_of_a_build_is_shown_as_it_comes():
    with subprocess.Popen(["bash", "-c", ". scripts/lib.sh; sparse_progress"], cwd=ROOT, text=True,
                          bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as progress:
        progress.stdin.write("[1/40] a\n[2/40] b\n")
        assert select.select([progress.stdout], [], [], 5)[0], "nothing while the build goes on"
        rest, _ = progress.communicate("a.cc:1: warning\n[4/40] c\nninja: no work to do.\n")
    assert rest == "[1/40] a\na.cc:1: warning\n[4/40] c\n"


@pytest.mark.parametrize("script", ["start", "test"])
def test_wrong_usage(script):
    done = run(ROOT / "scripts" / script, "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage" in done.stderr


@pytest.mark.engine
def test_demo_on_opensearch():
    install("opensearch")
    done = run(ROOT / "scripts/start", "--demo", "--elasticsearch", seconds=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "_search" in done.stdout
    for value in ("15", "16.5", "18.15", "35.369215365"):
        assert re.search(rf"demoMemoria │ temperature +│ {re.escape(value)} ", done.stdout)
    assert ", 0 missing" in done.stdout


@pytest.mark.engine
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_start_on_opensearch_ends_both(tmp_path, number):
    """A device's event is shown by the very line that start tells; one Ctrl-C ends everything."""
    install("opensearch")
    output = tmp_path / "output"
    with open(output, "wb") as file:
        process = subprocess.Popen(
            [ROOT / "scripts/start", "--elasticsearch", "--", "--coap-listen", "127.0.0.1:0",
             "--http-listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment(),
            process_group=0)
    try:
        wait_until(lambda: "Ctrl-C" in output.read_text(), 120, "start explains itself")
        engine = re.search(r"starting OpenSearch at (http\S+),", output.read_text())[1]
        port = LISTENING.search(output.read_text())[1].rsplit(":", 1)[1]
        sent = run(CLIENT, "-H", "127.0.0.1", "-P", port, "-o", "shown", "send", "level", "7.25")
        assert sent.returncode == 0
        look = re.search(r"curl -s '.*'", output.read_text())[0]

        def shown():
            found = run("sh", "-c", look)
            return '"shown"' in found.stdout and "7.25" in found.stdout

        wait_until(shown, 5, "the event is found")
        os.killpg(process.pid, number)  # as a terminal does
        assert process.wait(40) == 0
        wait_until(lambda: "drained" in output.read_text(), 5, "its last line is shown")
        assert run("curl", "-s", engine).returncode == 7, "the engine has ended"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
