"""Acceptance of a GPU: `accept.sh` builds, serves and measures the engines in the pinned container, and judges them."""
