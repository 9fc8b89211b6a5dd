"""Workers: child processes that compute for the gateway, and what starts, watches and replaces them."""
