"""The parts of one running gateway, as the routes find them on the app."""

from dataclasses import dataclass

from fastapi import Request

from querygist.api.auth import Authenticator
from querygist.api.lifecycle import Lifecycle
from querygist.engines.base import Engine
from querygist.metrics import Metrics
from querygist.pipeline.summarizer import Summarizer
from querygist.settings import Settings


@dataclass(frozen=True, slots=True)
class AppState:
    """Wired once by `app.create_app`."""

    settings: Settings
    engine: Engine
    summarizer: Summarizer
    authenticator: Authenticator
    lifecycle: Lifecycle
    metrics: Metrics


def of(request: Request) -> AppState:
    """The gateway a request came in at."""
    gateway: AppState = request.app.state.gateway
    return gateway
