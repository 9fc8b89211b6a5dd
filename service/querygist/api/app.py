"""Wiring: settings and an engine in, an ASGI app out."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from opentelemetry.trace import TracerProvider
from starlette.middleware.cors import CORSMiddleware

from querygist import __version__, tracing
from querygist.api import health, problems, routes
from querygist.api.auth import Authenticator
from querygist.api.lifecycle import Lifecycle
from querygist.api.middleware import RequestMiddleware
from querygist.api.ports import OperationsPortMiddleware
from querygist.api.quotas import Quotas, SharedSpend
from querygist.api.state import AppState
from querygist.engines.base import Engine
from querygist.extras import extra
from querygist.metrics import Metrics
from querygist.pipeline.admission import Admission
from querygist.pipeline.cache import SummaryCache
from querygist.pipeline.choice import Chooser
from querygist.pipeline.job import Job
from querygist.pipeline.summarizer import Summarizer
from querygist.pipeline.text_work import TextWork
from querygist.pipeline.writer import Writer
from querygist.prompting.tokenizer import Tokenizer
from querygist.reader.reader import Reader
from querygist.schemas import BatchDocument, BatchLine
from querygist.settings import Settings

if TYPE_CHECKING:  # an optional extra
    from querygist.pipeline.shared_cache import SharedCache


def create_app(
    settings: Settings,
    engine: Engine,
    tokenizer: Tokenizer,
    reader: Reader | None = None,
    *,
    traces: TracerProvider = tracing.OFF,
) -> FastAPI:
    """The app, with a `AppState` in `app.state.gateway`. Raises ConfigurationError."""
    metrics, tracer = Metrics(), tracing.tracer_of(traces)
    shared, shared_spend = _shared(settings, metrics)
    metrics.engine_status = engine.status
    texts = TextWork(metrics, max_waiting=settings.max_waiting)
    admission = Admission(
        "in the engine",
        max_in_flight=settings.max_in_flight,
        max_waiting=settings.max_waiting,
        servers=lambda: engine.status().healthy,
        refused=lambda reason: metrics.sheds.labels(reason).inc(),
    )
    metrics.num_requests_running.set_function(lambda: admission.in_flight)
    metrics.num_requests_waiting.set_function(lambda: admission.waiting)

    def cache_scope(job: Job) -> str:
        return job.caller.tenant if settings.cache_scope == "tenant" else ""

    gateway = AppState(
        settings=settings,
        engine=engine,
        summarizer=Summarizer(
            identity=engine.identity,
            texts=texts,
            chooser=Chooser(reader, metrics, texts, max_waiting=settings.max_waiting, cache_scope=cache_scope),
            writer=Writer(
                engine,
                tokenizer,
                admission,
                metrics=metrics,
                tracer=tracer,
                max_deadline_seconds=settings.max_deadline_ms / 1000,
            ),
            cache=SummaryCache(
                max_bytes=round(settings.cache_mb * 1e6),
                ttl_seconds=settings.cache_ttl_seconds,
                metrics=metrics,
                shared=shared,
            ),
            cache_scope=cache_scope,
            metrics=metrics,
            tracer=tracer,
        ),
        authenticator=Authenticator(settings.api_keys_file, Quotas(shared_spend), metrics),
        lifecycle=Lifecycle(delay=settings.drain_delay_seconds, budget=settings.drain_seconds),
        metrics=metrics,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None, None]:
        async with shared or contextlib.nullcontext():
            await engine.start()
            if reader is not None:
                await reader.start()
            try:
                yield
            finally:
                await engine.close()
                if reader is not None:
                    await reader.close()
                await asyncio.to_thread(tracing.shut_down, traces)

    app = _api(lifespan)
    app.state.gateway = gateway
    if settings.operations_port is not None:
        app.add_middleware(OperationsPortMiddleware, port=settings.operations_port)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins.split(","),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )
    app.add_middleware(RequestMiddleware, lifecycle=gateway.lifecycle, tracer=tracer)
    return app


def _shared(settings: Settings, metrics: Metrics) -> "tuple[SharedCache, SharedSpend] | tuple[None, None]":
    """Return what gateways share through Redis: summaries, and the spending of quotas."""
    if settings.redis_url is None or settings.redis_secret is None:
        return None, None
    with extra("redis"):
        from querygist.api.shared_quotas import SharedQuotas  # noqa: PLC0415
        from querygist.pipeline.shared_cache import SharedCache  # noqa: PLC0415
        from querygist.redis_connection import RedisConnection  # noqa: PLC0415
    redis = RedisConnection(settings.redis_url.get_secret_value(), metrics)
    secret = settings.redis_secret.get_secret_value()
    cache = SharedCache(redis, secret=secret, ttl_seconds=settings.cache_ttl_seconds, metrics=metrics)
    return cache, SharedQuotas(redis).spend


def openapi_document() -> dict[str, Any]:
    """The API's description; needs no model and no settings."""
    return _api(None).openapi()


def _api(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None) -> FastAPI:
    app: FastAPI = FastAPIOffline(
        redoc_url=None,
        redirect_slashes=False,
        title="Querygist",
        version=__version__,
        description="What this document says about this query: short, grounded summaries in real time.",
        lifespan=lifespan,
    )
    app.include_router(routes.router)
    app.include_router(health.router)
    problems.install(app)
    _describe_lines(app)
    return app


def _describe_lines(app: FastAPI) -> None:
    """Add the schemas of NDJSON lines to the OpenAPI document: FastAPI sees only bodies it parses whole."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document["components"]["schemas"]
        for model in (BatchDocument, BatchLine):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
