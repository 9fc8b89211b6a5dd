"""Alerts on what is broken now, whatever the budgets say: something is down."""

from deploy.prometheus.rule import Rule, alert, group


def groups() -> list[Rule]:
    """The groups of `rules/operations.yml`."""
    return [
        group(
            "querygist_operations",
            [
                alert(
                    "QuerygistGatewaysMissing",
                    'absent(up{job="gateway"} == 1)',
                    after="2m",
                    severity="page",
                    summary="Prometheus reaches no gateway",
                    description="No target of the job gateway has answered a scrape for two minutes.",
                    runbook="gateways-missing",
                ),
                alert(
                    "QuerygistTargetDown",
                    'up{job=~"gateway|triton"} == 0',
                    after="5m",
                    severity="ticket",
                    summary="{{ $labels.job }} {{ $labels.instance }} is down",
                    description="It is in service discovery and has not answered a scrape for five minutes.",
                    runbook="target-down",
                ),
                alert(
                    "QuerygistEnginesDown",
                    "max(querygist_engine_up) == 0",
                    after="1m",
                    severity="page",
                    summary="No gateway has an engine that answers",
                    description="Every gateway's last canary inference failed: all answers are extracts or errors.",
                    runbook="engine-down",
                ),
                alert(
                    "QuerygistEngineDown",
                    "querygist_engine_up == 0",
                    after="5m",
                    severity="ticket",
                    summary="The engine of gateway {{ $labels.instance }} does not answer",
                    description="Its canary inference has failed for five minutes; load balancers should avoid it.",
                    runbook="engine-down",
                ),
                alert(
                    "QuerygistTritonUnreachable",
                    "max by (instance) (querygist_triton_endpoint_up) == 0",
                    after="1m",
                    severity="page",
                    summary="Gateway {{ $labels.instance }} has no Triton server that is well",
                    description="Every server it knows failed its canary inference or does not answer.",
                    runbook="triton-down",
                ),
                alert(
                    "QuerygistTritonEndpointDown",
                    "min by (endpoint) (querygist_triton_endpoint_up) == 0",
                    after="5m",
                    severity="ticket",
                    summary="Triton server {{ $labels.endpoint }} is down",
                    description="A gateway has sent it nothing for five minutes; the others carry its load.",
                    runbook="triton-down",
                ),
            ],
        )
    ]
