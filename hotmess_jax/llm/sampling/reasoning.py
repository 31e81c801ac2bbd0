"""A response's reasoning and its answer, told apart by the marks of thinking."""

import re
from typing import NamedTuple


class Mark(NamedTuple):
    """What opens a block of reasoning and what closes it, as patterns."""

    name: str
    opening: str
    closing: str


_WORD = (
    r"(?:think\w*|thoughts?|reason|reasoning|reflect\w*|scratch_?pad|analysis|(?:inner_?)?monologue"
    r"|chain[-_]of[-_]thoughts?|cot|rationale|deliberat\w*|contemplat\w*|planning|ant_?thinking)"
)
_PREFIX = r"(?:[a-z0-9]{1,20}[:|_-]){0,3}"
_CAPITALS = r"[A-Z_]{0,20}(?:THINK|THOUGHT|REASON)[A-Z_]{0,20}"
_CHANNEL = r"<\|channel\|>\s*"
_SETTING = r"(?:[^<]|<\|constrain\|>){0,80}<\|message\|>"
# As models and their templates mark it: each row has its test.
MARKS = (
    Mark("tags", rf"<{_PREFIX}{_WORD}>", rf"</{_PREFIX}{_WORD}>"),
    Mark("brackets", rf"(?-i:\[{_CAPITALS}\])", rf"(?-i:\[/{_CAPITALS}\])"),
    Mark("triangles", rf"◁{_WORD}▷", rf"◁/{_WORD}▷"),
    Mark(
        "special tokens",
        rf"<\|(?:\w+:)?(?:(?:begin|start|open)_(?:of_)?)?{_WORD}(?::\w+)?\|>",
        rf"<\|(?:\w+:)?(?:/|(?:end|close|stop)_(?:of_)?){_WORD}(?::\w+)?\|>",
    ),
    # What opens the answer ends the thought.
    Mark("solutions", r"(?!)", r"<\|(?:begin_of_solution|START_RESPONSE|START_TEXT|content_text)\|>"),
    Mark("Harmony", rf"{_CHANNEL}(?:analysis|commentary){_SETTING}", rf"{_CHANNEL}final{_SETTING}"),
    Mark(
        "Harmony without its tokens",
        r"(?-i:(?:\A\s*|assistant\n?)(?:analysis|commentary)(?=\w))",
        r"(?-i:assistant\n?final(?![a-z]))",
    ),
    Mark("Gemma channels", r"<\|channel>\s*thought", r"<channel\|>"),
    Mark("open and close", r"<\|open\|>\s*think\s*<\|sep\|>", r"<\|close\|>\s*think\s*<\|sep\|>"),
    Mark("contents", r"<\|content_thinking\|>", r"(?!)"),
    Mark("Apertus", r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),
    Mark("unused tokens", r"\[unused16\]|<unused94>(?:thought)?", r"\[unused17\]|<unused95>"),
    Mark("Granite", r"\AHere(?:'s|\s+is)\s+my\s+thought\s+process:", r"^Here(?:'s|\s+is)\s+my\s+response:"),
)  # fmt: skip
_MARK = re.compile(
    f"(?P<opening>{'|'.join(mark.opening for mark in MARKS)})|{'|'.join(mark.closing for mark in MARKS)}",
    re.IGNORECASE | re.MULTILINE,
)
# What frames an answer or ends a turn, and is part of neither.
_FRAME = re.compile(
    r"<\|start\|>(?:assistant)?|<\|(?:end|return|message|sep|call)\|>|<\|(?:START|END)_(?:RESPONSE|TEXT)\|>"
    r"|<\|(?:begin|end)_of_(?:solution|box)\|>|<\|(?:im_end|eot_id|eot|eom|end_of_text|endoftext)\|>"
    r"|<\|(?:open|close)\|>\s*(?:response|message)(?:<\|sep\|>)?|<turn\|>|</?response>",
    re.IGNORECASE,
)
# Tags that are no thoughts: answers', and those of mark-up.
_NO_THOUGHT = re.compile(
    r"(?:final|correct|my|the|your)?[-_]?(?:answers?|response|output|result|solution|choice|option|letter|conclusion|question"
    r"|explanation|summary|certain\w*|confidence|prob\w*|final)"
    r"|[a-z]|h[1-6]|br|hr|em|strong|sub|sup|code|pre|div|span|ul|ol|li|table|t[rdh]|thead|tbody|math|m(?:[ino]|row|frac|su[bp]|subsup|sqrt|text)|svg|img|html|body"
    r"|details|center|small|mark|blockquote|tool\w*|function\w*|arg\w*|parameter\w*",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"<([\w:|.-]{1,40})>(?P<tag>.*?)</\1>|\[([A-Z][A-Z_]{2,40})\](?P<bracket>.*?)\[/\3\]"
    r"|◁(\w{1,40})▷(?P<triangle>.*?)◁/\5▷",
    re.DOTALL,
)
_TOKEN = re.compile(r"<\|/?[\w:]{1,40}\|>")
# Only so much at either end of a response is searched for marks that are not known.
_SEARCHED = 2_000


def split_reasoning(text: str) -> tuple[str, str]:
    """Return a response's reasoning, from its thinking blocks, and its answer, which is the rest.

    A block that is never closed goes on to the end; one that was never opened began at the beginning. A
    block of a mark that is not in the table is one where the response begins with it and goes on after it.
    """
    reasoning: list[str] = []
    answer: list[str] = []
    block, text = _leading_block(text)
    reasoning.append(block)
    place, opened = 0, False
    for mark in _MARK.finditer(text):
        if opened and mark["opening"]:
            continue  # a thought that names the mark
        part = text[place : mark.start()]
        if opened:
            reasoning.append(part)
        elif mark["opening"]:
            answer.append(part)
        else:
            reasoning += [*answer, part]
            answer.clear()
        place, opened = mark.end(), bool(mark["opening"])
    (reasoning if opened else answer).append(text[place:])
    parts = (stripped for part in reasoning if (stripped := _FRAME.sub("", part).strip()))
    return "\n".join(parts), _FRAME.sub("", "".join(answer))


def unknown_marks(text: str) -> set[str]:
    """Return the marks in a response that look like those of a block, and are in no table here."""
    if len(text) > 2 * _SEARCHED:
        text = text[:_SEARCHED] + "\n" + text[-_SEARCHED:]
    text = _FRAME.sub("", _MARK.sub("", text))
    pairs = (pair for pair in _PAIR.finditer(text) if not _NO_THOUGHT.fullmatch(_name(pair)))
    names = {pair[0][: len(_name(pair)) + 2] for pair in pairs}
    return names | {token[0] for token in _TOKEN.finditer(text)}


def _name(pair: re.Match[str]) -> str:
    return pair[1] or pair[3] or pair[5]


def _leading_block(text: str) -> tuple[str, str]:
    """Return the block of an unknown mark that a response begins with, and what follows, if anything does."""
    start = len(text) - len(text.lstrip())
    if _MARK.match(text, start) or _FRAME.match(text, start):
        return "", text
    pair = _PAIR.match(text, start)
    if pair and text[pair.end() :].strip() and not _NO_THOUGHT.fullmatch(_name(pair)):
        return next(part for part in pair.groupdict().values() if part is not None), text[pair.end() :]
    if first := _TOKEN.match(text, start):
        last = [token for token in _TOKEN.finditer(text, first.end()) if not _FRAME.fullmatch(token[0])]
        if last and not _MARK.search(text) and text[last[-1].end() :].strip():
            return text[first.end() : last[-1].start()], text[last[-1].end() :]
    return "", text
