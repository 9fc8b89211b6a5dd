"""`python -m deploy.prometheus` writes rules/*.yml."""

from pathlib import Path

import yaml

from deploy.prometheus import availability, burn_rate, recording
from deploy.prometheus.rule import Rule

RULES = Path(__file__).parent / "rules"

HEAD = "# Made by `python -m deploy.prometheus`, numbers from deploy/objectives.py; a test compares. Do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines stay so."""


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _string)


def files() -> dict[str, str]:
    """Every rule file's name and text."""
    made: dict[str, list[Rule]] = {
        "recording.yml": recording.groups(),
        "slo.yml": burn_rate.groups(),
        "operations.yml": availability.groups(),
    }
    return {
        name: HEAD + yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=1000)
        for name, groups in made.items()
    }


if __name__ == "__main__":
    for name, text in files().items():
        (RULES / name).write_text(text)
        print(RULES / name)
