"""Closed forms of queueing theory that the simulation is checked against. Poisson arrivals, first come, first served.

After Kleinrock, "Queueing Systems" I (1975), and Gross et al., "Fundamentals of Queueing Theory" (2008).
Rates are requests a second, times are seconds.
"""

from math import inf


def utilization(rate: float, service: float, servers: int = 1) -> float:
    """The share of time a server is busy; from 1 on the queue grows without end."""
    return rate * service / servers


def mg1_wait(rate: float, service: float, variance: float) -> float:
    """Mean time in the queue of M/G/1 (Pollaczek-Khinchine); `service` and `variance` are of the service time."""
    load = utilization(rate, service)
    return rate * (variance + service**2) / (2 * (1 - load)) if load < 1 else inf


def md1_wait(rate: float, service: float) -> float:
    """Mean time in the queue when every service takes the same time."""
    return mg1_wait(rate, service, 0.0)


def mm1_wait(rate: float, service: float) -> float:
    """Mean time in the queue when service times are exponential."""
    return mg1_wait(rate, service, service**2)


def mmc_wait(rate: float, service: float, servers: int) -> float:
    """Mean time in the queue of M/M/c: Erlang's C over the rate at which the queue shrinks.

    Erlang's B by its recursion B(c) = aB(c-1) / (c + aB(c-1)), which does not overflow.
    """
    load = utilization(rate, service, servers)
    if load >= 1:
        return inf
    offered, blocked = rate * service, 1.0
    for places in range(1, servers + 1):
        blocked = offered * blocked / (places + offered * blocked)
    waits = blocked / (1 - load * (1 - blocked))
    return waits * service / (servers * (1 - load))
