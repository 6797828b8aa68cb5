"""The check of public signatures bites, and loses no doctest."""

import ast
import doctest
import importlib.util
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Bool, Float64, TypeCheckError

from jaxcogc import _types
from jaxcogc._types import Array, Key
from jaxcogc.coding.codes import uncoded
from jaxcogc.coding.encoding import received_matrix
from jaxcogc.coding.gradient_code import GradientCode
from jaxcogc.links.draws import Links, draw_links
from jaxcogc.links.network import Network
from tests.shape_checks import checked, public_names
from tests.source_tree import SOURCES, tree_of

KEY = jax.random.key(0)
NETWORK = Network.homogeneous(3, uplink_erasure=0.5, peer_erasure=0.5)
LINKS = draw_links(KEY, NETWORK, 2)


WEIGHTS = np.array([1.0, 0.0, 0.0])
RESULT = jnp.zeros(3, bool)
DTYPES = ("Bool", "Float", "Float32", "Float64", "Int", "Int32", "Int64", "Key", "UInt32")


@checked
def pass_on(
    key: Key, links: Links, weights: Float64[np.ndarray, "clients"], result: object
) -> Bool[Array, "clients"]:
    return result  # type: ignore[return-value]


def test_a_right_call_passes() -> None:
    assert pass_on(KEY, LINKS, WEIGHTS, RESULT) is RESULT
    mapped = jax.vmap(lambda k: pass_on(k, draw_links(k, NETWORK, 2), WEIGHTS, RESULT))
    assert mapped(jax.random.split(KEY, 5)).shape == (5, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key", jnp.zeros((2, 2), jnp.uint32)),
        ("key", jnp.zeros(2, jnp.int32)),
        ("key", jax.random.split(KEY, 3)),
        ("links", tuple(LINKS)),
        ("weights", WEIGHTS[:2]),
        ("weights", WEIGHTS.astype(np.float32)),
        ("weights", [1.0, 0.0, 0.0]),
        ("links.uplink_delivered", LINKS._replace(uplink_delivered=LINKS.uplink_delivered[0])),
        ("links.peer_delivered", LINKS._replace(peer_delivered=LINKS.peer_delivered[:, :, :2])),
        ("links.peer_delivered", LINKS._replace(peer_delivered=LINKS.peer_delivered[:1])),
        ("links.peer_delivered", LINKS._replace(peer_delivered=jnp.ones((2, 3, 3)))),
        ("result", RESULT[:2]),
    ],
)
def test_a_wrong_value_is_found(name: str, value: object) -> None:
    right = {"key": KEY, "links": LINKS, "weights": WEIGHTS, "result": RESULT}
    with pytest.raises(TypeCheckError, match=rf"pass_on: (argument|the) {re.escape(name)}:"):
        pass_on(**{**right, name.split(".")[0]: value})  # type: ignore[arg-type]


def test_public_functions_and_methods_are_checked() -> None:
    with pytest.raises(TypeCheckError, match="draw_links: argument key"):
        draw_links(np.asarray(jax.random.key_data(KEY)), NETWORK)
    with pytest.raises(TypeCheckError, match=r"Network\.homogeneous: argument num"):
        Network.homogeneous(np.int64(3), uplink_erasure=0.5, peer_erasure=0.5)
    with pytest.raises(TypeCheckError, match=r"GradientCode\.__init__: argument matrix"):
        GradientCode(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.uint32), np.int32(0), "own")


def test_what_a_function_refuses_itself_is_not_checked() -> None:
    with pytest.raises(ValueError, match="uplink_delivered has shape"):
        received_matrix(uncoded(4), LINKS)


def test_shapes_use_the_words_of_the_glossary() -> None:
    """`_word` and `...` say that a length is free, `*word` that an axis may be missing."""
    glossary = set(re.findall(r"^\| (\w+) +\|", _types.__doc__ or "", re.MULTILINE)) - {"word"}
    assert {"clients", "attempts", "rows"} <= glossary
    nodes = [node for path in SOURCES for node in ast.walk(tree_of(path))]
    shapes = {
        ast.literal_eval(node.slice.elts[1])
        for node in nodes
        if isinstance(node, ast.Subscript)
        and getattr(node.value, "id", None) in DTYPES
        and isinstance(node.slice, ast.Tuple)
    }
    words = {word.lstrip("*").removesuffix("+1") for shape in shapes for word in shape.split()}
    assert "clients" in words
    assert {w for w in words - glossary if not (w == "..." or w[0] == "_" or w.isdigit())} == set()


@pytest.mark.parametrize("module", public_names())
def test_doctests_are_found_as_before(module: str) -> None:
    """Of wrapped functions and methods too."""
    source = importlib.util.find_spec(module).loader.get_source(module)
    found = doctest.DocTestFinder().find(importlib.import_module(module))
    assert sum(len(test.examples) for test in found) == source.count(">>> ")
