"""`jax.jit` for programs of the tests themselves: their compilation is most of what they cost."""

from functools import partial

import jax

from jaxcogc.runtime import compiler_options

quick_jit = partial(jax.jit, compiler_options=compiler_options(jax.default_backend(), quick=True))
