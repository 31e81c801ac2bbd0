"""The last number of a text, as answers to problems of arithmetic are compared."""

import re
from fractions import Fraction

_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
# "1,234.5", "1 234" with a narrow space, "3/4", "2 3/4"; a sign that is no dash between two numbers.
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w.)])[-+]\s?[$€£¥]?\s?)?"
    r"(?:(?P<whole>\d+)\s+(?=\d+/\d))?"
    r"(?P<number>\d{1,3}(?:[,\u2009\u202f\u00a0]\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?:\s?/\s?(?P<under>\d+)(?![\d/]))?"
)


def last_number(text: str) -> Fraction | None:
    """Return the last number that a text names, exactly; None where it names none.

    Thousands separators, currency signs, units and the percent sign are left out; fractions, mixed ones
    and LaTeX's too, are divided.
    """
    text = _FRACTION.sub(r" \1/\2", text.replace("−", "-").replace("{,}", ",").replace("\\!", ""))
    found = None
    for match in _NUMBER.finditer(text):
        value = Fraction(re.sub(r"[,\u2009\u202f\u00a0]", "", match["number"]))
        if match["under"]:
            if not int(match["under"]):
                continue
            value /= int(match["under"])
        if match["whole"]:
            value += int(match["whole"])
        found = -value if match["sign"] and "-" in match["sign"] else value
    return found
