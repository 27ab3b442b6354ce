"""Independent CoAP clients, and a relay that shows what they and the collector send.

tests/interop/client.js and Client.java read requests and print answers, one a line each:
    ID METHOD CON|NON URI FORMAT ACCEPT OPTION BLOCK_BYTES BODY CREDENTIALS
    ID CODE FORMAT MAX_AGE BODY                              or    ID what went wrong
"-" = none, BODY in hex. CREDENTIALS, of Client.java only: psk,CIPHER,IDENTITY,KEY (in hex) or
x509,CIPHER,CHAIN,KEY,AUTHORITY (files in PEM).
"""

import asyncio
import contextlib
import dataclasses
import heapq
import importlib.util
import itertools
import pathlib
import queue
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import aiocoap
import aiocoap.optiontypes

import wire
from processes import ROOT, environment

SOURCES = ROOT / "tests/interop"
INSTALLED = ROOT / "build/interop"
ANSWER_SECONDS_MAX = 15


@dataclasses.dataclass
class Psk:
    identity: str
    key: str
    cipher: str = "-"  # that californium is to offer, only


@dataclasses.dataclass
class Certified:
    certificate: pathlib.Path
    key: pathlib.Path
    authority: pathlib.Path  # of the collector
    cipher: str = "-"


@dataclasses.dataclass
class Ask:
    method: str
    path: str
    body: bytes = b""
    kind: str = "CON"
    content_format: int | None = None
    accept: int | None = None
    option: int | None = None  # one more option, of value "x"
    block_bytes: int | None = None  # sends the body in blocks of this size
    credentials: Psk | Certified | None = None  # with some it goes over DTLS


@dataclasses.dataclass
class Answer:
    """What the client says it got: its own reading, not ours."""

    code: str  # "2.01", or what went wrong
    content_format: int | None = None
    max_age: int | None = None
    body: bytes = b""

    def text(self):
        return self.body.decode()


def url(address, ask):
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"coap{'s' * bool(ask.credentials)}://{host}:{address[1]}{ask.path}"


