"""The service: routes around a finished run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, cast

import numpy as np
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError
from torch import Tensor

from headstart import __version__
from headstart.errors import UserError
from headstart.runs.atomic import finite
from headstart.serve import about, explain
from headstart.serve.batching import Batcher, FullError
from headstart.serve.config import ServeConfig
from headstart.serve.guard import App, Guard
from headstart.serve.metrics import CONTENT_TYPE, Metrics
from headstart.serve.reading import MOST_INPUTS, Reader, Upload, reader_of
from headstart.serve.showing import show
from headstart.training.devices import available_threads
from headstart.workflows.loaded import LoadedRun

NEAREST = 8  # training samples that are shown
SPARE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/recorder.js": ("recorder.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}


class Problem(BaseModel):
    """Why there is no answer, and what to do."""

    error: str
    hints: list[str]


class Answers(BaseModel):
    """An object a sample: the answer, and what more the task says."""

    predictions: list[dict[str, Any]]


class Embeddings(BaseModel):
    """The encoder's features, a list a sample."""

    embeddings: list[list[float]]


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request that cannot be answered: a status, a sentence, hints."""

    def __init__(self, status: int, error: str, *hints: str) -> None:
        super().__init__(error)
        self.status, self.error, self.hints = status, error, hints


def build(run: LoadedRun, config: ServeConfig) -> App:
    """The service of one run, guarded."""
    metrics = Metrics()
    ask = run.outputs if run.task is not None else run.embeddings
    batcher = Batcher(ask, metrics, largest=config.batch, most=config.waiting)
    metrics.gauges["samples_waiting"] = lambda: batcher.waiting
    memory, why = explain.memory_of(run, config.neighbours)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        yield
        await batcher.stop()

    app = FastAPI(
        title=f"headstart: {run.folder.path.name}", version=__version__, lifespan=life,
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(UserError, _mistake)
    app.add_exception_handler(FullError, _full)
    app.add_exception_handler(TimeoutError, _late)
    service = Service(run, config, batcher, memory)
    known = finite(about.about(run, memory, why))
    _pages(app)
    _told(app, metrics, known)
    _asked(app, service)
    paths = {str(getattr(route, "path", "")) for route in app.routes}
    return Guard(app, config, metrics, paths)


class Service:
    """What the routes do."""

    def __init__(
        self, run: LoadedRun, config: ServeConfig, batcher: Batcher, memory: explain.Memory | None
    ) -> None:
        self.run, self.config, self.batcher, self.memory = run, config, batcher, memory
        self.reader: Reader = reader_of(run.modality)
        self._reading = asyncio.Semaphore(available_threads())  # pictures unfold to much memory

    async def predict(self, request: Request) -> Answers:
        """The task's answers."""
        x = await self._read(request)
        outputs = await self._in_time(self.batcher(x))
        return Answers(predictions=self._answers(outputs))

    async def embed(self, request: Request) -> Embeddings:
        """The encoder's features."""
        x = await self._read(request)
        if self.run.task is None:
            features = await self._in_time(self.batcher(x))
        else:
            features = await self._in_time(self.batcher.call(lambda: self.run.embeddings(x)))
        _check_finite(features)
        return Embeddings(embeddings=features.tolist())

    async def explain(self, request: Request) -> JSONResponse:
        """The answer to one sample, how the network sees it, what drove it, what is like it."""
        x = await self._read(request)
        if len(x) != 1:
            raise Refused(422, f"one sample is explained at a time; these are {len(x)}.")
        found = await self._in_time(self.batcher.call(lambda: self._explained(x)))
        return JSONResponse(finite(found))

    def _explained(self, x: Tensor) -> dict[str, Any]:
        run = self.run
        found: dict[str, Any] = {"seen": show(run.modality, x[0])}
        if run.task is not None:
            found["prediction"] = self._answers(run.outputs(x))[0]
            found["drove"] = explain.drove(run, x)
        found["nearest"] = []
        if self.memory is not None:
            near = self.memory.nearest(run.embeddings(x), NEAREST)
            found["nearest"] = [
                {**self.memory.shown(run, i), "likeness": likeness} for i, likeness in near
            ]
        return found

    def _answers(self, outputs: Tensor) -> list[dict[str, Any]]:
        assert self.run.task is not None
        if not self.run.task.framewise:  # there NaN stands for frames that a sample has not
            _check_finite(outputs)
        columns = self.run.task.columns(outputs)
        return [
            _gathered({name: _plain(values[i]) for name, values in columns.items()})
            for i in range(len(outputs))
        ]

    async def _in_time(self, work: Any) -> Any:
        async with asyncio.timeout(self.config.answer_seconds):
            return await work

    async def _read(self, request: Request) -> Tensor:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            inputs = self._from_json(await request.body())
        elif kind == "multipart/form-data" and self.reader.files:
            inputs = await _from_form(request)
        else:
            expected = "application/json" + (" or multipart/form-data" if self.reader.files else "")
            raise Refused(415, f"a body of {expected} was expected, not {kind or 'nothing'}.")
        return cast("Tensor", await self._in_time(self._unfolded(inputs)))

    async def _unfolded(self, inputs: list[Any]) -> Tensor:
        async with self._reading:
            return await run_in_threadpool(self.reader.tensor, inputs)

    def _from_json(self, body: bytes) -> list[Any]:
        try:
            made: Any = self.reader.Body.model_validate_json(body)
        except ValidationError as error:
            faults = [
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
            ]
            raise Refused(
                422, "the body does not fit what /openapi.json describes.", *faults[:5]
            ) from None
        return [
            item.model_dump(by_alias=True) if isinstance(item, BaseModel) else item
            for item in made.inputs
        ]


