"""A real server at a socket: requests that do not arrive are ended, the others are answered."""

import asyncio
import select
import socket
import threading
import time

import pytest

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")

from headstart.serve.config import ServeConfig
from headstart.serve.guard import Guard
from headstart.serve.metrics import Metrics
from headstart.serve.patience import patient

SECONDS = 1.0
HEAD = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\n"
LONG = HEAD.replace(b"4", b"400")

# What uvicorn leaves open when it is told to stop is its own.
pytestmark = pytest.mark.filterwarnings("ignore")


async def echo(scope, receive, send):
    if scope["type"] != "http":
        return
    body = (await receive())["body"]
    if body == b"wait":
        await asyncio.sleep(2 * SECONDS)  # an answer may take longer than a request
    told = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": told})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port():
    app = Guard(echo, ServeConfig(body_seconds=SECONDS, rate=0), Metrics(), {"/predict"})
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(app, log_level="error", lifespan="off", http=patient(SECONDS))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(30)
    listening.close()


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def read(connection):
    """All that comes until the other end closes."""
    found = b""
    while part := connection.recv(4_096):
        found += part
    return found


def answered(connection, end):
    """Whether an answer comes that ends so; headers and body may come apart."""
    found = b""
    while not found.endswith(end) and (part := connection.recv(4_096)):
        found += part
    return found.startswith(b"HTTP/1.1 200") and found.endswith(end)


def dripped(port, first, parts):
    """What is said to a client that sends `first`, then a byte after each fifth of the time."""
    with connected(port) as connection:
        connection.sendall(first)
        for byte in parts:
            if select.select([connection], [], [], SECONDS / 5)[0]:  # it is answered, or closed
                break
            connection.sendall(bytes([byte]))
        return read(connection)


def test_bodies_and_headers_sent_a_byte_at_a_time_are_ended_and_others_answered(port):
    said = {}
    cases = {"body": (LONG, b"abc" * 20), "headers": (b"", HEAD + b"slow"), "nothing": (b"", b"")}

    def drip(name, i):
        said[name, i] = dripped(port, *cases[name])

    begun = time.monotonic()
    threads = [threading.Thread(target=drip, args=(n, i)) for n in cases for i in range(8)]
    for thread in threads:
        thread.start()
    with connected(port) as connection:  # meanwhile
        connection.sendall(HEAD + b"fine")
        assert answered(connection, b"fine")
    for thread in threads:
        thread.join(60)
    assert time.monotonic() - begun < 12 * SECONDS
    for (name, _), answer in said.items():
        assert answer[:12] == (b"HTTP/1.1 408" if name == "body" else b""), name


def test_an_answer_may_take_longer_than_a_request(port):
    with connected(port) as connection:
        connection.sendall(HEAD + b"wait")
        assert answered(connection, b"wait")


def test_the_second_request_of_a_connection_has_no_more_time(port):
    with connected(port) as connection:
        connection.sendall(HEAD + b"one!")
        assert answered(connection, b"one!")
        begun = time.monotonic()
        connection.sendall(HEAD[:20])
        assert read(connection) == b""
        assert SECONDS / 2 < time.monotonic() - begun < 8 * SECONDS


def test_what_follows_a_refusal_is_not_read_for_ever(port):
    with connected(port) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: evil.example\r\n")
        connection.sendall(b"Content-Length: 4000\r\n\r\nabc")
        assert connection.recv(4_096).startswith(b"HTTP/1.1 421")
        connection.sendall(b"d")
        assert b"HTTP/1.1" not in read(connection)  # nothing but the refusal's end, and it ends
