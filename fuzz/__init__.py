"""Fuzzing of what reads other people's bytes: `make fuzz`, and its corpus as ordinary tests (tests/unit/fuzz)."""
