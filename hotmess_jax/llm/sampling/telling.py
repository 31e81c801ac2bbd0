"""What a run would ask, as the terminal tells it."""

from hotmess_jax.llm.sampling.plan import Plan
from hotmess_jax.llm.sampling.run_settings import LlmSampleConfig


def print_plan(config: LlmSampleConfig, found: Plan) -> None:
    """Print what is still to be asked."""
    if found.example is not None:
        print("An example prompt:\n")
        if found.example.system:
            print(f"[system]\n{found.example.system}\n\n[user]")
        print(f"{found.example.text}\n")
    print(f"questions  {found.questions:,}")
    print(
        f"samples    {found.samples:,}" + (f" ({found.present:,} are there)" if found.present else "")
    )
    print(f"requests   {span(found.requests)}" + found.why_many)
    print(
        f"prompts    {span(found.prompt_tokens)} tokens (bytes, which no tokeniser makes more of, and "
        f"{found.template_tokens} a request for the chat's template)"
        if found.template_tokens
        else f"prompts    {span(found.prompt_tokens)} tokens (bytes, which no tokeniser makes more of)"
    )
    if found.reply_tokens is None:
        print("replies    no bound: --max-tokens is missing, and the endpoint's own holds")
    else:
        own = "" if config.max_tokens else ", the default here"
        print(f"replies    at most {found.reply_tokens:,} tokens ({found.longest:,} a sample{own})")
    if config.embed or config.embed_local:
        print(f"embeddings {found.samples:,} answers, a reply long at most")
    if config.price_in is not None or config.price_out is not None:
        costs = [found.cost(i, config.price_in or 0.0, config.price_out or 0.0) for i in (0, 1)]
        bound = (
            "" if found.reply_tokens is not None or not config.price_out else ", replies not counted"
        )
        print(f"costs      at most {costs[0]:,.2f} to {costs[1]:,.2f}{bound}")


def span(bounds: tuple[int, int]) -> str:
    """Return a number, or both of its bounds."""
    return f"{bounds[0]:,}" if bounds[0] == bounds[1] else f"{bounds[0]:,} to {bounds[1]:,}"
