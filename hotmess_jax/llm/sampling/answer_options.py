"""Options as replies name them: by label, by text, or by both."""

import re
from collections.abc import Sequence

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # "（Ｂ）：" as "(B):"
_SAME = str.maketrans({"。": ". ", "、": ", ", "،": ",", "؟": "?", "−": "-", "‐": "-", "\xa0": " "})
_UNSEEN = re.compile(
    r"<\|[^|>\n]*\|>|</s>|<eos>|<end_of_turn>|[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
# Chinese and Arabic letters are letters to `\w` and `\b` too, and stand beside "B" without a space.
_OTHER = r"[\u0600-\u06ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_BESIDE = re.compile(rf"(?<={_OTHER})(?=[A-Za-z(])|(?<=[A-Za-z)])(?={_OTHER})")

_INSIDE = r"[^{}]*"
for _ in range(4):
    _INSIDE = rf"(?:[^{{}}]|\{{{_INSIDE}\}})*"
BOXED = rf"\\f?boxed\s*\{{({_INSIDE})\}}"
_STYLED = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|boldsymbol|operatorname)\s*\{([^{}]*)\}"
)
_SPACES = re.compile(r"\\(?:displaystyle|quad|qquad|[,;:! ])|~")

# What may stand between "the answer is" and the answer.
_BEFORE = re.compile(
    r"\A(?:(?:therefore|thus|hence|then|clearly|probably|(?:most\s+)?likely|definitely|certainly|indeed|simply|just|"
    r"obviously|undoubtedly|actually|surely|also|still|in\s+fact|of\s+course|given\s+by|"
    r"por\s+(?:lo\s+)?tanto|entonces|daher|somit|eindeutig|donc|clairement|not\s+\S+,?\s+but(?:\s+rather)?)\b,?\s*)+",
    re.IGNORECASE,
)
_NOUN = (
    r"(?:option|choice|answer|letter|alternative|opción|respuesta|alternativa|letra|antwort|réponse|choix|proposition"
    r"|lettre|选项|選項|答案|الخيار|الاختيار|الإجابة)"
)
_PREFIX = re.compile(
    rf"\A(?:(?:the|la|le|el|die|der|das|l['’])\s*)?(?:{_NOUN}\s*[:：]?\s*)?(?=\(?[A-Za-z](?![\w'’]))",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?P<open>[(\[]?)\s?(?P<letter>[A-Za-z])(?:\s?(?P<close>[)\]]))?(?![\w'’+#°^]|-\w|\.\w)(?P<rest>.*)",
    re.DOTALL,
)
# "A or B", "A and C", "A/B", "A, B"; but "B, a type of", "B, I think", "B, C is wrong".
_AND = r"(?:,|/|&|\band\b|\by\b|\bet\b|\bund\b|和|و)"
_OR = r"(?:,?\s*(?:\bor\b|\bo\b|\bou\b|\boder\b|或|أو))"
_MAYBE = r"(?:(?:perhaps|maybe|possibly|probably|even|also|else|or|and)\s+)*"
_LETTER = r"(?:\(([A-Za-z])\)|([B-HJ-Z])|([AI])(?=\W*(?:$|[.,;:!?)\n])|\s+(?:are|both)\b))(?![\w'’])"
_ANOTHER = re.compile(
    rf"\s*(?:{_OR}\s*{_MAYBE}(?:{_NOUN}\s+)?{_LETTER}"
    rf"|{_AND}\s*{_MAYBE}(?:{_NOUN}\s+)?{_LETTER}(?!\s+(?:is|was|would|cannot|can|has|does)\b))",
)
_OR_IT_IS = re.compile(
    r"[^.\n]*\b(?:could|might|may|can)\s+(?:also\s+)?be\s+(?:\w+\s+)?\(?([A-Z])\)?(?![\w'’])"
)
_EITHER = re.compile(r"(?:either|both|between|neither)\b", re.IGNORECASE)
# Only so does a sentence go on after a label that it has stated.
_GOES_ON = re.compile(
    r"\s+(?:because|since|as|for|given|due|which|based|with|rather|instead|porque|ya\s+que|weil|da|car|parce|因为|لأن)"
    r"(?!\w)|,\s+(?:because|since)\b|\s+[-—–]\s+(?=[^\W\d]{2})|[—–](?=[^\W\d]{2})",
    re.IGNORECASE,
)
# "(A) is wrong" is about an option, and states none; "B if the pressure is constant" neither.
_ABOUT = re.compile(
    r"\s*(?:is|was|seems|looks|would|could|might|may|can|cannot|does|has|isn['’]t|if|unless|when|provided|only)\b"
)
_NO = re.compile(
    r"[\s:,;(–—-]*(?:(?:but|which|that|it|this)\s+)*(?:(?:is|was|would\s+be)\s+)?"
    r"(?:no|not\s+(?:true|correct|right|the\s+(?:answer|case))|wrong|incorrect|false|unlikely|perhaps|maybe|possibl[ey]"
    r"|falsch|falso|faux|incorrect[ao]|错误|خطأ)\b",
    re.IGNORECASE,
)
# Where an option's text may end inside a sentence.
_END = re.compile(
    r"[.,;:!?](?=\s|$)|[)\"”»]|\s+\(|\s+(?:because|since|as|which|where|who|given|not|rather)\b|\s[-—–]\s(?=[^\W\d]{2})|\n"
)
_NEXT = re.compile(rf"\s*(?:{_OR}|{_AND})\s*{_MAYBE}")
_SHORT_WORDS = {"no", "ja", "is", "it", "of", "to", "an", "by"}


def plain(text: str) -> str:
    """Return a text without Markdown's emphasis and special tokens, its punctuation as in English."""
    text = _BESIDE.sub(" ", _UNSEEN.sub("", text).translate(_WIDE).translate(_SAME))
    text = re.sub(r"\*+|`+|(?<!\w)_+|_+(?!\w)", "", text)
    # Long runs of nothing would make the rules slow.
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]*\n", "\n", re.sub(r"[ \t]{3,}", "  ", text)))


