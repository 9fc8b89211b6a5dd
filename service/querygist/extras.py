"""Optional dependencies: where one is missing, the error names the extra to install."""

from collections.abc import Generator
from contextlib import contextmanager

from querygist.errors import ConfigurationError


@contextmanager
def extra(name: str) -> Generator[None, None, None]:
    """Import inside of this block what the extra `name` brings. Raises ConfigurationError where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("querygist"):
            raise
        raise ConfigurationError(
            f"{error.name.partition('.')[0]} is not installed: pip install 'querygist[{name}]'."
        ) from None
