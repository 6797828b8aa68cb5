"""A code of one's own beside the families of a design."""

import json

import jax
import numpy as np
import pytest

from jaxcogc import GradientCode, Network, enumerate_outcomes
from jaxcogc.cli.app import main
from jaxcogc.design.code_outage import Setting
from jaxcogc.design.configurations import own_configs
from jaxcogc.design.exact_outage import enumerated
from jaxcogc.design.link_uses import peer_uses
from jaxcogc.design.search import design, evaluate
from jaxcogc.design.simulated_outage import compiled_counting
from jaxcogc.names import CUSTOM
from tests.cli.program import assert_one_line

NETWORK = Network([0.1, 0.5, 0.3], [[0, 0.2, 0.1], [0.3, 0, 0.2], [0.1, 0.4, 0]])
CODE = GradientCode.from_matrix([[1, 1, 0], [0, 1, 1], [0, 1, 2]])
COSTS = {"target": 0.6, "max_attempts": 1, "max_tries": 1, "order": "fixed"}


@pytest.mark.slow
def test_it_is_a_candidate_beside_the_families():
    found = design(NETWORK, own_code=CODE, **COSTS).candidates
    mine = {c.scheme: c for c in found if c.code == CUSTOM}
    outages = enumerate_outcomes(NETWORK, CODE).outages()
    assert set(mine) == set(outages)
    for scheme, candidate in mine.items():
        assert candidate.outage.best == pytest.approx(float(outages[scheme]), abs=1e-12)
        assert candidate.order == (0, 1, 2)
        # Clients 1 and 2 are needed, client 1 by two.
        assert (candidate.peer_uses, candidate.uplink_uses) == (3, 3)
    others = design(NETWORK, **COSTS).candidates

    def by_use(candidates):
        return {(c.code, c.stragglers, c.attempts, c.scheme): c.outage for c in candidates}

    assert by_use(c for c in found if c.code != CUSTOM) == by_use(others)


@pytest.mark.slow
def test_attempts_and_what_clients_keep():
    setting = Setting.from_key(jax.random.key(0), NETWORK, 0.95, own_code=CODE)
    configs = own_configs(CODE, 2, "fixed", keep_heard=True)
    assert [(c.attempts, c.keep_heard) for c in configs] == [(1, False), (2, False), (2, True)]
    heard = 1 - NETWORK.peer_erasure
    for config in configs[1:]:
        found = enumerated(setting, config)
        exact = enumerate_outcomes(NETWORK, CODE, num_attempts=2, keep_heard=config.keep_heard)
        for scheme, outage in exact.outages().items():
            assert found.decoders[scheme].outage.best == pytest.approx(float(outage), abs=1e-12)
        again = 3 - heard[0, 1] - heard[1, 2] - heard[2, 1] if config.keep_heard else 3
        assert peer_uses(setting, config, False) == pytest.approx(3 + again)
        once = 2 - heard[0, 1] * heard[2, 1] - heard[1, 2] if config.keep_heard else 2
        assert peer_uses(setting, config, True) == pytest.approx(2 + once)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["fixed", "random"])
def test_trials_agree_with_enumeration(monkeypatch, order):
    """By the code's own program; placed at random, with the mean over all six orders."""
    monkeypatch.setattr("jaxcogc.design.exact_outage._MOST_PATTERNS", 1)
    setting = Setting.from_key(jax.random.key(0), NETWORK, 0.95, own_code=CODE)
    (config,) = own_configs(CODE, 1, order)
    sample = compiled_counting(setting, [config], links_by_host=order == "random")
    found = evaluate(setting, sample, config, 30_000, lambda done: None)
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    each = [
        enumerate_outcomes(NETWORK.permuted(places), CODE).outages()
        for places in (orders if order == "random" else orders[:1])
    ]
    for scheme, decoder in found.decoders.items():
        law = np.mean([float(outages[scheme]) for outages in each])
        assert abs(decoder.outage.best - law) < 5 * np.sqrt(law * (1 - law) / 30_000)


@pytest.mark.slow
def test_the_verb_names_the_file(tmp_path, capsys):
    """Peers that always hear each other, uplinks that fail: a row of everybody is the best."""
    path = tmp_path / "all.csv"
    np.savetxt(path, np.ones((3, 3)), delimiter=",", fmt="%d")
    arguments = ["design", "--code-file", str(path), "--uplink-erasure", "0.5", "--order", "fixed"]
    arguments += ["--peer-erasure", "0", "--max-attempts", "1", "--max-tries", "1"]
    assert main([*arguments, "--target", "0.2", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    mine = [c for c in found["candidates"] if c["code"] == CUSTOM]
    assert [c["outage"]["best"] for c in mine] == pytest.approx([0.5**3] * 3)
    assert (found["clients"], "custom" in err) == (3, True)
    if found["chosen"]["code"] == CUSTOM:
        assert f"--code-file {path}" in found["commands"][0]
        assert f"code of {path}" in " ".join(err.split())
    for more, parts in (
        (["--clients", "4"], ["--code-file", "all.csv (3 clients)", "4 clients"]),
        (["--code-file", str(tmp_path / "no.npy")], ["--code-file", "no.npy", "cannot be read"]),
        (["--sensitivity"], ["--sensitivity with --code-file"]),
    ):
        assert main([*arguments, *more]) == 2
        assert_one_line(capsys, parts)


@pytest.mark.slow
def test_another_size_is_named():
    with pytest.raises(ValueError, match="own_code of 3 clients"):
        design(Network.homogeneous(5, uplink_erasure=0.1, peer_erasure=0.1), own_code=CODE)
