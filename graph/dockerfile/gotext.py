"""White space and quoting as Go has them: BuildKit's rules lean on both, and Python's differ in the corners."""

# unicode.IsSpace; Python's own idea of white space has U+001C to U+001F in it too.
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_LONGEST = 1000
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r"}
_ESCAPES |= {"\t": "\\t", "\v": "\\v"}


def quote(text: str) -> str:
    """`text` in double quotes on one line, as Go's %q; cut where it is too long for a message."""
    cut = "..." if len(text) > _LONGEST else ""
    return '"' + "".join(map(_shown, text[:_LONGEST])) + cut + '"'


def _shown(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    number = ord(char)
    if number < 0x80:
        return f"\\x{number:02x}"
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no UTF-8, kept by `surrogateescape`
        return f"\\x{number - 0xDC00:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
