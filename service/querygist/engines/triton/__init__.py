"""Triton Inference EndpointPool over gRPC: token ids in, token ids out."""
