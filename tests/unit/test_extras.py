"""An install without extras: the default engine's parts load, and what needs an extra names it."""

import subprocess
import sys

import pytest

from querygist.errors import ConfigurationError
from querygist.extras import extra
from tests.conftest import REPOSITORY

WITHOUT_EXTRAS = """
import sys
for name in ("tritonclient", "grpc", "google.protobuf", "redis", "opentelemetry.sdk", "opentelemetry.exporter",
             "torch", "transformers", "nltk", "rouge_score", "locust", "matplotlib"):
    sys.modules[name] = None  # an import of it fails

from querygist import engine_factory, local, settings
from querygist.api import app, server
from querygist.client import Client
from querygist.errors import ConfigurationError

def told(ask):
    try:
        ask()
    except ConfigurationError as error:
        print(error.detail)

told(lambda: engine_factory.create_engine(settings.load(engine="triton")))
told(lambda: app.create_app(settings.load(redis_url="redis://127.0.0.1:1", redis_secret="x" * 32), None, None))
"""


def test_a_missing_extra_is_named_and_the_rest_loads() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert done.stderr == ""
    triton, redis = done.stdout.splitlines()
    assert triton.endswith("is not installed: pip install 'querygist[triton]'.")
    assert redis == "redis is not installed: pip install 'querygist[redis]'."


def test_a_fault_of_our_own_is_not_taken_for_an_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extra("triton"):
        import querygist.no_such_module  # type: ignore[import-not-found] # noqa: F401


def test_an_extra_that_is_missing_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"no_such_package is not installed: pip install 'querygist\[redis\]'"):  # noqa: SIM117
        with extra("redis"):
            import no_such_package  # type: ignore[import-not-found] # noqa: F401
