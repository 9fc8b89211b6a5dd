"""`python -m deploy.grafana` writes dashboards/*.json."""

import json
from pathlib import Path

from deploy.grafana.engine_dashboard import engine
from deploy.grafana.overview_dashboard import overview

DASHBOARDS = Path(__file__).parent / "dashboards"


def files() -> dict[str, str]:
    """Return every dashboard's file name and text."""
    made = {"overview.json": overview(), "engine.json": engine()}
    return {name: json.dumps(dashboard, indent=2) + "\n" for name, dashboard in made.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (DASHBOARDS / name).write_text(text)
        print(DASHBOARDS / name)
