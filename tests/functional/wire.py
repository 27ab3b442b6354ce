"""CoAP messages by hand (RFC 7252 section 3), for what no well-behaved client would send."""

import dataclasses
import itertools
import json
import random
import socket
import time

CON, NON, ACK, RST = range(4)
EMPTY, GET, POST, PUT, DELETE = range(5)
CREATED, CONTENT, CONTINUE = 0x41, 0x45, 0x5F
BAD_REQUEST, UNAUTHORIZED, BAD_OPTION, FORBIDDEN = 0x80, 0x81, 0x82, 0x83
NOT_FOUND, METHOD_NOT_ALLOWED = 0x84, 0x85
INCOMPLETE, TOO_LARGE, UNSUPPORTED_FORMAT, TOO_MANY = 0x88, 0x8D, 0x8F, 0x9D
UNAVAILABLE = 0xA3
ETAG, URI_PATH, CONTENT_FORMAT, MAX_AGE, ACCEPT = 4, 11, 12, 14, 17
BLOCK2, BLOCK1, SIZE2, SIZE1, NO_RESPONSE = 23, 27, 28, 60, 258
JSON, CBOR, SENML_JSON, SENML_CBOR = 50, 60, 110, 112

_message_ids = itertools.count(random.randrange(0x10000))


def next_message_id():
    return next(_message_ids) & 0xFFFF


@dataclasses.dataclass
class Message:
    type: int
    code: int
    message_id: int
    token: bytes = b""
    options: list = dataclasses.field(default_factory=list)  # (number, bytes), ascending
    payload: bytes = b""

    def option(self, number):
        """An option's value as an unsigned integer, or None."""
        values = [value for known, value in self.options if known == number]
        return int.from_bytes(values[0], "big") if values else None

    def text(self):
        return self.payload.decode()


def code_text(code):
    return f"{code >> 5}.{code & 31:02}"


def _nibble(value):
    """A delta or length as option headers hold it: the nibble, and the bytes after it."""
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes([value - 13])
    return 14, (value - 269).to_bytes(2, "big")


def encode(message):
    out = bytes([0x40 | message.type << 4 | len(message.token), message.code])
    out += message.message_id.to_bytes(2, "big") + message.token
    last = 0
    for number, value in message.options:
        delta, delta_bytes = _nibble(number - last)
        length, length_bytes = _nibble(len(value))
        out += bytes([delta << 4 | length]) + delta_bytes + length_bytes + value
        last = number
    return out + (b"\xff" + message.payload if message.payload else b"")


def decode(datagram):
    token_end = 4 + (datagram[0] & 15)
    assert datagram[0] >> 6 == 1, f"version of {datagram!r}"
    message = Message(datagram[0] >> 4 & 3, datagram[1], int.from_bytes(datagram[2:4], "big"))
    message.token = datagram[4:token_end]
    at, number = token_end, 0
    while at < len(datagram) and datagram[at] != 0xFF:
        sizes = [datagram[at] >> 4, datagram[at] & 15]
        at += 1
        for index, size in enumerate(sizes):
            if size == 13:
                sizes[index], at = 13 + datagram[at], at + 1
            elif size == 14:
                sizes[index], at = 269 + int.from_bytes(datagram[at : at + 2], "big"), at + 2
        number += sizes[0]
        message.options.append((number, datagram[at : at + sizes[1]]))
        at += sizes[1]
    message.payload = datagram[at + 1 :]
    return message


def request(code, path, payload=b"", *, kind=CON, token=None, content_format=None, options=()):
    """A request for a path like "/events", with a new message id."""
    parts = [part.encode() for part in path.split("/") if part]
    all_options = [(URI_PATH, part) for part in parts] + list(options)
    if content_format is not None:
        value = content_format.to_bytes((content_format.bit_length() + 7) // 8, "big")
        all_options.append((CONTENT_FORMAT, value))
    all_options.sort(key=lambda option: option[0])
    token = random.randbytes(4) if token is None else token
    return Message(kind, code, next_message_id(), token, all_options, payload)


def event(value=21.5, **members):
    """An event as a dict; members replace or add, and None removes."""
    whole = {
        "namespace": "default",
        "sender": "functional",
        "origin": "probe1",
        "payload": {"type": "temperature", "value": value},
        **members,
    }
    return {key: member for key, member in whole.items() if member is not None}


def post(body, **how):
    """POST /events with a body: a dict or a list of them, or the bytes themselves."""
    payload = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return request(POST, "/events", payload, **{"content_format": JSON, **how})


def block(number, more, size_exponent):
    """The value of a Block option."""
    value = number << 4 | more << 3 | size_exponent
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def post_block(body, number, size_exponent=6, **how):
    """POST /events with one block of a body's bytes."""
    size = 16 << size_exponent
    part = body[number * size : (number + 1) * size]
    options = [(BLOCK1, block(number, (number + 1) * size < len(body), size_exponent))]
    return post(part, options=options, **how)


class Peer:
    """A UDP socket that talks to one address."""

    def __init__(self, address, source=None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if source is not None:
            self.socket.bind(source)
        self.socket.connect(address)
        self.answered = 0.0  # when the last message came

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, message):
        self.socket.send(message if isinstance(message, bytes) else encode(message))

    def receive(self, seconds=5):
        """The next message, or None when none comes in time."""
        self.socket.settimeout(seconds)
        try:
            datagram = self.socket.recv(65536)
            self.answered = time.monotonic()
            return decode(datagram)
        except TimeoutError:
            return None

    def ask(self, message, seconds=5):
        """Sends a request and returns its answer, which must match it."""
        self.send(message)
        answer = self.receive(seconds)
        assert answer is not None, f"no answer within {seconds} s"
        assert answer.token == message.token
        if message.type == CON:
            assert (answer.type, answer.message_id) == (ACK, message.message_id)
        return answer

    def wait_for(self, message, seconds=10):
        """Its answer, on the acknowledgement or separate; None when none comes in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            answer = self.receive(left)
            if answer is None or answer.code == EMPTY:
                continue
            if answer.type == CON:
                self.send(Message(ACK, EMPTY, answer.message_id))
            if answer.token == message.token:
                return answer
        return None

    def ask_slow(self, message, seconds=10):
        """Like ask, where the answer may take so long that it comes separately."""
        self.send(message)
        answer = self.wait_for(message, seconds)
        assert answer is not None, f"no answer within {seconds} s"
        return answer
