"""How replies frame what they answer, the most explicit kind first, in six languages."""

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from hotmess_jax.llm.sampling.answer_options import BOXED, Options, bare


class Kind(IntEnum):
    """What a statement is framed by; a smaller number counts before a larger."""

    TAG = 0
    """<answer>B</answer>"""
    FINAL = 1
    """A box, "Final answer: B", "#### B"."""
    LINE = 2
    """The line that prompts ask for, "Answer: B", and its like in JSON."""
    PROSE = 3
    """"The answer is B", "I choose B", "B is correct"."""
    CONCLUSION = 4
    """"Thus, B." and "It's B." in the first or the last line."""
    ALONE = 5
    """A label or an option that stands alone, at the beginning or at the end."""


class Statement(NamedTuple):
    """A label that a reply states, "" for several at once, and where."""

    kind: Kind
    label: str
    start: int
    end: int


def _any(*words: str) -> str:
    return "(?:" + "|".join(words) + ")"


_ANSWER = _any(
    r"answer(?:\s+(?:choice|option|letter))?", "respuesta", "solución", "antwort", "lösung", "réponse", "resposta",
    "risposta", "ответ", "答案", "答え", "正解", "정답", "الإجابة", "الاجابة", "إجابة", "إجابتي", "الجواب", "جوابي",
)  # fmt: skip
_CHOICE = _any(
    "option", "choice", "letter", "alternative", "selection", "pick", "opción", "alternativa", "letra", "antwortmöglichkeit",
    "choix", "proposition", "选项", "選項", "الخيار", "الاختيار",
)  # fmt: skip
_THE = _any("the", "my", "our", "la", "mi", "el", "die", "meine", "ma", "notre", "le")
_LAST = _any(
    "final", "revised", "corrected", "updated", "definitive", "ultimate", "endgültige", "finale", "korrigierte",
    "definitive", "最终", "最終", "最后", "修正后的",
)  # fmt: skip
_LAST_AFTER = _any(
    "final", "definitiva", "corregida", "finale", "définitive", "corrigée", "النهائية", "النهائي"
)
_GOOD = _any(
    r"(?:single|only|most)?\s*(?:correct|right|best|likely|accurate|appropriate|suitable|plausible|probable|true|actual"
    r"|proper|intended|expected)",
    "bonne", "meilleure", "mejor", "richtige", "korrekte", "beste", "wahrscheinlichste", "正确的?", "正確的?", "最佳的?",
    "标准", "我的",
)  # fmt: skip
_GOOD_AFTER = _any("correct[ae]", "adecuada", "exacte", "الصحيحة", "الصحيح", "الصواب")
_IS = _any(
    r"\s+(?:is|would\s+be|must\s+(?:therefore\s+|then\s+|thus\s+)?be|should\s+be|has\s+to\s+be|will\s+be|es|sería|debe\s+ser|ist|wäre|lautet|est|serait"
    r"|هي|هو)\b", r"\s*(?:应该|應該)?(?:是|为|為|应为|即)",
)  # fmt: skip
_COLON = r"\s*[:=]"
_SO = _any(
    "so", "thus", "therefore", "hence", "consequently", "ergo", "∴", r"in\s+conclusion", r"por\s+(?:lo\s+)?tanto", "así que",
    "daher", "folglich", "somit", "donc", "ainsi", "因此", "所以", "综上所述?", "故", "إذن", "لذلك", "وبالتالي",
)  # fmt: skip
_THEN = rf"(?:(?:[,\s]+(?:{_SO}|then|here|based|given|in\s+this\s+case)\b[^.\n:;?!]{{0,60}}?,?)|\s+(?:here|to|for|of|among|from|in)\b[^.,;:\n?!]{{0,80}}?)?"
# The rest of the line, which is not used up: another statement may follow on it.
_REST = r"\s*[:=]?\s*(?=(?P<rest>[^\n]+))"
_HERE = r"(?:^[^\w\n]*|(?<=[.!?:;]\s)[^\w\n]*)"
_FLAGS = re.IGNORECASE | re.MULTILINE
_FINAL_ANSWER = rf"(?:{_LAST}\s*(?:{_GOOD}\s*)?(?:{_ANSWER}|{_CHOICE})|{_ANSWER}\s+(?:{_GOOD_AFTER}\s+)?{_LAST_AFTER})"
# Where a word begins: no other place has to be tried.
_WORD = r"(?<![A-Za-zÀ-ɏ])(?=\w)"
_GOOD_ANSWER = rf"{_WORD}(?:{_THE}\s+)?(?:{_GOOD}\s*)*{_ANSWER}(?:\s+{_GOOD_AFTER})*"

