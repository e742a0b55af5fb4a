"""Workloads that are moved by a commit: the digest is written to a file in git, which Flux or Argo CD follow."""
