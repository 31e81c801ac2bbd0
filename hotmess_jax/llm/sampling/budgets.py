"""Where endpoints take a reasoning budget, provider by provider."""

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Fields = dict[str, Any]


class BudgetForm(NamedTuple):
    """The fields of a request that ask for a budget, in tokens or by name; None where there are none."""

    provider: str
    # What the host's name ends with; "" is any host.
    host: str
    tokens: Callable[[int], Fields] | None
    effort: Callable[[str], Fields] | None


def _effort(effort: str) -> Fields:
    return {"reasoning_effort": effort}


def _enabled(tokens: int) -> Fields:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def _qwen(tokens: int) -> Fields:
    return {"enable_thinking": True, "thinking_budget": tokens}


def _gemini(tokens: int) -> Fields:
    config = {"thinking_budget": tokens, "include_thoughts": True}
    return {"extra_body": {"google": {"thinking_config": config}}}


# By the providers' own documents; the first of a host is tried first, those of any host last.
BUDGET_FORMS = (
    BudgetForm(
        "OpenRouter",
        "openrouter.ai",
        lambda tokens: {"reasoning": {"max_tokens": tokens}},
        lambda effort: {"reasoning": {"effort": effort}},
    ),
    BudgetForm("Gemini", "googleapis.com", _gemini, _effort),
    BudgetForm("Anthropic", "anthropic.com", _enabled, None),
    BudgetForm(
        "Cohere",
        "cohere.ai",
        lambda tokens: {"thinking": {"type": "enabled", "token_budget": tokens}},
        _effort,
    ),
    BudgetForm("Qwen", "aliyuncs.com", _qwen, None),
    BudgetForm("SiliconFlow", "siliconflow.com", _qwen, None),
    BudgetForm("SiliconFlow", "siliconflow.cn", _qwen, None),
    BudgetForm("OpenAI", "openai.com", None, _effort),
    BudgetForm("Groq", "groq.com", None, _effort),
    BudgetForm("others", "", _enabled, _effort),
    BudgetForm(
        "others",
        "",
        lambda tokens: {"reasoning": {"max_tokens": tokens}},
        lambda effort: {"reasoning": {"effort": effort}},
    ),
    BudgetForm(
        "others",
        "",
        lambda tokens: {"thinking_budget": tokens},
        lambda effort: {"chat_template_kwargs": {"reasoning_effort": effort}},
    ),
)
VLLM = BudgetForm("vLLM", "", lambda tokens: {"thinking_token_budget": tokens}, _effort)


def budget_fields(base_url: str, is_vllm: bool, tokens: int | None, effort: str | None) -> list[Fields]:
    """Return the fields that may ask an endpoint for a budget, those to be tried first first.

    Args:
        base_url: of the endpoint.
        is_vllm: whether it is a vLLM server.
        tokens: the budget in tokens, or
        effort: by name; where both are None there are no fields.
    """
    if tokens is None and effort is None:
        return []
    host = urlsplit(base_url).hostname or ""
    # Of a host that is known, only its own.
    own = [form for form in BUDGET_FORMS if form.host and f".{host}".endswith(f".{form.host}")]
    forms = [VLLM] if is_vllm else own or [form for form in BUDGET_FORMS if not form.host]
    found: list[Fields] = []
    for form in forms:
        if tokens is not None and form.tokens:
            found.append(form.tokens(tokens))
        elif effort is not None and form.effort:
            found.append(form.effort(effort))
    return found
