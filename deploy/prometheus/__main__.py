"""`python -m deploy.prometheus` writes rules/recording.yml and slo.yml; operations.yml there is written by hand."""

from pathlib import Path

import yaml

from deploy.prometheus import burn_rate_alerts, recording_rules
from deploy.prometheus.recording_rules import Groups

FOLDER = Path(__file__).parent / "rules"

HEAD = "# Made by `python -m deploy.prometheus`, numbers from deploy/objectives.py; a test compares. Do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines stay so."""


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _string)


def _text(groups: Groups) -> str:
    document = {"groups": [{"name": name, "rules": rules} for name, rules in groups.items()]}
    return HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)


FILES = {"recording.yml": _text(recording_rules.groups()), "slo.yml": _text(burn_rate_alerts.groups())}
"""Every generated rule file's name and text."""


if __name__ == "__main__":
    for name, text in FILES.items():
        (FOLDER / name).write_text(text)
        print(FOLDER / name)
