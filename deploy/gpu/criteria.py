"""Every number that decides whether an acceptance is green, and the engines it is about."""

TARGET_MS, TARGET_RATE = 55.0, 150.0
"""QDGenSumRT's operating point: less than 55 ms on average (arXiv 2508.20559), 50,000 requests a second on 334 L20s."""

MAX_DIFFERING = 0.05
"""Share of rows whose greedy output may depend on how it was decoded: FP8 kernels round by the shape of a pass, and a
near tie may fall the other way. In fp32 it is 0 (tests of training/lookahead/decoding.py).
"""

MAX_ROUGE2_LOSS = 1.0
"""Points of ROUGE-2 F1 x 100 that FP8 may cost against FP16, on the mean over all rows."""

MAX_SEND_LAG_MS = 5.0
"""Requests that leave later than this at the 99th percentile measure the client, and not the server."""

SERVED, PLAIN, SERVED_KV16, PLAIN_KV16, FP16 = "lookahead", "plain", "lookahead-kv16", "plain-kv16", "fp16"
"""The engines: what is served; without lookahead; both with keys and values in FP16; all FP16, without lookahead."""

TIMED = (SERVED, PLAIN, SERVED_KV16, PLAIN_KV16)
"""The engines whose latency is measured."""

SEED = 7
