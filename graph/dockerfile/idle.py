"""Rows that can be passed over at a glance.

Most of a Dockerfile is commands, comments and settings in their plainest forms, which are sound and say nothing of
images. One regular expression finds runs of them; what is only a little odd is left for the lexer to read in full.
"""

import re
from functools import lru_cache

IDLE = "idle rows"
"""The kind of a line that stands for rows passed over; no instruction has a name with a blank in it."""


@lru_cache(maxsize=2)
def idle_rows(escape: str) -> re.Pattern[str]:
    """Rows that can be passed over: blank ones, comments, and instructions in their plainest forms."""
    end = re.escape(escape)
    gap = rf"[ ]++(?:{end}[ \t]*+\r*+\n[ \t]*+(?=[!\"$-~]))?+"
    value = r"""(?:[!#%&(-\[\]-_a-~]++|\$[A-Za-z_]\w*+|\$\{[A-Za-z_]\w*+\}|"[^"\\`$\n]*+")*+"""
    owner = rf"(?:{gap}--link)?+(?:{gap}--chown=[\w:.-]++)?+"
    return re.compile(
        rf"""(?:
            [ \t]*+ (?:
                (?:\#[^\n]*+)?
                | (?i:run|cmd|entrypoint)[ ]++ (?!--|\[) (?=[!-~]) (?![<{end}]) (?:
                    [^\n<{end}]++
                    | <(?![<{end}])
                    | {end}[ \t]*+\r*+\n (?:[ \t]*+(?:\#[^\n]*+|\r)?\n)*+ (?=[ \t]*[!-~])
                    | {end}(?![ \t\r\n{end}])
                )++
                | (?i:run|cmd|entrypoint)[ ]++ \["[^"\\\n]*+"(?:,[ ]*+"[^"\\\n]*+")*+\]
                | (?i:copy|add) {owner} (?:{gap}(?!//)[\w.*/][\w.*/-]*+){{2,}}+
                | (?i:env) (?:{gap}\w++={value})++
                | (?i:arg) (?:{gap}\w++(?:={value})?+)++
                | (?i:workdir)[ ]++(?!//)/[\w./-]*+
                | (?i:label) (?:{gap}[\w.][\w.-]*+=(?:"[^"\\$`\n]*+"|[\w./:-]++))++
                | (?i:expose) (?:{gap}[0-9]{{1,4}}+(?:/tcp|/udp)?)++
                | (?i:user)[ ]++[\w.:][\w.:-]*+
            ) [ \t]*+ \r*+ (?:\n|\Z)
        )*+""",
        re.VERBOSE | re.ASCII,
    )
