"""Tells people, where they are, what needs them: what failed, what waits for them, what runs and is not good."""
