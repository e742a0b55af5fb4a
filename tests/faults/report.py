"""What each test tried, for the end of the run: schedules, faults injected, violations."""

LINES: list[str] = []


def tell(what: str, *, schedules: int, faults: int, violations: int = 0, more: str = "") -> None:
    """A line in the terminal's summary. A test that found a violation has failed before it tells a 0 here."""
    line = f"{what}: {schedules} schedules tried, {faults} faults injected, {violations} violations"
    LINES.append(f"{line} ({more})" if more else line)
