"""The words that users choose from: in Python, in files and on the command line.

One tuple for each kind of choice, read by whoever checks, lists or documents it. How they are
spelt: `hyphened` and `underscored` state the rule for schemes; everything else is written alike
everywhere.

>>> hyphened("gc_plus"), underscored("gc-plus")
('gc-plus', 'gc_plus')
"""

from collections.abc import Iterable
from typing import Literal, get_args

FAMILIES = ("cyclic", "cyclic-mds", "fractional-repetition", "all-ones-ring", "uncoded")
"""Families of codes."""
CUSTOM = "custom"
"""In place of a family: a code of one's own."""
RANDOM_FAMILIES = ("cyclic",)
"""Those that can be drawn anew in every attempt."""
SYMMETRIC_FAMILIES = FAMILIES
"""Those that look the same from each client; a code of one's own may favour some."""

DECODERS = ("gc", "gc_plus", "row_space")
"""From the standard one to the best that any linear decoder can do."""
CODED_SCHEMES = (*DECODERS, "least_squares")
"""Schemes that decode what a gradient code sent."""
BASIC_SCHEMES = (
    "ideal",
    "intermittent",
    "intermittent_blind",
    "inverse_probability",
    "retransmission",
    "replicated_gc",
    *CODED_SCHEMES,
)
"""Those that need nothing but links and a code."""
UNBIASED_SCHEMES = ("gc_plus_unbiased", "row_space_unbiased")
"""Whose recovered clients are weighed by the inverse of how often they are recovered."""
MEMORY_SCHEMES = (
    "intermittent+memory",
    "intermittent_blind+memory",
    "inverse_probability+memory",
    "gc_plus+memory",
    "row_space+memory",
    "projected_memory",
)
"""Whose server remembers an update of each client."""
SECURE_SCHEMES = ("secure_gc", "secure_row_space")
"""Whose clients hide their updates behind masks that add up to 0."""
SCHEMES = (
    *BASIC_SCHEMES,
    "colrel",
    *UNBIASED_SCHEMES,
    *MEMORY_SCHEMES,
    "implicit_gossip",
    *SECURE_SCHEMES,
)
REFUSED_SCHEMES = {
    "secure_gc_plus": "an average over some clients keeps their masks; allowed is "
    "secure_row_space, which takes it if asked to (masked_partials)",
    "secure_least_squares": "what is nearly the sum keeps masks; allowed is secure_row_space",
    "secure_gc+memory": "masks of different rounds do not add up to 0; allowed is secure_gc",
    "secure_row_space+memory": "masks of different rounds do not add up to 0; allowed is "
    "secure_row_space",
    "secure_projected_memory": "masks of different rounds do not add up to 0; allowed is "
    "secure_row_space",
    "least_squares+memory": "its memory is projected_memory",
    "gc+memory": "the sum alone tells no client's own update; allowed is gc_plus+memory",
}
"""Pairs that make no sense, and why."""
DEFAULT_SCHEMES = ("ideal", "intermittent", "gc", "gc_plus", "row_space")

OUTCOMES = {
    "gc_outage": "standard decoding: nothing recovered",
    "gc_plus_full": "GC+: exact average",
    "gc_plus_partial": "GC+: average of some clients",
    "gc_plus_none": "GC+: nothing recovered",
    "row_space_exact": "row space: exact average",
    "row_space_partial": "row space: average of some clients",
    "row_space_none": "row space: nothing recovered",
    "all_individuals": "every client's own update is known",
}
"""What a round may come to, and what that means; the probabilities of the result files."""
OUTAGES = {
    "gc_outage": OUTCOMES["gc_outage"],
    "gc_plus_outage": "GC+: no exact average",
    "row_space_outage": "row space: no exact average",
}
"""That a decoder has not the exact average: small is good, whatever the decoder."""
EVENTS = OUTAGES | OUTCOMES
"""What can be watched, shown and drawn: outages first, then all that a round may come to."""
HARMFUL_OUTCOMES = (*OUTAGES, "gc_plus_none", "row_space_none")
"""Those that one wants seldom; of the others the likelier the better."""

GAINS = {
    "gc_plus_over_gc": "GC+ has the exact average, standard decoding nothing",
    "row_space_over_gc_plus": "row space has the exact average, GC+ has not",
    "row_space_over_gc": "row space has the exact average, standard decoding nothing",
    "gc_plus_some_over_gc": "GC+ has some average, standard decoding nothing",
}
"""What one decoder may have over another on the same links, and what that means."""