_RULES = [
    (Kind.FINAL, re.compile(BOXED.replace("(", "(?P<rest>", 1), _FLAGS)),
    (Kind.FINAL, re.compile(rf"{_WORD}(?:{_THE}\s+)?{_FINAL_ANSWER}(?:{_IS}|{_COLON}){_REST}", _FLAGS)),
    (Kind.FINAL, re.compile(rf"^[^\w\n]*{_FINAL_ANSWER}[^\w\n]*\n\s*(?=(?P<rest>[^\n]+))", _FLAGS)),
    (Kind.FINAL, re.compile(rf"^\s*####{_REST}", _FLAGS)),
    (
        Kind.FINAL,
        re.compile(rf"^[^\w\n]*(?:correction|corrección|korrektur|更正|تصحيح)\s*:{_REST}", _FLAGS),
    ),
    (
        Kind.LINE,
        re.compile(
            rf"{_HERE}(?:{_SO},?\s*)?{_GOOD_ANSWER}(?:\s*\([^)\n]*\))?(?:{_IS})?{_COLON}{_REST}", _FLAGS
        ),
    ),
    (
        Kind.LINE,
        re.compile(
            rf"{_HERE}(?:{_SO},?\s*)?(?:{_THE}\s+)?(?:(?:{_GOOD}|my)\s+{_CHOICE}|{_CHOICE}\s+{_GOOD_AFTER}){_COLON}{_REST}",
            _FLAGS,
        ),
    ),
    (
        Kind.LINE,
        re.compile(rf"^[^\w\n]*(?:{_GOOD}\s*)?{_ANSWER}[^\w\n]*\n\s*(?=(?P<rest>[^\n]+))", _FLAGS),
    ),
    (
        Kind.LINE,
        re.compile(
            r"[\"'](?:(?:final|correct|selected|chosen|my|best)_?)?(?:answer|choice|option|letter|selection)"
            r"(?:_?(?:letter|choice|option|label))?[\"']\s*:\s*"
            r"(?P<rest>\"[^\"\n]*\"|'[^'\n]*'|\[[^\]]*\]|-?\d[\d.]*)",
            _FLAGS,
        ),
    ),
    (Kind.LINE, re.compile(rf"^[^\w\n]*故?(?:应|應)?选择?\s*:{_REST}", _FLAGS)),
    (Kind.PROSE, re.compile(rf"{_GOOD_ANSWER}{_THEN}(?:{_IS}|{_COLON}){_REST}", _FLAGS)),
    (
        Kind.PROSE,
        re.compile(
            rf"{_WORD}(?:{_THE}\s+)?(?:(?:{_GOOD}|my|mi|meine|mon)\s*{_CHOICE}|{_CHOICE}\s+{_GOOD_AFTER}){_THEN}(?:{_IS}|{_COLON}){_REST}",
            _FLAGS,
        ),
    ),
    (
        Kind.PROSE,
        re.compile(
            r"\bI(?:['’](?:d|ll|m)|\s+(?:would|will|am|shall))?(?:\s+(?:therefore|thus|then|still|also|probably|definitely|"
            r"personally|ultimately|finally|have\s+to|must))*\s+(?:choose|pick|select|go\s+with|opt\s+for|choosing|"
            rf"picking|selecting|going\s+with|(?<=would\s)say|(?<=['’]d\s)say){_REST}",
            re.MULTILINE,
        ),
    ),
    (
        Kind.PROSE,
        re.compile(
            r"(?:(?<!\w)(?:(?:yo\s+)?(?:elijo|elegiría|escojo|escogería|selecciono|opto\s+por)"
            r"|ich\s+(?:wähle|nehme|entscheide\s+mich\s+für|würde(?=\s+(?:option\s+)?\(?[A-Z]\)?\s+(?:wählen|nehmen)))"
            r"|je\s+(?:choisis|choisirais|sélectionne|opte\s+pour)"
            r"|س?(?:أختار|اختار))\b"
            r"|(?:应该?|應該?|我|故|题|就|会)\s*(?:选择?|選擇?))" + _REST,
            _FLAGS,
        ),
    ),
    (
        Kind.PROSE,
        re.compile(rf"\b(?:richtig\s+ist|ist\s+die\s+(?:richtige|korrekte)\s+antwort){_REST}", _FLAGS),
    ),
    (
        Kind.CONCLUSION,
        re.compile(
            rf"(?<!\w){_SO}\s*,?\s*(?:(?:it|that)(?:['’]s|\s+is|\s+must\s+be)\s+)?{_REST}", _FLAGS
        ),
    ),
    (
        Kind.CONCLUSION,
        re.compile(
            r"(?<!\w)(?:it(?:['’]s|\s+(?:is|must\s+be|should\s+be|has\s+to\s+be|should\s+have\s+been))"
            r"|(?:leav(?:es|ing)|meant|chang(?:e|ing)\s+(?:my\s+answer|it)\s+to)(?:\s+(?:us\s+with\s+)?(?:only|just))?)\b"
            + _REST,
            _FLAGS,
        ),
    ),
]
# What is said of an option: "B is correct", "Lyon is the right answer".
_PREDICATE = re.compile(
    r"\s+(?:is|must\s+be|has\s+to\s+be)\s+(?:(?:the|indeed|therefore|thus|clearly|definitely|only|most|a)\s+)*"
    r"(?:(?:correct|right|best|(?:most\s+)?(?:accurate|appropriate|suitable|likely))\s+"
    r"(?:answer|option|choice|one|response)|correct|right|answer)"
    r"|\s+es\s+(?:la\s+)?(?:(?:opción|respuesta|alternativa)\s+)?correct[ao]"
    r"|\s+ist\s+(?:die\s+)?(?:richtig|korrekt)(?:e\s+(?:antwort|option|lösung))?"
    r"|\s+est\s+(?:la\s+)?(?:bonne\s+(?:réponse|option)|(?:(?:réponse|option)\s+)?(?:correcte?|exacte?))"
    r"|\s*(?:项|選項|选项)?\s*(?:是|为)?\s*(?:正确|正確|对)的?(?:答案|选项)?"
    r"|\s+(?:هو|هي)\s+(?:(?:الخيار|الإجابة|الجواب)\s+)?(?:الصحيح|الصحيحة)",
    re.IGNORECASE,
)
_PREDICATE_ENDS = re.compile(
    r"\s*(?:$|[.;:!)\n]|,(?!\s*(?:but|though|although|only|if|unless|except|provided|when)\b)|[-–—]\s|[–—]"
    r"|(?:because|since|as|given|here|overall|in\s+this\s+case|and\s+(?:the|all)\s+(?:other|rest)|porque|ya\s+que|weil|da|"
    r"car|parce|因为|لأن)(?!\w))"
)
_SUBJECT = re.compile(
    rf"(?s:.*)(?:[.!?:;,\n—–]|(?<!\w)(?:{_SO}|that|think|believe|say|but|because|dass|que)(?!\w)|^)\s*(?P<subject>[^.!?:;,\n—–]*)$",
    re.IGNORECASE,
)

