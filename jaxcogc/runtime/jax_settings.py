"""JAX as the package expects it, whatever a user has set for himself."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar, cast

import jax

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def plain_settings() -> Iterator[None]:
    """Within the block JAX has its own defaults where others would change numbers or be errors.

    Those are the order of Threefry's counters, the implementation behind a bare seed, the precision
    of products, and what is forbidden: promotion, transfers, NaN and infinity (which stand for "no
    value" in our tables). Programs are compiled, always. Whether JAX has 64 bits stays as it is.
    For use as a decorator too.
    """
    with ExitStack() as stack:
        stack.enter_context(jax.threefry_partitionable(True))
        stack.enter_context(jax.default_prng_impl("threefry2x32"))
        stack.enter_context(jax.default_matmul_precision(None))
        stack.enter_context(jax.numpy_dtype_promotion("standard"))
        stack.enter_context(jax.numpy_rank_promotion("allow"))
        stack.enter_context(jax.transfer_guard("allow"))
        stack.enter_context(jax.debug_nans(False))
        stack.enter_context(jax.debug_infs(False))
        stack.enter_context(jax.disable_jit(False))
        yield


def under_plain_settings(function: F) -> F:
    """Decorate a function that shall run under `plain_settings`; what it returns later does not."""
    settings = plain_settings

    def call(*args: Any, **kwargs: Any) -> Any:
        with settings():
            return function(*args, **kwargs)

    # With the globals of its module: doctest asks for them before it reads a docstring.
    wrapper = types.FunctionType(
        call.__code__, function.__globals__, function.__name__, None, call.__closure__
    )
    return cast("F", functools.wraps(function)(wrapper))