def bare(content: str) -> str:
    """Return what a frame holds without LaTeX, quotes and surrounding space."""
    content = re.sub(BOXED, r"\1", content.strip())
    content = _SPACES.sub(" ", content)
    for _ in range(3):
        content = _STYLED.sub(r"\1", content)
    content = re.sub(r"\\[()\[\]]|\$", "", content)
    return content.strip().strip("\"'“”‘’«»「」 ").strip()


class Options:
    """Reads labels and options out of what a frame holds."""

    def __init__(self, labels: Sequence[str], texts: Sequence[str]) -> None:
        self.labels = list(labels)
        # No more of a line is read than an option could fill, and a sentence beside it.
        self._longest_text = 40 + max(map(len, texts), default=0)
        self._longest = 500 + 2 * self._longest_text
        # What is written exactly so counts before what only the case or the punctuation tells apart.
        self._keys = [_exact, _without_ends, _without_case]
        self._known: list[dict[str, set[str]]] = [{} for _ in self._keys]
        for known, key in zip(self._known, self._keys, strict=True):
            for label, text in zip(labels, texts, strict=False):
                known.setdefault(key(bare(plain(text))), set()).add(label)

    def label(self, letter: str) -> str | None:
        """Return the label that a letter is, None if it is none."""
        return letter.upper() if letter.upper() in self.labels else None

    def option(self, content: str) -> str | None:
        """Return the label of the option of this text, None where it is none's or several's."""
        if len(content) > self._longest_text:
            return None
        for known, key in zip(self._known, self._keys, strict=True):
            text = key(content)
            if text and (found := known.get(text)):
                return next(iter(found)) if len(found) == 1 else None
        return None

    def read(self, content: str, ends: bool = False) -> str | None:
        """Return the stated label, "" where several are or it is contradicted, None for none.

        With `ends`, the statement has to end where its label or option does.
        """
        content = bare(content[: self._longest])
        if option := self.option(content):
            return option
        content = _BEFORE.sub("", content, count=1)
        if _EITHER.match(content):
            return ""
        named = _PREFIX.sub("", content, count=1)
        found = _LABEL.match(named)
        if found and self.label(found["letter"]):
            return self._labelled(found, ends)
        return self._by_text(content, ends)

    def line(self, line: str) -> str | None:
        """Return the label or option that a line consists of or is headed by, as `read` does."""
        line = bare(line[: self._longest])
        if option := self.option(line):
            return option
        line = _PREFIX.sub("", line, count=1)
        found = _LABEL.match(line)
        if found is None or self.label(found["letter"]) is None:
            return None
        rest, closed = found["rest"], bool(found["close"])
        if found["letter"].islower() and not (found["open"] and closed):
            return None
        marked = closed or rest[:1] in (".", ":")
        if _words(rest) and not self.option(rest.strip(" .:()")):
            if _ABOUT.match(rest) or not (marked or _GOES_ON.match(rest)):
                return None
            # "E. coli", "B. subtilis": no label.
            if not closed and rest[0] == "." and rest[1:].lstrip()[:1].islower():
                return None
        return self.read(line)

    def whole(self, content: str) -> str | None:
        """Return the label or option that is all of what a frame holds, None where it holds more."""
        content = bare(content)
        if len(content) > self._longest:
            return None
        if option := self.option(content):
            return option
        found = _LABEL.fullmatch(_PREFIX.sub("", content, count=1))
        label = found and self.label(found["letter"])
        if found is None or label is None:
            return None
        rest = found["rest"].strip(" .:,;)(-–—")
        return label if not rest or self.option(rest) == label else None

    def _labelled(self, found: re.Match[str], ends: bool) -> str | None:
        label, rest, closed = self.label(found["letter"]), found["rest"], bool(found["close"])
        if re.match(r"\W*\?", rest) or _NO.match(rest):
            return None
        if _ANOTHER.match(rest):
            return None if ends else ""
        if (other := _OR_IT_IS.match(rest)) and self.label(other[1]) not in (None, label):
            return ""
        if not _words(rest):
            return (
                label if re.fullmatch(r"[\W_]*", rest) and not re.match(r"\s*[=+*/<>]", rest) else None
            )
        text = re.sub(r"^[ .:)(,\[]*(?:[-–—]\s+)?[ (]*", "", rest)
        beside = self.option(text.rstrip(" .)]")) or self._by_text(text, ends=False)
        if beside is not None and self.label(beside or " "):
            return label if beside == label else ""
        if found["letter"].islower() and not closed:
            return None
        if _ABOUT.match(rest):
            return None
        if closed and not ends:
            return label
        if _GOES_ON.match(rest):
            return label
        if rest[0] in ".!\n;":
            # "C. elegans"
            return None if re.match(r"\.\s*[a-z]", rest) and not _GOES_ON.match(rest[1:]) else label
        if ends:
            return label if re.match(r",\s*(?:not|because|since)\b", rest) else None
        return label if rest[0] in ",:)]" or rest.startswith(" (") else None

    def _by_text(self, content: str, ends: bool) -> str | None:
        """Return the option that a sentence begins with, the longest."""
        places = [end.start() for end in _END.finditer(content, 0, self._longest_text)]
        for place in reversed(places):
            label = self.option(content[:place])
            if label is None:
                continue
            rest = content[place:]
            if rest[0] == "?" or _NO.match(rest):
                return None
            if (following := _NEXT.match(rest)) and self._by_text(rest[following.end() :] + " ", False):
                return ""
            if following and self.option(rest[following.end() :].strip(" .")):
                return ""
            if named := re.match(rf"\s*[,(]?\s*(?:{_NOUN}\s+)?\(?([A-Z])\)", rest, re.IGNORECASE):
                return label if self.label(named[1]) == label else ""
            if ends and not re.match(r"[.!]|\s+because|\s+since|,\s*(?:not|because|since)\b|\n", rest):
                return None
            return label
        return None


