"""Command lines derived from typed dataclasses, and errors in one line."""

import contextlib
import io
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructTypeInfo

from hotmess_jax.machine.disk import WriteFailedError, refused, try_file, try_folder
from hotmess_jax.machine.interruption import command, watched
from hotmess_jax.presentation.limits import limits_of

Settings = TypeVar("Settings")
GOES_ON = "what was finished is kept; go on with"
WHOLE_OR_NOT = "no output is half written; begin again with"


def fail(message: str) -> NoReturn:
    """Print one line on standard error and leave with status 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


def fail_lines(problems: Sequence[str]) -> NoReturn:
    """Print each problem on a line of standard error and leave with status 2."""
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    raise SystemExit(2)


@contextlib.contextmanager
def failing_on(*errors: type[Exception]) -> Iterator[None]:
    """Turn these exceptions into a line and status 2."""
    try:
        yield
    except errors as error:
        fail(str(error))


@contextlib.contextmanager
def failing_to_write() -> Iterator[None]:
    """Turn what a file system refuses before work began into a line and status 2."""
    try:
        yield
    except OSError as error:
        fail(_refusal(error))


def try_outputs(files: Sequence[Path | None] = (), folders: Sequence[Path | None] = ()) -> None:
    """Write into the outputs' folders, or where they will be; what cannot be is one line and status 2."""
    with failing_to_write():
        for file in files:
            if file is not None:
                try_file(file, keep=False)
        for folder in folders:
            if folder is not None:
                try_folder(folder, keep=False)


@contextlib.contextmanager
def ending_in_one_line(kept: str = WHOLE_OR_NOT) -> Iterator[None]:
    """Let a command end with one line where a disk refuses a file, or a signal comes; see `watched`.

    A disk's refusal ends with status 1, a signal with 128 + its number.

    Args:
        kept: what the line says of what is kept, and of the command that it ends with.
    """
    with watched(kept):
        try:
            yield
        except OSError as error:
            if refused(error) is None and not isinstance(error, WriteFailedError):
                raise
            print(f"error: {_refusal(error)}; {kept}: {command()}", file=sys.stderr)
            raise SystemExit(1) from None


def _refusal(error: OSError) -> str:
    """Return what a file system refused, as "reason: path"."""
    if isinstance(error, WriteFailedError):
        return str(error)
    named = error.filename2 or error.filename
    return f"{error.strerror or type(error).__name__}{f': {named}' if named else ''}"


def parse(
    kind: type[Settings], arguments: Sequence[str] | None = None, default: Settings | None = None
) -> Settings:
    """Parse a command line into a dataclass; a mistake is one line and status 2."""
    parsed: Settings = parse_any(kind, arguments, default)
    return parsed


def parse_any(kind: Any, arguments: Sequence[str] | None = None, default: Any = None) -> Any:
    """Do the same for what is no class, such as a union of subcommands.

    Settings in groups, dataclasses within a dataclass, have flags as if they stood in none; help shows each
    group by itself, and each setting's limits.
    """
    printed = io.StringIO()
    options: dict[str, Any] = {"config": (tyro.conf.OmitArgPrefixes,)}
    if default is not None:
        options["default"] = default
    main = sys.modules["__main__"].__spec__
    if main is not None:  # started with python -m
        options["prog"] = f"python -m {main.name}"
    try:
        with contextlib.redirect_stderr(printed), _showing_limits():
            return tyro.cli(kind, args=arguments, **options)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        fail(_first_paragraph(printed.getvalue()))


def parse_with_preset(
    presets: Mapping[str, Settings], default: str, arguments: Sequence[str] | None = None
) -> Settings:
    """Parse a command line whose --preset names the defaults of all other settings."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    chosen = default
    for word, following in itertools.pairwise([*arguments, ""]):
        if word == "--preset":
            chosen = following
        elif word.startswith("--preset="):
            chosen = word.removeprefix("--preset=")
    if chosen not in presets:
        fail(f"unknown preset {chosen!r}: expected one of {', '.join(presets)}")
    return parse(type(presets[chosen]), arguments, presets[chosen])


def named_values(flag: str, given: Sequence[str], last: bool = False) -> dict[str, str]:
    """Return each NAME=VALUE of a command line as name and value.

    Args:
        flag: they were given with.
        given: the texts.
        last: whether the last "=" parts them, for names that hold one; else the first does.

    Raises:
        ValueError: where one is no such pair, or names what another names.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.rpartition("=") if last else text.partition("=")
        if not (name and equals and value) or name in found:
            raise ValueError(f"{flag} must be NAME=VALUE, each name once, got {text!r}")
        found[name] = value
    return found


def _showing_limits() -> ConstructorRegistry:
    """Return the rule by which help says of each setting, beside its default, which numbers it may be."""
    registry = ConstructorRegistry()
    asked: list[StructTypeInfo] = []

    @registry.struct_rule
    def with_limits(kind: StructTypeInfo) -> StructConstructorSpec | None:
        if any(kind is other for other in asked):
            return None  # asked by the rule itself, of the rules that there are without it
        asked.append(kind)
        try:
            found = ConstructorRegistry.get_struct_spec(kind)
        finally:
            asked.pop()
        if not isinstance(found, StructConstructorSpec):
            return None
        return replace(found, fields=tuple(map(_with_limits, found.fields)))

    return registry


def _with_limits(field: Any) -> Any:
    limits = limits_of(field.type)
    if limits is None:
        return field
    said = field.helptext

    def needed() -> str:  # of what has no default, help says nothing but that it is required
        return f"{(said() if callable(said) else said) or ''} ({limits})"

    hint = tyro.conf.arg(help_behavior_hint=lambda default: f"({limits}; default: {default})")
    missing = field.default in (tyro.constructors.MISSING, tyro.constructors.MISSING_NONPROP)
    return replace(field, type=Annotated[field.type, hint], helptext=needed if missing else said)


def _first_paragraph(box: str) -> str:
    """Return what a box of tyro's says, without its frame and its advice."""
    lines = []
    for line in box.splitlines():
        text = line.strip("│╭╮╰╯ ")
        if line.startswith("╭"):
            continue
        if text.startswith("──") or line.startswith("╰"):
            break
        lines.append(text)
    return " ".join(lines) or box
