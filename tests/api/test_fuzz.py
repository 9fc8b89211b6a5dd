"""Requests made up from the API's own description.

Whatever is sent, the answer is one the description names, in the shape it names, and never a 5xx of ours.
"""

import os

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from querygist.api.app import openapi_document
from tests.conftest import Live

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "80"))
"""Of each operation; the phase of edge cases comes on top."""

schema = schemathesis.openapi.from_dict(openapi_document()).include(path_regex="^/(summarize|livez|readyz)")


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_described(case: schemathesis.Case, fake_server: Live) -> None:
    case.call_and_validate(base_url=fake_server.url, checks=CHECKS)
