"""Generators of summaries: models in this process, and services elsewhere."""

import querygist  # noqa: F401  before OpenVINO: keeps its usage statistics here