class Libcoap:
    """The coap-client that comes with libcoap, run once for each request."""

    FORMATS = {"application/json": 50, "application/link-format": 40, "application/cbor": 60}
    MESSAGE = re.compile(
        r"v:1 t:\w+ c:([2-5]\.\d\d) \S+ \{\w*\} \[ (.*?)\](?: :: '(.*)'| :: .*|)$", re.M)

    def __init__(self, *names):
        self.names = names
        self.program = next(filter(None, map(shutil.which, names)), None)

    def missing(self):
        return None if self.program else f"{self.names[0]} is not installed (Debian: libcoap3-bin)"

    def close(self):
        pass

    def start(self, address, ask):
        # -v 7: it tells the code of an answer only in its log.
        command = [self.program, "-v", "7", "-B", str(ANSWER_SECONDS_MAX), "-m", ask.method.lower()]
        flags = {"-t": ask.content_format, "-A": ask.accept, "-b": ask.block_bytes}
        for flag, value in flags.items():
            if value is not None:
                command += [flag, str(value)]
        match ask.credentials:
            case Psk(identity, key, _):
                command += ["-u", identity, "-k", key]
            case Certified(certificate, key, authority, _):
                command += ["-c", certificate, "-j", key, "-C", authority]
        if ask.kind == "NON":
            command.append("-N")
        if ask.option is not None:
            command += ["-O", f"{ask.option},x"]
        if ask.body:
            command += ["-f", "-"]
        body = tempfile.NamedTemporaryFile()
        process = subprocess.Popen(
            [*command, "-o", body.name, url(address, ask)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process.stdin.write(ask.body)
        process.stdin.close()
        process.stdin = None
        return process, body

    def answer(self, process, body):
        output = process.communicate(timeout=ANSWER_SECONDS_MAX + 5)[0].decode(errors="replace")
        messages = list(self.MESSAGE.finditer(output))
        if not messages:
            return Answer(output)
        code, options, diagnostic = messages[-1].groups()
        found = dict(re.findall(r"([\w-]+):([^,\s]+)", options))
        with open(body.name, "rb") as whole:  # written anew, maybe
            content = whole.read()
        body.close()
        return Answer(code, self.FORMATS.get(found.get("Content-Format")),
                      int(found["Max-Age"]) if "Max-Age" in found else None,
                      content if code[0] == "2" else (diagnostic or "").encode())

    def ask(self, address, *asks):
        return [self.answer(*one) for one in [self.start(address, ask) for ask in asks]]


class Aiocoap:
    """aiocoap, in this process; over DTLS by tinydtls, with pre-shared keys only."""

    def __init__(self, *needs):
        self.needs = needs

    def missing(self):
        if all(importlib.util.find_spec(module) for module in self.needs):
            return None
        return f"{' '.join(self.needs)} is not installed: scripts/setup interop"

    def close(self):
        pass

    async def ask_one(self, context, address, ask):
        message = aiocoap.Message(
            code=getattr(aiocoap, ask.method), uri=url(address, ask), payload=ask.body,
            transport_tuning=aiocoap.Reliable if ask.kind == "CON" else aiocoap.Unreliable)
        if ask.credentials is not None:
            context.client_credentials.load_from_dict({message.get_request_uri(): {"dtls": {
                "client-identity": ask.credentials.identity.encode(),
                "psk": ask.credentials.key.encode()}}})
        message.opt.content_format = ask.content_format
        message.opt.accept = ask.accept
        if ask.option is not None:
            message.opt.add_option(aiocoap.optiontypes.OpaqueOption(ask.option, b"x"))
        if ask.block_bytes is not None:
            await context.find_remote_and_interface(message)
            message.remote.maximum_block_size_exp = ask.block_bytes.bit_length() - 5
        try:
            answer = await asyncio.wait_for(context.request(message).response, ANSWER_SECONDS_MAX)
        except (aiocoap.error.Error, TimeoutError) as error:
            return Answer(repr(error))
        content_format = answer.opt.content_format
        return Answer(answer.code.dotted, None if content_format is None else int(content_format),
                      answer.opt.max_age, answer.payload)

    def ask(self, address, *asks):
        async def all_at_once():
            context = await aiocoap.Context.create_client_context()
            try:
                return await asyncio.gather(
                    *(self.ask_one(context, address, ask) for ask in asks))
            finally:
                await context.shutdown()

        return asyncio.run(all_at_once())


class LineClient:
    """A program that is started once, and reads and prints the lines described above."""

    def __init__(self, command, needs, installed):
        self.command, self.needs, self.installed = command, needs, installed
        self.process = None
        self.lines = queue.Queue()
        self.numbers = itertools.count()

    def missing(self):
        if shutil.which(self.command[0]) is None:
            return f"{self.command[0]} is not installed"
        if not self.installed.exists():
            return f"{self.needs} is not installed: scripts/setup interop"
        return None

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def start(self):
        self.process = subprocess.Popen(
            self.command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(NODE_PATH=str(INSTALLED / "node_modules")))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def ask(self, address, *asks):
        if self.process is None:
            self.start()
        numbers = [next(self.numbers) for _ in asks]
        for number, ask in zip(numbers, asks):
            fields = [number, ask.method, ask.kind, url(address, ask), ask.content_format,
                      ask.accept, ask.option, ask.block_bytes, ask.body.hex() or None,
                      self.credentials(ask)]
            print(*("-" if field is None else field for field in fields), file=self.process.stdin)
        self.process.stdin.flush()
        answers = {}
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while not answers.keys() >= set(numbers):
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                break
            number, line = line.split(" ", 1)
            answers[int(number)] = self.parsed(line)  # or one that came too late for its ask
        return [answers.get(number, Answer("no answer in time")) for number in numbers]

    @staticmethod
    def credentials(ask):
        match ask.credentials:
            case Psk(identity, key, cipher):
                return f"psk,{cipher},{identity},{key.encode().hex()}"
            case Certified(certificate, key, authority, cipher):
                return f"x509,{cipher},{certificate},{key},{authority}"

    @staticmethod
    def parsed(line):
        found = re.fullmatch(r"(\d\.\d\d) (\d+|-) (\d+|-) ([0-9a-f]+|-)", line)
        if found is None:
            return Answer(line)
        numbers = [None if field == "-" else int(field) for field in found.groups()[1:3]]
        return Answer(found[1], *numbers, b"" if found[4] == "-" else bytes.fromhex(found[4]))


def clients():
    """All of them by name; none is started yet."""
    java = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{INSTALLED}/lib/*"]
    return {
        "libcoap": Libcoap("coap-client-notls", "coap-client-openssl", "coap-client-gnutls",
                           "coap-client"),
        "aiocoap": Aiocoap(),
        "node-coap": LineClient(["node", str(SOURCES / "client.js")], "node-coap",
                                INSTALLED / "node_modules/.package-lock.json"),
        "californium": LineClient([*java, str(SOURCES / "Client.java")], "Californium",
                                  INSTALLED / "pom.xml"),
    }


def dtls_clients():
    """Likewise those that speak DTLS."""
    return {
        "libcoap-openssl": Libcoap("coap-client-openssl"),
        "libcoap-gnutls": Libcoap("coap-client-gnutls"),
        "aiocoap": Aiocoap("DTLSSocket"),
        "californium": clients()["californium"],
    }


@dataclasses.dataclass
class Passed:
    seconds: float  # since the first
    peer: tuple  # the client's address
    upward: bool  # from the client
    message: wire.Message | list  # of DTLS: its records
    lost: bool

    def __str__(self):
        return (f"{self.seconds:7.3f} {self.peer[0]}:{self.peer[1]} "
                f"{'->' if self.upward else '<-'} {self.shown()}{' LOST' if self.lost else ''}")

    def shown(self):
        if isinstance(self.message, list):
            return ", ".join(map(str, self.message))
        kind = ("CON", "NON", "ACK", "RST")[self.message.type]
        options = " ".join(f"{number}={value.hex()}" for number, value in self.message.options)
        return (f"{kind} {wire.code_text(self.message.code)} id {self.message.message_id:04x} "
                f"token {self.message.token.hex() or '-'} [{options}] "
                f"{len(self.message.payload)} bytes")


class Relay:
    """Passes datagrams between clients and the collector, keeps them, and loses those for which
    lose(what passes, all that passed before) is true; the others pass after each of
    delays(what passes) seconds. Closed after as long a silence: a client may tell its answer before
    it has acknowledged it."""

    def __init__(self, server, lose=lambda passing, before: False, silence_seconds=0.01,
                 delays=lambda passing: (0,), decode=wire.decode):
        self.server, self.lose, self.silence_seconds = server, lose, silence_seconds
        self.delays, self.decode = delays, decode
        self.passed = []
        self.below = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.below.bind(("127.0.0.1", 0))
        self.address = self.below.getsockname()
        self.above = {}  # client's address: a socket to the server, thus a port of its own
        self.waiting = []  # (when it passes, a number, how)
        self.numbers = itertools.count()
        self.open = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open = False
        self.thread.join()
        for one in (self.below, *self.above.values()):
            one.close()
        print(f"between a client and the collector:\n{self}")

    def __str__(self):
        return "\n".join(map(str, self.passed))

    def messages(self, upward):
        return [passed.message for passed in self.passed if passed.upward == upward]

    def run(self):
        while True:
            peers = {above: peer for peer, above in self.above.items()}
            patience = 0.02 if self.open else self.silence_seconds
            if self.waiting:
                patience = max(0, min(patience, self.waiting[0][0] - time.monotonic()))
            ready = select.select([self.below, *peers], [], [], patience)[0]
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                heapq.heappop(self.waiting)[2]()
            if not ready and not self.waiting and not self.open:
                break
            for one in ready:
                try:
                    datagram, sender = one.recvfrom(65536)
                except ConnectionError:
                    continue  # the other side has closed its port
                if one is self.below:
                    self.up(datagram, sender)
                else:
                    self.carry(datagram, peers[one], upward=False)

    def up(self, datagram, sender):
        if sender not in self.above:
            self.above[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.above[sender].connect(self.server)
        self.carry(datagram, sender, upward=True)

    def carry(self, datagram, peer, *, upward):
        """Notes a datagram, and passes it on unless it is to be lost."""
        now = time.monotonic()
        if not self.passed:
            self.began = now
        passing = Passed(now - self.began, peer, upward, self.decode(datagram), False)
        passing.lost = self.lose(passing, self.passed)
        self.passed.append(passing)
        if passing.lost:
            return

        def send():
            with contextlib.suppress(ConnectionError):  # the other side has closed its port
                if upward:
                    self.above[peer].send(datagram)
                else:
                    self.below.sendto(datagram, peer)

        for delay in self.delays(passing):
            if delay == 0:
                send()
            else:
                heapq.heappush(self.waiting, (now + delay, next(self.numbers), send))