def _words(text: str) -> bool:
    return re.search(r"\w", text) is not None


def _exact(text: str) -> str:
    """Return a text without spacing and a full stop at its end."""
    return " ".join(text.split()).removesuffix(".").strip()


def _without_ends(text: str) -> str:
    """Return a text without punctuation at its ends, but for what mathematics may mean by it.

    A dash before a word and brackets around words go; "-5", "n!" and "(0, 1]" keep theirs.
    """
    text = _exact(text).strip("\"'“”‘’.,;: ")
    text = re.sub(r"^[-–—•]\s+", "", text)
    text = re.sub(r"(?<=[^\W\d]{3})[!?]+$", "", text)
    if wrapped := re.fullmatch(r"[(\[]([^()\[\],]*[^\W\d]{3}[^()\[\],]*)[)\]]", text):
        text = wrapped[1]
    return text.strip()


def _without_case(text: str) -> str:
    """Return a text without the case of its words: symbols such as "Aa" and "meV" keep theirs."""

    def word(match: re.Match[str]) -> str:
        one = match[0]
        usual = one.islower() or one.isupper() or one.istitle()
        return one.lower() if usual and (len(one) > 2 or one.lower() in _SHORT_WORDS) else one

    return re.sub(r"[^\W\d_]+", word, _without_ends(text))
