"""Models that end useless, or are missing: in no fit, by name, and in no claim for every model."""

import json

import numpy as np
import pytest
from made_sweeps import made_sweep, read, without

from hotmess_jax.synthetic.findings import findings
from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.report import report
from hotmess_jax.synthetic.study.sweep_document import to_document
from hotmess_jax.synthetic.verdicts import CHANCE, learned

EVERY = "Incoherence grows over the steps, for every model"


def claim(document, statement=EVERY):
    (found,) = (each for each in document.claims if each.statement == statement)
    return found


def blown(sweep, *places):
    """The sweep, some of whose models are worse than chance."""
    sweep = json.loads(json.dumps(sweep))
    for place in places:
        model = sweep["models"][place]
        model["validation_loss"] = 2_028_367.0
        for name in ("bias2", "variance", "error"):
            model["final"][name] *= 1e6
            model[name][-1] *= 1e6
    return sweep


def test_the_fits_are_those_without_the_model_and_it_is_named():
    sweep = made_sweep(draws=3, tau=0.05, noise=0.05)
    harmed, alone = conclude(read(blown(sweep, 4))), conclude(read(without(sweep, "6k", 1)))
    assert harmed.worse_than_chance == ("6k-1",) and alone.worse_than_chance == ()
    assert harmed.found.fits == alone.found.fits and harmed.found.draws_left_out == 1
    assert len(harmed.models) == len(sweep["models"])
    text = report(harmed)
    assert "6k-1 (2.03e+06)" in text and text.count("6k-1") > 1
    assert harmed.found.fits["bias2"].exponent != pytest.approx(
        findings(read(blown(sweep, 4))).told().fits["bias2"].exponent, rel=0.1
    )


@pytest.mark.parametrize("how", [lambda s: blown(s, 4), lambda s: without(s, "6k", 1)])
def test_a_claim_for_every_model_counts_those_that_are_missing(how):
    sweep = made_sweep(draws=3, tau=0.05, noise=0.05)
    for place, model in enumerate(sweep["models"]):
        model["final"]["rise"] = 0.3 + 0.001 * place
    assert claim(conclude(read(sweep))).verdict == "supported"
    found = claim(conclude(read(how(sweep))))
    assert found.verdict == "inconclusive" and "1 model is missing" in found.remark


def test_where_a_whole_size_is_useless_the_claims_say_so():
    sweep = made_sweep(draws=2, tau=0.05, noise=0.05)
    last = [place for place, model in enumerate(sweep["models"]) if model["size"] == "83k"]
    document = conclude(read(blown(sweep, *last)))
    assert {each.verdict for each in document.claims} == {"inconclusive"}
    assert all("every model of 83k is worse than chance" in e.remark for e in document.claims)
    assert document.found.fits["bias2"].sizes == 3


def test_where_all_are_useless_nothing_is_fitted_and_the_report_is_written():
    sweep = made_sweep(draws=2, tau=0.05, noise=0.05)
    document = conclude(read(blown(sweep, *range(len(sweep["models"])))))
    assert document.found.fits == {} and document.found.exponent_difference is None
    assert "exponent_difference" not in to_document(document)
    assert {each.verdict for each in document.claims} == {"inconclusive"}
    assert "Too few sizes for a fit" in report(document)


def test_chance_is_the_loss_of_equal_probabilities():
    np.testing.assert_allclose(CHANCE, -np.log(1 / 12))
    sweep = made_sweep(draws=1)
    sweep["models"][0]["validation_loss"] = CHANCE
    assert len(learned(read(sweep)).models) == len(sweep["models"])
