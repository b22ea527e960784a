"""The description of all routes, held against the service by schemathesis: what it says is what is done."""

import json

import pytest

from serving.client import listening, made_up

schemathesis = pytest.importorskip(
    "schemathesis", reason="schemathesis is not installed (the extra 'clients')"
)

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from schemathesis import checks  # noqa: E402

EXAMPLES = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
checks.load_all_checks()
HELD = checks.CHECKS.get_by_names(  # not that all else is refused: `use_activation: 1` is answered
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)

pytestmark = pytest.mark.slow


@schemathesis.serializer("application/x-ndjson")
def _line(context, value):
    return json.dumps(value).encode()


def _operations(port):
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method, operation.path) != ("get", "/v1/stream"):  # it never ends
            yield operation


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=str)
def test_no_request_that_can_be_made_up_is_a_fault_or_is_answered_otherwise_than_described(mode):
    with listening(made_up()) as port:
        operations = list(_operations(port))
        assert len(operations) > 20
        for operation in operations:
            if mode == schemathesis.GenerationMode.NEGATIVE and operation.method == "get":
                continue  # whatever is sent with it

            @EXAMPLES
            @given(operation.as_strategy(generation_mode=mode))
            def holds(case):
                case.call_and_validate(checks=HELD)

            holds()
