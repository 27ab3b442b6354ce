"""What is generated from the command lines' definitions: manual pages and shells' completions."""

import os
import shutil
import subprocess

import pytest

from processes import CLIENT, COLLECTOR, run

COMMANDS = ["healthcheck", "send", "incremental", "city", "system", "completion"]


def needs(program):
    if shutil.which(program) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is missing")
        pytest.skip(f"{program} is missing")


def completed(*words):
    """What a real bash offers behind these words; the last one is being typed."""
    script = ('source <("$1" completion bash) || exit; shift; COMP_WORDS=("$@"); '
              'COMP_CWORD=$(($# - 1)); _client; printf "%s\\n" "${COMPREPLY[@]}"')
    done = run("bash", "--norc", "-c", script, "bash", CLIENT, "client", *words)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_and_options():
    assert set(completed("")) >= set(COMMANDS)
    assert completed("inc") == ["incremental"]
    assert completed("-H", "send", "heal") == ["healthcheck"]  # a host that is called send
    assert completed("send", "--dry") == ["--dry-run"]
    assert set(completed("-S", "incremental", "--r")) == {"--rate", "--retries"}
    assert completed("send", "--ho") == ["--host"]  # global options may follow
    assert completed("--dry") == []
    assert completed("completion", "z") == ["zsh"]
    assert completed("-H", "se") == []  # a value


def test_bash_completes_files_where_it_knows_nothing(tmp_path):
    (tmp_path / "events.json").touch()
    script = 'source <("$1" completion bash); complete -p client'
    assert "-o default" in run("bash", "--norc", "-c", script, "bash", CLIENT).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_good_syntax(shell, tmp_path):
    needs(shell)
    script = tmp_path / "script"
    script.write_text(run(CLIENT, "completion", shell).stdout)
    for command in COMMANDS:
        assert command in script.read_text()
    done = run(shell, "-n", script)
    assert (done.returncode, done.stderr) == (0, "")


def test_fish_completes(tmp_path):
    needs("fish")
    script = tmp_path / "client.fish"
    script.write_text(run(CLIENT, "completion", "fish").stdout)
    ask = f'source {script}; complete --do-complete "client send --dr"'
    done = run("fish", "--no-config", "-c", ask,
               env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    assert done.stdout.startswith("--dry-run\t"), done.stderr


@pytest.mark.parametrize("program, shows", [
    (CLIENT, ["client send", "--numberOfEvents", "--dry-run", "Exit status"]),
    (COLLECTOR, ["--sqlite-path", "--drain-timeout-seconds", "collector setup"]),
])
def test_manual_page(program, shows):
    needs("man")
    page = run(program, "--man")
    assert page.returncode == 0 and page.stdout.startswith(".TH ")
    done = subprocess.run(["man", "--warnings", "-l", "-"], input=page.stdout, text=True,
                          capture_output=True, check=True, env={**os.environ, "MANWIDTH": "120"})
    assert done.stderr == ""
    for text in shows:
        assert text in done.stdout