def _check_finite(outputs: Tensor) -> None:
    """Raises:
    Refused: a sample has no answer: numbers so large that they overflow.
    """
    wrong = ~outputs.flatten(1).isfinite().all(dim=1)
    if wrong.any():
        raise Refused(
            422,
            f"input {int(wrong.nonzero()[0]) + 1} has no answer: its numbers are too large.",
            "Send what resembles the training samples.",
        )


async def _from_form(request: Request) -> list[Any]:
    try:
        async with request.form(max_files=MOST_INPUTS, max_fields=0) as form:
            uploads = [
                Upload(await item.read(), item.filename or "a file")
                for _, item in form.multi_items()
                if not isinstance(item, str)
            ]
    except Exception as error:  # python-multipart and Starlette raise many kinds
        raise Refused(422, f"the form cannot be read: {error}.") from None
    if not uploads:
        raise Refused(422, "the form has no file.")
    return list(uploads)


def _pages(app: FastAPI) -> None:
    """The page and what it is made of; nothing comes from elsewhere."""
    for path, (name, media) in SPARE.items():
        content = files("headstart.serve").joinpath(name).read_text(encoding="utf-8")
        app.get(path, include_in_schema=False)(_static(content, media))
    app.get("/favicon.ico", include_in_schema=False)(_static("", "image/x-icon", 204))


def _static(content: str, media: str, status: int = 200) -> Callable[[], Response]:
    return lambda: Response(content, status, media_type=media)


def _told(app: FastAPI, metrics: Metrics, known: dict[str, Any]) -> None:
    @app.get("/health")
    def health() -> dict[str, str]:
        """Whether the service answers."""
        return {"status": "ok", "headstart": __version__}

    @app.get("/about")
    def about_it() -> dict[str, Any]:
        """What goes in, what comes out, some training samples to try."""
        return known

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    def figures() -> Response:
        """Counts and times for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    _ = (health, about_it, figures)


def _asked(app: FastAPI, service: Service) -> None:
    body: dict[str, Any] = {"application/json": {"schema": _schema(service.reader)}}
    if service.reader.files:
        many = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
        form = {"type": "object", "properties": {"files": many}, "required": ["files"]}
        body["multipart/form-data"] = {"schema": form}
    refused = (400, 401, 408, 413, 415, 421, 422, 429, 503)
    more: dict[str, Any] = {
        "openapi_extra": {"requestBody": {"required": True, "content": body}},
        "responses": {status: {"model": Problem} for status in refused},
    }
    if service.run.task is not None:
        app.post("/predict", response_model=Answers, **more)(service.predict)
    app.post("/embed", response_model=Embeddings, **more)(service.embed)
    app.post("/explain", response_model=None, **more)(service.explain)


def _schema(reader: Reader) -> dict[str, Any]:
    """The body's schema with what it refers to put in place: OpenAPI keeps no `$defs`."""
    schema = reader.Body.model_json_schema()
    parts = schema.pop("$defs", {})

    def placed(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return placed(parts[node["$ref"].rsplit("/", 1)[1]])
            return {key: placed(value) for key, value in node.items()}
        return [placed(item) for item in node] if isinstance(node, list) else node

    found: dict[str, Any] = placed(schema)
    return found


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _problem(error.status, error.error, *error.hints)


def _mistake(_: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    return _problem(422, error.message, *error.hints)


def _full(_: Request, __: Exception) -> Response:
    return _problem(503, "too much waits for an answer already.", wait=1)


def _late(_: Request, __: Exception) -> Response:
    return _problem(503, "the answer took too long.", wait=5)


def _problem(status: int, error: str, *hints: str, wait: int | None = None) -> Response:
    headers = None if wait is None else {"Retry-After": str(wait)}
    return JSONResponse({"error": error, "hints": list(hints)}, status, headers)


def _gathered(row: dict[str, Any]) -> dict[str, Any]:
    """An answer with its probabilities in one object."""
    prefix = "probability_"
    chances = {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
    rest = {k: v for k, v in row.items() if not k.startswith(prefix)}
    return {**rest, "probabilities": chances} if chances else rest


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    json.dumps(plain)  # a task's answer that JSON cannot hold is a bug, found here
    return plain
