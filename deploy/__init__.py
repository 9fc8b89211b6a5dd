"""Deployment: containers, Kubernetes, Prometheus, Grafana, and the acceptance of a GPU."""
