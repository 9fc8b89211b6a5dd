"""Ports for servers that are about to be started."""

import socket

import pytest

from querygist.errors import ConfigurationError
from querygist.triton_server.ports import claim

HOST = "127.0.0.1"


def test_zeros_become_different_ports_that_are_free() -> None:
    ports = claim([(HOST, 0)] * 5)
    assert len(set(ports)) == 5
    for port in ports:
        socket.create_server((HOST, port)).close()


def test_a_free_port_is_kept() -> None:
    (port,) = claim([(HOST, 0)])
    assert claim([(HOST, port), (HOST, 0)])[0] == port


def test_a_port_that_somebody_listens_on_is_named() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port}: .*in use"):
            claim([(HOST, 0), (HOST, port)])


def test_one_port_for_two_servers_is_refused() -> None:
    (port,) = claim([(HOST, 0)])
    with pytest.raises(ConfigurationError, match=f"port {port}"):
        claim([(HOST, port), ("0.0.0.0", port)])


def test_a_host_that_is_not_ours_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1 port \d+"):
        claim([("192.0.2.1", 0)])
