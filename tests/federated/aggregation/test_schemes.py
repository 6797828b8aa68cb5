"""Schemes against exact probabilities: costs, counts and mean coefficients."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc import Network, Recovery, cyclic_code
from jaxcogc.coding.codes import redraw
from jaxcogc.federated.aggregation.link_evidence import Evidence, LinkPolicy
from jaxcogc.federated.aggregation.one_scheme import make_scheme
from jaxcogc.federated.aggregation.repeats import peer_uses
from jaxcogc.federated.aggregation.rules import RULES
from jaxcogc.links.draws import draw_links
from jaxcogc.names import BASIC_SCHEMES, CODED_SCHEMES, DECODERS, SCHEMES
from tests.checks import mean_p_value, surprises
from tests.federated.aggregation.drawn_rounds import KEY, NUM_ROUNDS, draw_many, of
from tests.places import SHARED

REFERENCE = SHARED / "reference" / "outcomes.json"
SOME = ("intermittent", "gc", "gc_plus")


def test_the_table_holds_the_schemes_that_users_may_name():
    assert tuple(RULES) == SCHEMES
    coded = [name for name in BASIC_SCHEMES if RULES[name].sharing == "links"]
    assert tuple(coded) == CODED_SCHEMES
    decoded = [rule.outcomes for rule in RULES.values() if rule.outcomes is not None]
    assert tuple(decoded) == DECODERS


def mean_surprises(weights, expected, largest=1.0):
    """Mean weights [rounds, clients] against known ones; every weight lies in [0, largest]."""
    assert weights.min() >= 0
    assert weights.max() <= largest * (1 + 1e-6)
    means = weights.astype(np.float64).mean(axis=0)
    return surprises(
        {
            str(k): mean_p_value(m, len(weights), e, largest)
            for k, (m, e) in enumerate(zip(means, expected, strict=True))
        }
    )


def reference_cases():
    if not REFERENCE.is_file():
        return []
    cases = json.loads(REFERENCE.read_text())
    return [pytest.param(cases[n], id=str(n)) for n in (2, 7)]


@pytest.mark.slow
@pytest.mark.parametrize("case", reference_cases())
def test_mean_coefficients_are_the_known_ones(case):
    network = Network(case["uplink_erasure"], case["peer_erasure"])
    clients, attempts = case["clients"], case["attempts"]
    code = cyclic_code(jax.random.key(1), clients, case["stragglers"])
    if case["redraw_code"]:
        code = redraw(jax.random.key(2), code, attempts)
    names = ("gc", "gc_plus", "row_space")
    drawn = draw_many(names, network, code, num_attempts=attempts)
    for name in ("gc_plus", "row_space"):
        found = of(name, drawn, names)
        assert not mean_surprises(found.weights, case[f"{name}_weight"])
        assert mean_surprises(found.weights * 0.9, case[f"{name}_weight"])  # it can fail
    gc = of("gc", drawn, names)
    rates = {
        "gc": (gc.exact.mean(), case["gc_recovered"]),
        "hold": (1 - gc.hold.mean(), case["gc_recovered"]),
        "full": (of("gc_plus", drawn, names).exact.mean(), case["gc_plus_full"]),
        "none": (of("row_space", drawn, names).hold.mean(), case["row_space_none"]),
    }
    p_values = {n: mean_p_value(m, NUM_ROUNDS, e, 1.0) for n, (m, e) in rates.items()}
    assert not surprises(p_values)
    revealed = np.bincount(gc.num_revealed, minlength=clients + 1) / NUM_ROUNDS
    pairs = enumerate(zip(revealed, case["num_recovered_pmf"], strict=True))
    assert not surprises({str(j): mean_p_value(m, NUM_ROUNDS, e, 1.0) for j, (m, e) in pairs})


UNEQUAL = [0.1, 0.1, 0.5, 0.75, 0.9]


@pytest.fixture(scope="module")
def unequal():
    network = Network(UNEQUAL, np.full((5, 5), 0.2) * (1 - np.eye(5)))
    return draw_many(BASIC_SCHEMES, network, cyclic_code(jax.random.key(1), 5, 2), num_attempts=2)


@pytest.mark.slow
def test_uncoded_schemes_have_their_known_means(unequal):
    heard = of("intermittent", unequal)
    expected = np.array([0.36193, 0.36193, 0.16820, 0.07795, 0.02998])
    assert not mean_surprises(heard.weights[~heard.hold], expected)
    assert mean_surprises(heard.weights, np.full(5, 0.2))
    blind = of("intermittent_blind", unequal)
    assert not mean_surprises(blind.weights, (1 - np.array(UNEQUAL)) / 5, largest=0.2)
    fair = of("inverse_probability", unequal)
    assert not mean_surprises(fair.weights, np.full(5, 0.2), largest=2.0)
    for name in ("intermittent", "intermittent_blind", "inverse_probability"):
        hold = of(name, unequal).hold
        assert not surprises({name: mean_p_value(hold.mean(), NUM_ROUNDS, 0.003375, 1.0)})
        np.testing.assert_array_equal(hold, heard.hold)
    tried = of("retransmission", unequal)
    silent = mean_p_value(tried.hold.mean(), NUM_ROUNDS, 0.003375**2, 1.0)
    uses = mean_p_value(tried.uplink_uses.mean() - 5, NUM_ROUNDS, sum(UNEQUAL), 5.0)
    assert not surprises({"silent": silent, "uses": uses})


@pytest.mark.slow
def test_replicated_gc_has_the_poisson_binomial_outage(unequal):
    pmf = np.ones(1)
    for erasure in UNEQUAL:
        pmf = np.convolve(pmf, [erasure, 1 - erasure])
    found = of("replicated_gc", unequal)
    assert not surprises({"": mean_p_value(found.hold.mean(), NUM_ROUNDS, pmf[:3].sum(), 1.0)})
    assert set(found.uplink_uses) == {5}
    assert not found.peer_uses.any()


@pytest.mark.slow
def test_schemes_of_one_round_see_the_same_links(unequal):
    """Decoders dominate each other round by round; costs are what the definitions say."""
    gc, plus, rows, least = (of(name, unequal) for name in CODED_SCHEMES)
    assert np.all(gc.exact <= plus.exact)
    assert np.all(plus.exact <= rows.exact)
    assert gc.exact.sum() < plus.exact.sum() < rows.exact.sum()
    np.testing.assert_array_equal(rows.exact, least.exact)
    np.testing.assert_array_equal(plus.hold, rows.hold)
    assert np.all(least.hold <= rows.hold)
    for one in (gc, plus, rows, least):
        np.testing.assert_array_equal(one.num_revealed, gc.num_revealed)
        assert set(one.peer_uses) == {2 * 5 * 2}
        assert set(one.uplink_uses) == {2 * 5}
        assert set(one.num_recovered[one.exact]) == {5}
        assert not one.weights[one.hold].any()
        np.testing.assert_array_equal(one.num_recovered, (one.weights != 0).sum(axis=1))
        assert np.all(one.weights[one.exact] == np.float32(0.2))
    partial = ~plus.exact & ~plus.hold
    np.testing.assert_array_equal(plus.num_recovered[partial], plus.num_revealed[partial])
    np.testing.assert_allclose(plus.weights[partial].sum(axis=1), 1, rtol=1e-6)
    assert np.all(least.weights.sum(axis=1) <= 1 + 1e-6)


@pytest.mark.slow
def test_no_erasure_is_exactly_the_average():
    network = Network.homogeneous(5, uplink_erasure=0.0, peer_erasure=0.0)
    drawn = draw_many(BASIC_SCHEMES, network, cyclic_code(jax.random.key(1), 5, 2), num_attempts=2)
    assert np.all(drawn.weights == np.float32(0.2))
    assert drawn.exact.all()
    assert not drawn.hold.any()
    assert np.all(drawn.num_recovered == 5)


@pytest.mark.slow
def test_without_peer_links_gc_plus_is_intermittent():
    network = Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=1.0)
    drawn = draw_many(SOME, network, cyclic_code(jax.random.key(1), 4, 2))
    heard, plus = of("intermittent", drawn, SOME), of("gc_plus", drawn, SOME)
    for name in ("weights", "hold", "exact", "num_recovered", "num_revealed"):
        np.testing.assert_array_equal(getattr(plus, name), getattr(heard, name))
    assert of("gc", drawn, SOME).hold.all()


@pytest.mark.slow
def test_random_places_repair_the_clusters_and_keep_the_links():
    """Of a fixed ring neighbours are recovered together; anew placed clients are exchangeable."""
    network = Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.2)
    code = cyclic_code(jax.random.key(1), 4, 1)
    pairs, seen = {}, []
    for placement in ("fixed", "random"):
        drawn = draw_many(SOME, network, code, placement=placement)
        plus = of("gc_plus", drawn, SOME)
        partial = plus.weights[~plus.exact & ~plus.hold] > 0
        near = np.mean([partial[:, k] & partial[:, (k + 1) % 4] for k in range(4)])
        far = np.mean([partial[:, k] & partial[:, (k + 2) % 4] for k in range(4)])
        pairs[placement] = near / far
        seen.append(of("intermittent", drawn, SOME).weights)
    np.testing.assert_array_equal(*seen)
    assert abs(pairs["random"] - 1) < 0.05 < abs(pairs["fixed"] - 1)


@pytest.mark.slow
def test_normalisation_by_all_clients_and_broadcasts():
    """On evidence made up here: nobody, some, everybody, and the sum alone recovered."""
    known = np.array([[0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]], bool)
    gc = jnp.array([False, False, False, True])
    rank = jnp.array([0, 2, 4, 2])
    coded = Recovery(gc, gc, jnp.asarray(known), rank, rank)
    everybody = jnp.ones(4, bool)
    uplinks, weight = jnp.ones((4, 1, 4), bool), jnp.full(4, 0.25)
    evidence = Evidence(uplinks, {"links": coded}, None, everybody, weight, LinkPolicy())
    weights = {}
    for normalisation in ("recovered", "clients"):
        policy = LinkPolicy(partial_normalisation=normalisation)
        attempted = RULES["gc_plus"].attempt(evidence._replace(policy=policy))
        weights[normalisation] = np.asarray(attempted.weights)
        assert attempted.hold.tolist() == [True, False, False, False]
        assert attempted.exact.tolist() == [False, False, True, True]
    everybody = [0.25] * 4
    assert weights["recovered"].tolist() == [[0] * 4, [0.5, 0, 0.5, 0], everybody, everybody]
    assert weights["clients"].tolist() == [[0] * 4, [0.25, 0, 0.25, 0], everybody, everybody]
    code = cyclic_code(jax.random.key(1), 4, 2)
    for cost, uses in (("unicast", 8), ("broadcast", 4)):
        policy = LinkPolicy(peer_cost=cost)
        assert int(peer_uses(RULES["gc"], code, policy, None)) == uses
        assert int(peer_uses(RULES["intermittent"], code, policy, None)) == 0


@pytest.mark.slow
def test_a_scheme_is_a_pair_of_pure_functions():
    network = Network([0.1, 0.4, 0.5, 0.7], np.full((4, 4), 0.3) * (1 - np.eye(4)))
    targets = np.array([0.1, 0.2, 0.3, 0.4])
    scheme = make_scheme("inverse_probability")
    aimed = make_scheme("inverse_probability", target_weights=targets)
    keys = jax.random.split(KEY, 50)

    @jax.jit
    @jax.vmap
    def draw(key):
        links = draw_links(jax.random.fold_in(jax.random.split(key, 5)[0], 0), network)
        return *(s.draw(key, s.init(), network)[0] for s in (scheme, aimed)), links

    plain, weighted, links = draw(keys)
    np.testing.assert_allclose(weighted.weights, plain.weights * targets * 4, rtol=1e-6)
    heard = np.asarray(links.uplink_delivered[:, 0])  # of the key, by the definition
    expected = heard / (1 - network.uplink_erasure) / 4
    np.testing.assert_allclose(plain.weights, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "gcplus", "code": None}, "allowed are ideal"),
        ({"name": "gc", "code": None}, "GradientCode"),
        ({"name": "ideal", "placement": "ring"}, "allowed are fixed, random"),
        ({"name": "ideal", "max_repeats": -1}, "max_repeats"),
        ({"name": "ideal", "num_tries": 0}, "num_tries"),
        ({"name": "ideal", "num_attempts": 0}, "num_attempts"),
        ({"name": "ideal", "partial_normalisation": "k"}, "partial_normalisation"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_scheme(**arguments)
