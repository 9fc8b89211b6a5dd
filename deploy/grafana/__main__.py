"""`python -m deploy.grafana` writes dashboards/*.json."""

import json
from pathlib import Path

from deploy.grafana.engine_dashboard import ENGINE
from deploy.grafana.overview_dashboard import OVERVIEW

FOLDER = Path(__file__).parent / "dashboards"

FILES = {
    f"{name}.json": json.dumps(made, indent=2) + "\n" for name, made in (("overview", OVERVIEW), ("engine", ENGINE))
}
"""Every dashboard's file name and text."""


if __name__ == "__main__":
    for name, text in FILES.items():
        (FOLDER / name).write_text(text)
        print(FOLDER / name)
