"""The packaged unit allows the system calls that the collector makes. Without systemd: strace lists
the calls, and the unit's filter is taken apart as systemd would."""

import os
import re
import shutil

import pytest
import wire
from fake_engine import FakeEngine
from processes import ROOT, run, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.release_only]

# SQLite gives its files to the database's owner, when it is root; the unit's collector is not.
OF_ROOT = {"fchown"} if os.geteuid() == 0 else set()


def tool(name):
    if shutil.which(name):
        return name
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is missing: scripts/setup test")
    pytest.skip(f"{name} is missing")


def calls_in(names):
    """What a list of calls and @sets comes to."""
    found = set()
    for name in names:
        if name.startswith("@"):
            listed = run(tool("systemd-analyze"), "syscall-filter", name)
            assert listed.returncode == 0, listed.stderr
            lines = [line.strip() for line in listed.stdout.splitlines()[1:]]
            found |= calls_in(line for line in lines if line and not line.startswith("#"))
        else:
            found.add(name)
    return found


@pytest.fixture(scope="module")
def allowed():
    """By the unit: its first filter names what is allowed, each later one adds or takes away."""
    unit = (ROOT / "deploy/debian/coap-collector.service").read_text()
    calls = set()
    for taken, names in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit, re.MULTILINE):
        calls = calls - calls_in(names.split()) if taken else calls | calls_in(names.split())
    return calls


def traced(directory):
    """A prefix for a program, and a function that tells the calls it made once it has ended. The
    program itself is our child, so that it, and not strace, is sent the signals."""
    path = directory / "calls"

    def made():
        text = wait_until(lambda: (read := path.read_text()).endswith("total\n") and read)
        return {line.split()[-1] for line in text.splitlines()[2:-2]}

    return (tool("strace"), "-D", "-f", "-c", "-U", "calls,name", "-o", path), made


def use(collector):
    with collector.peer() as peer:
        for number in range(3):
            assert peer.ask(wire.post(wire.event(number))).code == wire.CREATED
        assert peer.ask(wire.post_block(b" " * 2000, 0)).code == wire.CONTINUE
    for path in ["/", "/health", "/metrics", "/api/status", "/api/chart", "/api/export.csv"]:
        assert collector.get(path).status in (200, 404)


def check(calls, allowed):
    assert {"recvmmsg", "sendmmsg"} <= calls
    assert calls - allowed - OF_ROOT == set(), "the unit's SystemCallFilter= would refuse these"


def test_with_sqlite(start, tmp_path, allowed):
    prefix, made = traced(tmp_path)
    collector = start(prefix=prefix)
    use(collector)
    collector.stop()
    calls = made()
    assert {"fdatasync", "setpriority"} <= calls
    check(calls, allowed)


def test_with_two_processes(start, tmp_path, allowed):
    prefix, made = traced(tmp_path)
    collector = start("--processes", 2, prefix=prefix)
    use(collector)
    collector.stop()
    check(made(), allowed)


def test_with_an_engine(start, tmp_path, allowed):
    prefix, made = traced(tmp_path)
    engine = FakeEngine().start()
    try:
        # A name, because looking one up takes other calls than connecting.
        url = f"http://localhost:{engine.port}"
        collector = start(prefix=prefix, store="elasticsearch", elasticsearch_url=url)
        use(collector)
        collector.stop()
    finally:
        engine.stop()
    assert engine.documents
    check(made(), allowed)
