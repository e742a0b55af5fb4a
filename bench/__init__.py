"""What is measured, each figure against a named baseline of the same run. `make bench` runs it."""
