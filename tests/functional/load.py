"""Devices that send events and remember which were acknowledged."""

import itertools
import selectors
import time

import wire

IN_FLIGHT = 64  # of each device


class Device:
    """One UDP socket that keeps many events in flight, each with a value that no other has."""

    def __init__(self, address, name):
        self.peer = wire.Peer(address)
        self.peer.socket.setblocking(False)
        self.name = name
        self.numbers = itertools.count()
        self.waiting = {}  # token: (value, datagram)

    def fill(self):
        while len(self.waiting) < IN_FLIGHT:
            number = next(self.numbers, None)
            if number is None:
                return  # that was all of them
            value = f"{self.name}-{number}"
            token = number.to_bytes(4, "big")
            seconds = f"{number // 1000 % 60:02}.{number % 1000:03}"
            event = wire.event(value, origin=self.name, timestamp=f"2024-01-01T00:00:{seconds}Z")
            datagram = wire.encode(wire.post(event, token=token))
            self.waiting[token] = (value, datagram)
            self._send(datagram)

    def send_again(self):
        for _, datagram in self.waiting.values():
            self._send(datagram)

    def receive(self):
        """Yields (code, value) of the answers that are there."""
        while True:
            try:
                answer = wire.decode(self.peer.socket.recv(2048))
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue  # nobody listens at the moment
            if answer.type == wire.CON:  # a separate answer
                self._send(wire.encode(wire.Message(wire.ACK, wire.EMPTY, answer.message_id)))
            if answer.token in self.waiting:
                value, _ = self.waiting.pop(answer.token)
                yield answer.code, value

    def move(self, address):
        """The collector was started again and listens elsewhere."""
        self.peer.socket.connect(address)

    def _send(self, datagram):
        try:
            self.peer.socket.send(datagram)
        except (BlockingIOError, ConnectionRefusedError):
            pass


class Load:
    """Several devices. acknowledged holds the values answered 2.01, refused the others."""

    def __init__(self, address, name, devices=4):
        self.devices = [Device(address, f"{name}-{n}") for n in range(devices)]
        self.acknowledged = []
        self.refused = []
        self.selector = selectors.DefaultSelector()
        for device in self.devices:
            self.selector.register(device.peer.socket, selectors.EVENT_READ, device)

    def collect(self, seconds):
        """Waits for answers at most so long, once."""
        for key, _ in self.selector.select(seconds):
            for code, value in key.data.receive():
                (self.acknowledged if code == wire.CREATED else self.refused).append(value)

    def run(self, seconds):
        """Keeps the devices busy."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for device in self.devices:
                device.fill()
            self.collect(min(left, 0.05))

    def finish(self, address, seconds=20):
        """Retransmits to `address` what has no answer, until everything has one."""
        for device in self.devices:
            device.move(address)
        deadline = time.monotonic() + seconds
        while self.waiting():
            assert time.monotonic() < deadline, f"{self.waiting()} events without an answer"
            for device in self.devices:
                device.send_again()
            quiet = time.monotonic() + 1
            while self.waiting() and time.monotonic() < quiet:
                self.collect(0.05)

    def waiting(self):
        return sum(len(device.waiting) for device in self.devices)

    def close(self):
        self.selector.close()
        for device in self.devices:
            device.peer.socket.close()
