"""The parts of one running gateway, as the routes find them on the app."""

from dataclasses import dataclass

from fastapi import Request

from service.auth import Authenticator
from service.engines.base import Engine
from service.lifecycle import Lifecycle
from service.settings import Settings
from service.summarize import Summarizer
from service.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Gateway:
    """Wired once by `app.create_app`."""

    settings: Settings
    engine: Engine
    summarizer: Summarizer
    authenticator: Authenticator
    lifecycle: Lifecycle
    metrics: Metrics


def of(request: Request) -> Gateway:
    """The gateway a request came in at."""
    gateway: Gateway = request.app.state.gateway
    return gateway
