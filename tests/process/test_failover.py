"""A real cluster: two gateways before two real Tritons, one of each killed under load."""

from pathlib import Path

import pytest
from rich.console import Console

from loadtest.servers import cluster
from loadtest.sweeps import failover
from querygist import json_files
from querygist.evaluation.rows import rows

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("triton_installation")]


async def test_a_client_loses_at_most_what_the_killed_servers_held(tmp_path: Path) -> None:
    async with cluster(2, tmp_path) as servers:
        found = await failover.run(servers, rows(), rate=0.5, seconds=45, seed=1, console=Console(quiet=True))
    assert [(event.server, event.what) for event in found.events] == [
        ("Triton 1", "killed"),
        ("Triton 1", "is back"),
        ("Gateway 1", "killed"),
        ("Gateway 1", "is back"),
    ]
    assert len(found.requests) > 10
    assert found.not_generated <= found.held
    killed = found.events[2].moment
    assert not [one for one in found.requests if one.gateway == 0 and killed < one.arrival < found.events[3].moment]
    page = failover.write(found, tmp_path / "report")
    assert json_files.load(failover.Failover, tmp_path / "report" / "failover.json", "failover run") == found
    assert "none beyond these were hurt" in page.read_text()
