"""PromQL expressions that objectives, rules and dashboards are made of."""


def rate(counter: str, window: str, by: str = "") -> str:
    """Return a counter's growth a second over `window` (such as 5m): all series together, or by these labels."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({counter}[{window}]))"


def ratio(part: str, whole: str) -> str:
    """Return the share that `part` is of `whole`; NaN where there is nothing."""
    return f"{part}\n/\n{whole}"


def quantile(share: float, histogram: str, window: str, by: str = "le") -> str:
    """Return a quantile of a histogram's buckets over `window`; `by` has `le` among its labels."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', window, by)})"
