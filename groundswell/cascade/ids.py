"""Ids of cascades: short, and in the order of time."""

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH = 1_767_225_600  # 2026-01-01; ids count seconds from here


def new_id(at: float) -> str:
    """A short id that sorts by time: seconds, then chance ([0-9a-z], 10 characters)."""
    number, digits = max(0, int(at) - _EPOCH), []
    for _ in range(6):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits)) + "".join(secrets.choice(_ALPHABET) for _ in range(4))


def began(cascade: str) -> float:
    """When a cascade got its id, to the second."""
    number = 0
    for letter in cascade[:6]:
        number = number * 32 + _ALPHABET.index(letter)
    return float(_EPOCH + number)
