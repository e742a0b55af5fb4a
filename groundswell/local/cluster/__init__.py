"""A look-alike of a Kubernetes cluster."""

from groundswell.local.cluster.service import ClusterLookalike

__all__ = ["ClusterLookalike"]
