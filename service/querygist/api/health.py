"""Health, metrics and the demo page: the routes of operators and browsers."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from prometheus_client.exposition import choose_encoder

from querygist.api import routes
from querygist.api.preflight import State
from querygist.errors import EngineUnavailable, NotReady

PAGE = (Path(__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
DOCS_LINK = '<a href="docs">API reference</a>'

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter()


@router.get("/livez", tags=["operations"])
async def livez() -> dict[str, str]:
    """Alive: the event loop turns. Restart the process when this fails."""
    return {"status": "alive"}


@router.get("/readyz", tags=["operations"], responses={503: routes.PROBLEMS[503] | {"description": "Not ready"}})
async def readyz(app_state: State) -> dict[str, str]:
    """Ready: a canary inference succeeds and the process is not shutting down. Send no traffic when this fails."""
    if app_state.lifecycle.draining:
        raise NotReady("This instance is shutting down.", retry_after=1)
    try:
        await app_state.engine.ready()
    except EngineUnavailable as error:
        app_state.metrics.engine_up.set(0)
        raise NotReady(error.detail, retry_after=5) from None
    app_state.metrics.engine_up.set(1)
    identity = app_state.engine.identity
    return {"status": "ready", "model": identity.name, "version": identity.version}


@router.get("/metrics", tags=["operations"], response_class=Response)
async def metrics(request: Request, app_state: State) -> Response:
    """Prometheus metrics."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(app_state.metrics.registry), media_type=content_type)


@router.get("/", include_in_schema=False)
async def page(app_state: State) -> HTMLResponse:
    """The demo page; without a link to documentation that is on another port."""
    here = PAGE if app_state.settings.operations_port is None else PAGE.replace(DOCS_LINK, "")
    return HTMLResponse(here, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"})
