"""Deployment: containers, Kubernetes, Prometheus rules, Grafana dashboards, and the acceptance of a GPU."""