INTERVALS = ("clopper-pearson", "wilson")
"""Of a probability that was counted in a fixed number of trials."""
ESTIMATORS = ("counted", "stratified")
"""How probabilities follow from trials: as they are, or sorted into strata of known probability."""
KERNELS = ("auto", "xla", "fused")
"""How trials are computed: XLA's program, or one kernel for a GPU; auto takes that where it can."""
RARE_METHODS = ("importance", "strata")

DATASETS = ("digits", "mnist-5k", "mnist", "fashion-mnist", "cifar10")
PARTITIONS = ("iid", "dirichlet", "shards", "size-skew")
MODELS = ("softmax", "mlp", "cnn")
SERVER_OPTIMIZERS = {"sgd": 1.0, "momentum": 0.3, "adam": 0.01}
"""What the server does with an average, and the learning rate that each has by default."""
TARGETS = ("equal", "data-size")
"""Whose average is aimed at: over clients, or over samples."""
FAILURE_POLICIES = ("hold", "repeat")
RELAY_OBJECTIVES = ("total", "trace")
"""What the weights of relays make small: the variance of updates that are alike, or orthogonal."""
NORMALISATIONS = ("recovered", "clients")
"""What a partial average is divided by: |K|, or M."""
QUANTITIES = ("pdr", "per", "snr", "rssi")
"""What was measured of a link: packet delivery or error ratio, mean SNR (dB), power (dBm)."""
MISSING_LINKS = ("refuse", "erased")
"""What to do about a pair that was not measured."""

PLACEMENTS = ("fixed", "random")
"""Of the clients on the ring, in every round."""
PEER_COSTS = ("unicast", "broadcast")
"""What sharing an update costs: a use for each row that needs it, or one in all."""
MASKS = ("real", "field")
"""Gaussian, of a size that is chosen; or uniform over the field of the code."""
AGGREGATIONS = ("coefficients", "payload")
NON_FINITE_POLICIES = ("stop", "drop")

RingKind = Literal["cyclic", "blocks", "classes"]
"""How rows decode: any M - s of them, each of a client and the next s; one of each block of s + 1
clients, each of a whole block; or all of one class mod s + 1, each of a client and the next s."""
RING_KINDS: tuple[RingKind, ...] = get_args(RingKind)

OBJECTIVES = ("uplink", "total", "privacy", "seconds")
CHANNELS = ("parallel", "shared")
"""All messages of a slot at once, or one after another."""
ORDERS = ("fixed", "random", "optimised")
"""Of the clients on the ring, as a design may choose it."""
RHO_FORMS = ("uniform", "safe", "simulated")
"""Of the spread of partial averages, in a convergence bound."""


def hyphened(name: str) -> str:
    """A scheme's name as the command line spells it.

    The rule: hyphens where people type or read (the command line, tables, pictures, messages);
    underscores where programs do (Python, and every file: config.toml, JSON, CSV). ``+memory`` is
    the same in both.
    """
    return name.replace("_", "-")


def underscored(name: str) -> str:
    """A scheme's name as Python and files spell it: the other side of the rule of `hyphened`."""
    return name.replace("-", "_")


def ring_kind(family: str, num_stragglers: int) -> RingKind:
    """How the rows of a family use the ring.

    >>> ring_kind("cyclic-mds", 1), ring_kind("cyclic-mds", 3)
    ('classes', 'cyclic')
    """
    if family == "fractional-repetition":
        return "blocks"
    ones = family == "all-ones-ring" or (family == "cyclic-mds" and num_stragglers == 1)
    return "classes" if ones else "cyclic"


DYNAMICS = (
    "memory",
    "burst_length",
    "round_memory",
    "good_erasure",
    "bad_erasure",
    "block_probability",
    "block_memory",
)
"""How links hang together in time: fields of `LinkDynamics`, and options of the same name."""


def stated_twice(given: Iterable[str], in_file: Iterable[str]) -> tuple[str, str] | None:
    """A name of `DYNAMICS` that was given though a file says the same, and what the file calls it.

    >>> stated_twice(["burst_length"], ["block_probability", "memory"])
    ('burst_length', 'memory')
    >>> stated_twice(["memory"], ["block_probability"])
    """
    either = {"memory", "burst_length"}
    for name in given:
        for key in in_file:
            if key == name or {key, name} == either:
                return name, key
    return None
