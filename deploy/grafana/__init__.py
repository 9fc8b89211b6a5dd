"""Grafana: its dashboards as JSON, how they are provisioned, and a picture of them without it."""
