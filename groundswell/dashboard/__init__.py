"""The dashboard: pages rendered on the server; `functions/http.py` mounts it at /ui (docs/dashboard.md)."""
