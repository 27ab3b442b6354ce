"""Each fuzz target over its corpus and some thousand mutations of it."""

import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BINARIES = HERE.parents[1] / os.environ.get("FUZZ_BIN", "build/dev/bin")
RUNS = {
    "receive": 5000,
    "event": 100000,
    "timestamp": 100000,
    "bulk_answer": 50000,
    "config": 500,
    "psk": 50000,
    "access": 50000,
    "dtls": 1000,
    "mapping": 50000,
    "csv": 50000,
}


def test_every_target_has_a_corpus_and_runs_here():
    targets = {path.name.removesuffix("_fuzz.cc") for path in HERE.glob("*_fuzz.cc")}
    assert targets == set(RUNS) == {path.name for path in (HERE / "corpus").iterdir()}


@pytest.mark.parametrize("target", RUNS)
def test_nothing_breaks_it(target, tmp_path):
    command = [BINARIES / f"{target}_fuzz", f"-runs={RUNS[target]}", "-seed=1"]
    done = subprocess.run(
        [*command, HERE / "corpus" / target],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    last = tmp_path / "fuzz-last-input"
    shown = last.read_bytes()[:500] if done.returncode != 0 and last.exists() else b""
    assert done.returncode == 0, f"{done.stderr[-3000:]}\nlast mutation: {shown!r}"
