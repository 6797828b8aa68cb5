"""JAX as the package expects it, whatever a user has set for himself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import jax


@contextmanager
def plain_settings() -> Iterator[None]:
    """Within the block JAX has its own defaults where others would change numbers or be errors.

    Those are the order of Threefry's counters, the implementation behind a bare seed, the precision
    of products, and promotion and transfers that are forbidden. Whether JAX has 64 bits stays as it
    is. For use as a decorator too.
    """
    with ExitStack() as stack:
        stack.enter_context(jax.threefry_partitionable(True))
        stack.enter_context(jax.default_prng_impl("threefry2x32"))
        stack.enter_context(jax.default_matmul_precision(None))
        stack.enter_context(jax.numpy_dtype_promotion("standard"))
        stack.enter_context(jax.numpy_rank_promotion("allow"))
        stack.enter_context(jax.transfer_guard("allow"))
        yield
