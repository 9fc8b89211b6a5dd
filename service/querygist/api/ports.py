"""Operations on a port of their own: metrics, documentation and readiness are not for those who use the API."""

from starlette.types import ASGIApp, Receive, Scope, Send

from querygist.api import problems

LIVEZ = "/livez"
"""On both ports, so that whoever watches a process may ask either."""

OPERATIONS = ("/metrics", "/readyz", "/docs", "/openapi.json", "/static-offline-docs")
"""Paths of the operations port, and whatever lies below them."""


class OperationsPortMiddleware:
    """Answers 404 to the operations' paths on the API's port, and to all others on the operations' port."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or self._is_here(scope):
            await self.app(scope, receive, send)
        else:
            await problems.not_found(scope["state"]["request_id"])(scope, receive, send)

    def _is_here(self, scope: Scope) -> bool:
        path = scope["path"].removeprefix(scope.get("root_path", "")).removesuffix("\n")  # as the routes ignore it
        operation = any(path == one or path.startswith(f"{one}/") for one in OPERATIONS)
        here: bool = scope["server"][1] == self.port
        return path == LIVEZ or operation == here
