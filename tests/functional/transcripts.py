"""Documents whose examples are run: a fenced block of `console` holds commands and what they show.

In a block each line that begins with "$ " is run by bash against a collector of the document's own,
what follows up to the next one is what it must show, on standard output and standard error, in that
order of coming. A block of `console terminal` is run on a terminal. Times, ports and versions may
differ. Run alone it writes what is shown into the document:

    tests/functional/transcripts.py docs/client.md"""

import contextlib
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile

from processes import CLIENT, Collector, environment

BLOCK = re.compile(r"^```console( terminal)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VOLATILE = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "2026-01-01T00:00:00.000Z"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "127.0.0.1:5683"),
    (re.compile(r'("milliseconds":)[0-9.]+'), r"\g<1>1.234"),
    (re.compile(r"\b[0-9.]+ m?s\b(?! \(\d+ of)"), "1.23 ms"),
    (re.compile(r"[0-9.]+ events/s"), "10.0 events/s"),
    (re.compile(r'("version":")[^"]+'), r"\g<1>0.1.0"),
]


def without_volatile(text):
    for pattern, stand_in in VOLATILE:
        text = pattern.sub(stand_in, text)
    return text


def commands_of(block):
    """[(command, what it must show)]; a command goes on where its line ends in a backslash."""
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and found[-1][1] == "" and found[-1][0].endswith("\\\n"):
            found[-1][0] += line
        else:
            assert found, f"a block begins with a command, not with {line!r}"
            found[-1][1] += line
    return found


class Session:
    """Runs commands one after another in one directory."""

    def __init__(self, directory, collector):
        programs = pathlib.Path(CLIENT).resolve().parent
        self.directory = directory
        self.env = environment(
            COLLECTOR_HOST=collector.uri(""), TERM="xterm", NO_COLOR="1",
            PATH=f"{programs}:{os.environ['PATH']}")

    def run(self, command, on_terminal):
        how = {"cwd": self.directory, "env": self.env}
        if not on_terminal:
            done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=30, check=False, **how)
            return done.stdout
        ours, theirs = pty.openpty()
        with subprocess.Popen(["bash", "-c", command], stdin=theirs, stdout=theirs, stderr=theirs,
                              **how):
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # EIO: the other end is closed
                while chunk := os.read(ours, 65536):
                    shown += chunk
        os.close(ours)
        return shown.decode().replace("\r\n", "\n")


def shown_by(session, on_terminal, block):
    """The block as it is now: what has not changed but in volatile parts stays as it was."""
    out = ""
    for command, expected in commands_of(block):
        shown = session.run(command, on_terminal)
        same = without_volatile(shown) == without_volatile(expected)
        out += f"$ {command}{expected if same else shown}"
    return out


def renewed(document, directory):
    """The document's text with what its commands show now."""
    collector = Collector(directory)
    try:
        session = Session(directory, collector)
        return BLOCK.sub(
            lambda block: f"```console{block[1] or ''}\n"
                          f"{shown_by(session, block[1] is not None, block[2])}```",
            document)
    finally:
        collector.stop()


def main():
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        with tempfile.TemporaryDirectory() as directory:
            path.write_text(renewed(path.read_text(), directory))


if __name__ == "__main__":
    main()
