r"""Keys that Azure Tables takes, in the order of the originals.

Azure refuses `/ \ # ?` and control characters in keys, has trouble with `%`, and sorts by UTF-16 code unit. So
every UTF-8 byte of a key becomes a fixed piece of plain ASCII, and no piece is the beginning of another. That makes
the encoding reversible, keeps the code-point order (UTF-8 has it), and keeps prefixes: `a` begins `b` exactly when
`encode(a)` begins `encode(b)`. Most characters stand for themselves; a reference such as `team/app:1.0` becomes
`team._app:1..0`, which a person can still read.
"""

import re

_HEX_BELOW = range(0x28)  # controls, space and !"#$%&' follow "!", which sorts before what stands for itself
_HEX_ABOVE = range(0x7E, 0x100)  # "~", DEL and every byte of a character beyond ASCII follow "~", which sorts last
_PAIRS = {".": "..", "/": "._", ">": ">.", "?": ">_", "[": "[.", "\\": "[_"}
# A refused character and its neighbour below share that neighbour as lead, so that both keep their place.


def _pieces() -> dict[int, str]:
    pieces = {byte: chr(byte) for byte in range(0x100)}
    pieces |= {byte: f"!{byte:02x}" for byte in _HEX_BELOW}
    pieces |= {byte: f"~{byte:02x}" for byte in _HEX_ABOVE}
    return pieces | {ord(character): piece for character, piece in _PAIRS.items()}


_PIECES = _pieces()
_BYTES = {piece: byte for byte, piece in _PIECES.items()}
_PIECE = re.compile(r"[!~]..|[.>\[].|.", re.DOTALL)
_PAST_EVERY_PIECE = "~~"  # sorts after "~ff", the last piece


def encode(key: str) -> str:
    """`key` as an Azure Tables key."""
    return key.encode().decode("latin-1").translate(_PIECES)


def decode(encoded: str) -> str:
    """What `encode` was given. Raises ValueError for a key that it did not make."""
    try:
        return bytes(_BYTES[piece] for piece in _PIECE.findall(encoded)).decode()
    except (KeyError, UnicodeDecodeError) as exc:
        raise ValueError(f"{encoded!r} is not a key that Groundswell wrote") from exc


def encoded_end(prefix: str) -> str:
    """An encoded key that sorts after every key beginning with `prefix`, and before all that come after those."""
    return encode(prefix) + _PAST_EVERY_PIECE


def end(prefix: str) -> str | None:
    """The least text that sorts, by code point, after all that begin with `prefix`; None when there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)  # surrogates are not text