# What takes a statement back before it is made: in its sentence, or in its clause.
_SUPPOSED = re.compile(
    r"\b(?:if(?!\s+I\s+(?:had|have|were|am|must)\b)|unless|whether|suppos\w*|assum\w*|imagine|pretend|(?<!\bI\s)(?:were|had)|at\s+first|"
    r"initially|first\s+glance|on\s+the\s+surface|naively|wenn|falls|ob|si|au\s+premier\s+abord|a\s+primera\s+vista)\b"
    r"|如果|假如|若|إذا|لو",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|\w+n['’]t|never|no|no\s+one|nobody|none|neither|nor|cannot|hardly|scarcely|unlikely|doubt\w*|den(?:y|ies)|"
    r"disagree\w*|wrong|incorrect\w*|false\w*|untrue|inaccurate|mistak\w*|misleading|irresponsible|refus\w*|declin\w*|"
    r"reject\w*|rul(?:e|es|ed|ing)\s+out|exclud\w*|eliminat\w*|discard\w*|unable|uncertain|unsure|unclear|without|"
    r"might|may|could|can|some|others|many|most\s+(?:people|students|would)|people|students?|someone|somebody|anyone|"
    r"they|he|she|one\s+would|you|(?<!\bI\s)says?|saying|claim\w*|argu\w*|thought|tempt\w*|trap|"
    r"nicht|kein\w*|nie|niemals|falsch\w*|bezweifle|manche|viele|"
    r"nunca|jamás|tampoco|dudo|falso|algunos|muchos|podría|"
    r"ne|n['’]\w+|pas|jamais|faux|doute|certains|pourrait)\b"
    r"|[不非没無无别未否误错]|ليس\w*|لا\b|غير\b|لم\b|لن\b|خطأ",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    rf"(?<!\w)(?:{_SO}|but|aber|sondern|mais|pero|sino|但是?|而是)(?!\w)[,\s]*", re.IGNORECASE
)
_SENTENCE_LENGTH = 1_000
_SENTENCE = re.compile(r"[.!?](?=\s|$)|[;\n]")
_SENTENCE_END = re.compile(r"[.!?](?=[\s\"'”)]|$)|\n")
_JOINED = re.compile(r",\s*(?:(?:and|so|then|now|which|et|y|und)\s+)?$", re.IGNORECASE)

# What takes a statement back after it was made.
_CORRECTING = _any(
    r"wait", r"hold\s+on", r"scratch\s+that", r"strike\s+that", "correction", "edit", "actually", r"sorry", r"apologies",
    r"i\s+apologi[sz]e", r"my\s+apologies", r"oops", r"my\s+(?:mistake|bad)", r"on\s+(?:second|further|closer)\s+\w+",
    r"on\s+reflection", r"(?:upon|after)\s+(?:further|closer|more|re)\W?\w*", r"i\s+(?:made\s+(?:an?|the|some)|misread|was\s+wrong|mixed\s+up|"
    r"need\s+to\s+correct|must\s+correct|take\s+that\s+back|stand\s+corrected|mean)", r"let\s+me\s+(?:correct|reconsider|"
    r"re-?\w*|double|check|verify|think\s+again)", r"looking\s+(?:again|back)", r"re-?reading", r"rechecking", r"hmm+",
    "等等", "等一下", "不对", "更正", "抱歉", "纠正", "修正", "我弄错", "我错", "espera", "corrección", "perdón", "disculpa",
    r"en\s+realidad", r"me\s+equivoqu", "moment", "korrektur", "halt", r"doch\s+nicht", r"ich\s+korrigiere", "entschuldigung",
    "attendez", "pardon", r"en\s+fait", r"je\s+me\s+(?:suis\s+)?(?:trompé|corrige)", "rectification", "تصحيح", "عذرا", "انتظر",
    r"في\s+الواقع",
)  # fmt: skip
_OH = r"(?:(?:but|oh|no|hmm+|ah|oh\s+no|and|well)[,.\s—–-]+)*"
_CORRECTED_LINE = re.compile(rf"^[^\w\n]*{_OH}{_CORRECTING}(?![A-Za-z])", _FLAGS)
_TAKEN_BACK = re.compile(
    rf"(?:[.!?…—–;,(-]\s*|\n[^\w\n]*){_OH}{_CORRECTING}(?![A-Za-z])"
    r"|[.!?…—–;,]\s*no[,:]\s+(?:it(?:['’]s|\s+is)\s+)?\(?[A-Z]\)?(?=\W*$)"
    r"|\b(?:that|this|which)\s+(?:is|was|seems)\s+(?:not\s+(?:right|correct)|wrong|incorrect)\b",
    _FLAGS,
)

_TAGGED = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?answer>", re.IGNORECASE)
_CUT_TAG = re.compile(r"<answer>[^<\n]{0,80}\s*$", re.IGNORECASE)
_SUCH_AS = re.compile(
    r"(?:such\s+as|e\.g\.|for\s+example|for\s+instance|like|form|format)\W*$", re.IGNORECASE
)


def tagged(text: str) -> list[tuple[int, int, str]]:
    """Return where answer tags stand and what is in them, without those that a reply only speaks of.

    Spoken of are tags with nothing between them but punctuation or "and", and examples.
    """
    return [
        (match.start(), match.end(), match[1].strip())
        for match in _TAGGED.finditer(text)
        if re.sub(r"[\W_]|\band\b", "", match[1], flags=re.IGNORECASE)
        or (re.search(r"[^\s`\"'.…]", match[1]) and not re.search(r"\w", match[1]))
        if not _SUCH_AS.search(text[: match.start()])
    ]


def cut_tag(text: str) -> bool:
    """Tell whether a reply ends inside answer tags that it has opened."""
    return _CUT_TAG.search(text) is not None


def statements(text: str, options: Options) -> list[Statement]:
    """Return all that a text states, in no order.

    Args:
        text: a reply without its reasoning, made plain.
        options: of the question.
    """
    found = []
    tags = [(start, end, options.read(inside)) for start, end, inside in tagged(text)]
    if any(label is not None for _, _, label in tags):
        tags = [tag for tag in tags if tag[2] is not None]
    found += [Statement(Kind.TAG, label or "", start, end) for start, end, label in tags]
    untagged = _TAG.sub(lambda tag: " " * len(tag[0]), text)
    for kind, rule in _RULES:
        for match in rule.finditer(untagged):
            ends = kind is Kind.CONCLUSION
            if ends and not _first_or_last(untagged, match.start()):
                continue
            content = match["rest"]
            if match.re.pattern.startswith(r"\\f?boxed"):
                content = bare(content)
            elif content[:1] in "\"'[" and content[-1:] in "\"']":
                content = content.strip("[]").replace('"', "").replace("'", "")
            label = options.read(content, ends)
            if label is not None and _holds(untagged, match.start(), match.end(), kind):
                found.append(Statement(kind, label, match.start(), match.end()))
    found += _said_of_options(untagged, options)
    found += _alone(untagged, options)
    return found


def asked_for(text: str, statement: Statement) -> bool:
    """Tell whether a statement is framed as prompts ask for it: "Answer: B", its like, or "#### B"."""
    frame = text[statement.start : statement.end].strip()
    return frame == "####" or re.search(rf"{_ANSWER}[^\n]*{_COLON}$", frame, re.IGNORECASE) is not None


def corrected_from(text: str) -> int:
    """Return where the last line begins that corrects what was said before, 0 where none does."""
    return max((match.start() for match in _CORRECTED_LINE.finditer(text)), default=0)


def taken_back(text: str, end: int) -> bool:
    """Tell whether what was stated up to a place is taken back or doubted after it."""
    return _TAKEN_BACK.search(text, end) is not None


def _first_or_last(text: str, place: int) -> bool:
    before, after = text.find("\n", len(text) - len(text.lstrip())), text.rstrip().rfind("\n")
    return place < before or before < 0 or place > after


def _holds(text: str, start: int, end: int, kind: Kind) -> bool:
    """Tell whether what begins here is said, and not denied, supposed, asked, quoted or another's."""
    if kind is Kind.LINE and (
        text[start] in "\"'" or not text[text.rfind("\n", 0, start) + 1 : start].strip()
    ):
        return True
    sentence = text[max(0, start - _SENTENCE_LENGTH) : start]
    if breaks := list(_SENTENCE.finditer(sentence)):
        sentence = sentence[breaks[-1].end() :]
    if contrasts := list(_CONTRAST.finditer(sentence)):
        sentence = sentence[contrasts[-1].end() :]
    if kind is not Kind.FINAL and _SUPPOSED.search(sentence):
        return False
    clause = "" if _JOINED.search(sentence) else sentence
    if _DENIED.search(clause):
        return False
    if kind is Kind.PROSE:
        # "the wrong answer is", "another possible answer is": only words that leave it as it is.
        before = re.search(r"(\w+)\s+$", sentence)
        if re.match(_ANSWER, text[start:end], re.IGNORECASE) and before:
            allowed = rf"{_SO}|that|think|believe|say|and|then|is|的|le|que|dass"
            if not re.fullmatch(allowed, before[1], re.IGNORECASE):
                return False
        quoted = sentence[-1:] in "\"“'‘" and bool(sentence)
        if quoted and text.strip()[:1] + text.strip()[-1:] not in ('""', "“”", "''", "‘’"):
            return False
    after = _SENTENCE_END.search(text, end)
    return after is None or after[0] != "?" or kind is Kind.FINAL


def _said_of_options(text: str, options: Options) -> Iterator[Statement]:
    for match in _PREDICATE.finditer(text):
        if not _PREDICATE_ENDS.match(text, match.end()):
            continue
        place = _SUBJECT.search(text[: match.start()][-400:])
        if place is None:
            continue
        subject = re.sub(r"\s*\([^()]{3,}\)$", "", place["subject"].strip().strip("\"“”'"))
        start = match.start() - len(place["subject"])
        if re.search(r"(?<!\w)\(?[A-Z]\)?,\s*$", text[:start]):
            continue  # "A, B is correct"
        label = options.option(bare(subject)) or _of_subject(subject, options)
        if label and _holds(text, start, match.end(), Kind.PROSE):
            yield Statement(Kind.PROSE, label, start, match.end())


def _of_subject(subject: str, options: Options) -> str | None:
    label = options.read(subject)
    # Nothing but the label, so that "Vitamin C" and "A and B" are none.
    named = re.fullmatch(
        rf"(?:{_CHOICE}|{_ANSWER}|the|la|l['’]|die|\s)*\(?([A-Z])\)?", subject, re.IGNORECASE
    )
    if named is None or (named[1].islower() and "(" not in subject):
        return None
    return label or None


def _alone(text: str, options: Options) -> Iterator[Statement]:
    """Yield the label or option that stands alone, at the beginning or at the end."""
    lines = [match for match in re.finditer(r"[^\n]+", text) if match[0].strip()]
    stated = [(line, label) for line in lines if (label := options.line(line[0])) is not None]
    # Lines that begin with different labels go through the options.
    if len({label for _, label in stated}) == 1 and {stated[0][0], stated[-1][0]} & {
        lines[0],
        lines[-1],
    }:
        line, label = stated[-1] if stated[-1][0] is lines[-1] else stated[0]
        yield Statement(Kind.ALONE, label, line.start(), line.start())
