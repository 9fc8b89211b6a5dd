"""Grafana: dashboards made from code, and its provisioning."""
