"""Health, metrics and the demo page: the routes of operators and browsers."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from prometheus_client.exposition import choose_encoder

from querygist.api import routes
from querygist.api.preflight import Here
from querygist.errors import EngineUnavailable, NotReady

PAGE = Path(__file__).parent / "static" / "index.html"

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
async def readyz(here: Here) -> dict[str, str]:
    """Ready: a canary inference succeeds and the process is not shutting down. Send no traffic when this fails."""
    if here.lifecycle.draining:
        raise NotReady("This instance is shutting down.", retry_after=1)
    try:
        await here.engine.ready()
    except EngineUnavailable as error:
        here.metrics.engine_up.set(0)
        raise NotReady(error.detail, retry_after=5) from None
    here.metrics.engine_up.set(1)
    identity = here.engine.identity
    return {"status": "ready", "model": identity.name, "version": identity.version}


@router.get("/metrics", tags=["operations"], response_class=Response)
async def metrics(request: Request, here: Here) -> Response:
    """Prometheus metrics."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(here.metrics.registry), media_type=content_type)


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The demo page."""
    return FileResponse(PAGE, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"})
