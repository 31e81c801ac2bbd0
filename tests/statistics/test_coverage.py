"""Simulations: with which seed and how many runs they are run."""

from hotmess_jax.statistics.coverage import Seen, Simulation


def test_a_simulation_s_seed_hangs_on_its_name_and_the_given_one():
    given = []

    def run(seed, runs):
        given.append((seed, runs))
        return [Seen("a test", "", "size", 0.5, runs)]

    one, other = (Simulation(name, "", run, runs=7) for name in ("one", "other"))
    assert one.seen(3)[0].runs == 7 and one.seen(3, 5)[0].runs == 5
    other.seen(3)
    one.seen(4)
    (first, again, others, later), runs = zip(*given, strict=True)
    assert runs == (7, 5, 7, 7)
    assert first == again and later == first + 1 and others != first
