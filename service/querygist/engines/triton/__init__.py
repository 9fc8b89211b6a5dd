"""Triton Inference Servers over gRPC: token ids in, token ids out."""
