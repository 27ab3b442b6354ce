"""Programs on a terminal of their own."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import time

from processes import environment


def resize(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def run_on_terminal(command, columns=100, rows=12):
    """A process whose standard streams are a terminal: (process, terminal)."""
    ours, theirs = pty.openpty()
    resize(theirs, columns, rows)
    process = subprocess.Popen([str(part) for part in command], stdin=theirs, stdout=theirs,
                               stderr=theirs, env=environment(TERM="xterm"))
    os.close(theirs)
    return process, ours


def output_of(terminal, seconds, until=None):
    """What a process wrote to its terminal, until something was there or it ended."""
    os.set_blocking(terminal, False)
    text, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline and not (until and until in text.decode(errors="replace")):
        try:
            text += os.read(terminal, 65536)
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:  # all ends of it are closed
            break
    text = text.decode(errors="replace")
    assert until is None or until in text, f"no {until!r} within {seconds} s in {text!r}"
    return text
