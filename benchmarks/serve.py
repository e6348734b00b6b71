"""A service under load, overloaded, and under attack.

    python benchmarks/serve.py RUN                   # 1, 8 and 64 at once; overload; hostile bodies
    python benchmarks/serve.py RUN --schemathesis    # and what schemathesis makes of its OpenAPI

Client and server share the machine. Requests are real samples (`/about`'s examples), one each,
on connections that stay open; each level takes --seconds at most.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOST = "127.0.0.1"
BODY_SECONDS = 4.0


@contextmanager
def service(run: str, *flags: str) -> Iterator[int]:
    """`headstart serve RUN` at a free port; ended with SIGTERM."""
    command = [sys.executable, "-m", "headstart", "serve", run, "--port", "0", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    port = 0
    for line in process.stderr:
        if "serving" in line:
            port = urlsplit(line.split(" at ")[1].split()[0]).port or 0
            break
    if not port:
        raise SystemExit("the service did not begin")
    try:
        yield port
    finally:
        process.terminate()
        process.wait(60)


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, dict[str, str], bytes]:
    """One request on an open connection → status, headers, body."""
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(head[0].split()[1]), headers, body


def post(path: str, body: bytes, kind: str = "application/json") -> bytes:
    """A request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def get(port: int, path: str) -> Any:
    """A JSON answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    _, _, body = await exchange(reader, writer, request)
    writer.close()
    return json.loads(body)


async def samples(port: int) -> list[Any]:
    """Real inputs, as JSON bodies have them."""
    about = await get(port, "/about")
    found: list[Any] = []
    for example in about["examples"]:
        if "picture" in example:
            found.append(example["picture"].partition(",")[2])
        elif name := next((n for n in ("text", "series", "sound") if n in example), None):
            found.append(example[name])
        elif "row" in example:
            row = example["row"]
            names = {c["name"]: c for c in about["input"].get("columns", [])}
            found.append({k: v for k, v in row.items() if k in names})
    if not found:
        raise SystemExit("there are no examples to ask with: the run's data cannot be read")
    return found


async def load(port: int, bodies: list[bytes], workers: int, seconds: float) -> dict[str, Any]:
    """So many ask at once, for so long: throughput, latency, statuses."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.monotonic() + seconds

    async def ask(first: int) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        place = first
        while time.monotonic() < end:
            begun = time.monotonic()
            status, _, _ = await exchange(reader, writer, bodies[place % len(bodies)])
            times.append(time.monotonic() - begun)
            statuses[status] += 1
            place += 1
        writer.close()

    begun = time.monotonic()
    await asyncio.gather(*(ask(i) for i in range(workers)))
    times.sort()
    return {
        "at once": workers,
        "requests": len(times),
        "per second": round(len(times) / (time.monotonic() - begun), 1),
        "p50 ms": round(1000 * times[len(times) // 2], 1),
        "p99 ms": round(1000 * times[min(len(times) - 1, int(0.99 * len(times)))], 1),
        "statuses": dict(statuses),
    }


async def overload(port: int, body: bytes, workers: int, each: int) -> dict[str, Any]:
    """More than fits: those turned away come back when they are told to; all are answered."""
    statuses: Counter[int] = Counter()
    told = 0

    async def ask() -> int:
        nonlocal told
        reader, writer = await asyncio.open_connection(HOST, port)
        answered = 0
        for _ in range(each):
            for _ in range(1000):
                status, headers, _ = await exchange(reader, writer, body)
                statuses[status] += 1
                if status == 200:
                    answered += 1
                    break
                told += "retry-after" in headers
                await asyncio.sleep(float(headers.get("retry-after", 1)))
        writer.close()
        return answered

    answered = sum(await asyncio.gather(*(ask() for _ in range(workers))))
    return {
        "asked": workers * each, "answered": answered, "statuses": dict(statuses),
        "turned away": sum(n for s, n in statuses.items() if s in (429, 503)), "told when": told,
    }  # fmt: skip


async def hostile(port: int) -> dict[str, str]:
    """Bodies that nobody should send: what the service says; it must go on."""
    deep = b'{"inputs": ' + b"[" * 200_000
    cases: dict[str, list[bytes]] = {
        "announces 1 TB": [b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1"
                           + b"0" * 12 + b"\r\n\r\n"],
        "sends 12 MB unannounced": [
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            *[b"186A0\r\n" + b"x" * 100_000 + b"\r\n" for _ in range(120)], b"0\r\n\r\n"],
        "nested 200,000 deep": [post("/predict", deep)],
        "no JSON": [post("/predict", b"\x00\xff" * 100)],
        "a number of 1 MB": [post("/predict", b'{"inputs": [' + b"9" * 1_000_000 + b"]}")],
        "10,000 inputs": [post("/predict", json.dumps({"inputs": ["aaaa"] * 10_000}).encode())],
        "no form": [post("/predict", b"--x\r\n", "multipart/form-data; boundary=x")],
        "no HTTP": [b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"],
        "another host's name": [b"GET /about HTTP/1.1\r\nHost: evil.example\r\n\r\n"],
        "a method that is not there": [b"BREW /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
        "a path upwards": [b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
    }  # fmt: skip
    found: dict[str, str] = {}
    for name, parts in cases.items():
        reader, writer = await asyncio.open_connection(HOST, port)
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        try:
            line = await asyncio.wait_for(reader.readline(), 30)
            found[name] = " ".join(line.decode("latin-1").split()[1:2]) or "closed"
        except (TimeoutError, ConnectionError) as error:
            found[name] = type(error).__name__
        writer.close()
    idle = [await asyncio.open_connection(HOST, port) for _ in range(200)]
    found["with 200 idle connections"] = (await get(port, "/health"))["status"]
    for _, writer in idle:
        writer.close()
    found["afterwards"] = (await get(port, "/health"))["status"]
    return found


async def slow(port: int, inputs: list[bytes], limit: float, many: int = 64) -> dict[str, Any]:
    """So many clients that send a byte a second, of a body or of headers; what became of them, and
    how fast others were answered meanwhile."""
    head = f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 500\r\n\r\n".encode()
    ends: dict[str, Counter[str]] = {"a body": Counter(), "headers": Counter()}
    took: list[float] = []

    async def drip(kind: str) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        begun = time.monotonic()
        if kind == "a body":
            writer.write(head)
        answer = asyncio.ensure_future(reader.readline())
        for byte in b"POST /predict HTTP/1.1\r\n" + b"x" * 100:
            if answer.done() or time.monotonic() - begun > 10 * limit + 30:
                break
            with suppress(ConnectionError):
                writer.write(bytes([byte]))
            await asyncio.wait([answer], timeout=1.0)
        ended = "kept" if not answer.done() else "closed"
        if answer.done() and answer.exception() is None and answer.result():
            ended = answer.result().decode("latin-1").split()[1]
        answer.cancel()
        ends[kind][ended] += 1
        took.append(time.monotonic() - begun)
        writer.close()

    drips = [asyncio.ensure_future(drip(kind)) for kind in ends for _ in range(many)]
    await asyncio.sleep(1.0)
    meanwhile = await load(port, inputs, 4, limit)
    await asyncio.gather(*drips)
    return {
        "clients": len(drips), **{kind: dict(ended) for kind, ended in ends.items()},
        "ended after s": [round(min(took), 1), round(max(took), 1)],
        "others meanwhile": meanwhile,
        "afterwards": (await get(port, "/health"))["status"],
    }  # fmt: skip


def bomb() -> bytes:
    """A PNG that says it has 4 thousand million pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 65_535, 65_535, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


async def measure(options: argparse.Namespace) -> None:
    """Everything, service after service; each part is printed when it is done."""
    with service(options.run, "--rate", "0", "--body-seconds", str(BODY_SECONDS)) as port:
        inputs = await samples(port)
        bodies = [post("/predict", json.dumps({"inputs": [one]}).encode()) for one in inputs]
        await load(port, bodies, 1, 1.0)  # warm
        for workers in (1, 8, 64):
            show("load", await load(port, bodies, workers, options.seconds))
        found = await hostile(port)
        encoded = base64.b64encode(bomb()).decode()
        reader, writer = await asyncio.open_connection(HOST, port)
        body = post("/predict", json.dumps({"inputs": [encoded]}).encode())
        status, _, _ = await exchange(reader, writer, body)
        writer.close()
        show("hostile", {**found, "a picture of 4 thousand million pixels": str(status)})
        show("a byte a second", await slow(port, bodies, BODY_SECONDS))
        if options.schemathesis:
            print(schemathesis(port), flush=True)
    many = post("/predict", json.dumps({"inputs": (inputs * 16)[:16]}).encode())
    with service(options.run, "--rate", "0", "--waiting", "64", "--batch", "16") as port:
        show("more than may wait", await overload(port, many, 32, 3))
    with service(options.run, "--rate", "5") as port:
        show("faster than the rate", await overload(port, bodies[0], 8, 10))


def show(name: str, found: dict[str, Any]) -> None:
    """One part, as a line of JSON."""
    print(json.dumps({"part": name, **found}), flush=True)


def schemathesis(port: int) -> str:
    """The last lines of a bounded run on the service's own OpenAPI."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run",
        f"http://{HOST}:{port}/openapi.json", "--max-examples", "40", "--seed", "1",
        "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,"
        "response_schema_conformance",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    return f"exit code {done.returncode}\n" + "\n".join(done.stdout.splitlines()[-40:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--schemathesis", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a second each")
    options = parser.parse_args()
    if options.quick:
        options.seconds = 1.0
    asyncio.run(measure(options))


if __name__ == "__main__":
    main()
