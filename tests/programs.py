"""A look into traced programs."""

import jax


def programs(jaxpr, times=1):
    """Yield a program and every program inside it, each with how often it runs."""
    yield jaxpr, times
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        runs = times * (equation.params["length"] if equation.primitive.name == "scan" else 1)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program):
            if is_program(inner):
                yield from programs(inner, runs)


def is_program(parameter):
    return hasattr(parameter, "eqns") or hasattr(parameter, "jaxpr")


def products(jaxpr):
    """Yield every product in a program, with how often it runs."""
    for program, times in programs(jaxpr):
        for equation in getattr(program, "jaxpr", program).eqns:
            if equation.primitive.name == "dot_general":
                yield equation, times
