"""A real Kubernetes API server, where the look-alike of `local/cluster` is not to be taken at its word."""
