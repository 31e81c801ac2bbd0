"""The last number of a text, as answers to problems of arithmetic are compared."""

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction

_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
# ½, ¾, ⅞: of the characters that are numbers, these alone are written with a stroke.
_VULGAR = re.compile("[¼-¾⅐-⅞↉]")
_CURRENCY = r"(?:USD|EUR|GBP|CAD|AUD|INR|JPY|CNY|RMB|CHF|Rs\.?)"
# What stands between thousands; a plain space may stand between two numbers.
_APART = ",\u2009\u202f\u00a0'’"
# "1,234.5", "3/4", "2 3/4", "1.5e3", "10^3"; a sign that is no dash between two numbers and no bullet; and no
# digit of a name or a unit, as in "m2", "cm^2" and "CO2".
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w.)])[-+]\\?[$€£¥₹]?)?"
    rf"(?:(?<![A-Za-z]){_CURRENCY}\s?|(?<![A-Za-z^_\d])(?<!\d\.)(?<!\^\{{)(?<!_\{{))"
    r"(?:(?P<whole>\d+)\s+(?=\d+\s?/\s?\d))?"
    rf"(?P<number>\d{{1,3}}(?:[{_APART}]\d{{3}})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\w)\.\d+)"
    r"(?P<exponent>[eE][-+]?\d{1,3}(?![\w.]))?"
    r"(?:\^\{?(?P<power>\d{1,2})(?!\d))?"
    r"(?:\s?/\s?(?P<under>\d+)(?![\d/]))?"
)


def last_number(text: str) -> Fraction | None:
    """Return the last number that a text names, exactly; None where it names none.

    Thousands separators, currency signs, units and the percent sign are left out; fractions, mixed ones
    and LaTeX's too, are divided.
    """
    text = text.replace("−", "-").replace("{,}", ",").replace("\\!", "").replace("\\,", "\u2009")
    text = re.sub(r"(?<=\d)\s*(?=\\[dt]?frac|[¼-¾⅐-⅞↉])", " ", text)
    text = _FRACTION.sub(r"\1/\2", text)
    text = _VULGAR.sub(lambda one: unicodedata.normalize("NFKC", one[0]).replace("⁄", "/"), text)
    found = None
    for match in _NUMBER.finditer(text):
        # By way of a decimal, since whole numbers of thousands of digits are refused as text.
        value = Fraction(
            Decimal(re.sub(f"[{_APART}]", "", match["number"]) + (match["exponent"] or ""))
        )
        if match["power"]:
            value **= int(match["power"])
        if match["under"]:
            under = Fraction(Decimal(match["under"]))
            if not under:
                continue
            value /= under
        if match["whole"]:
            value += Fraction(Decimal(match["whole"]))
        found = -value if match["sign"] and "-" in match["sign"] else value
    return found
