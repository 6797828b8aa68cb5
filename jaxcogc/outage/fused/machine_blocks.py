"""The few steps of the fused kernel that are written in a GPU's own assembler, PTX.

Triton compiles a block of assembler at once, and a hundred operations one by one: with these blocks
the kernel compiles in seconds, without them in minutes. Each block says the same in plain
operations, which interpret mode runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, reduce
from operator import add
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.pallas import triton

from jaxcogc._types import Array
from jaxcogc.runtime.random_words import KEY_PARITY, ROTATIONS, threefry

U32 = np.uint32
_HALF = np.uint64(32)


class MachineBlock(NamedTuple):
    """A step of the kernel.

    Attributes:
      text: PTX; operands are $1, $2, .., all of them 32-bit registers, and the result is $0.
      plain: the same of arrays uint32; gives one, or with ``wide`` two.
      wide: the result is a 64-bit register, which holds two words, the lower one first.
    """

    text: str
    plain: Callable[..., Any]
    wide: bool = False


def apply(block: MachineBlock, on_gpu: bool, *operands: Array) -> Any:
    """Run a block: uint32 vectors of one shape in, one (or two) of them out.

    Args:
      block: the step.
      on_gpu: by assembler; else by plain operations.
      *operands: uint32 vectors.
    """
    if not on_gpu:
        return block.plain(*operands)
    # Signed results: JAX 0.10 gives the operation a sign whatever is asked for.
    kind = jnp.int64 if block.wide else jnp.int32
    with jax.enable_x64(block.wide):
        (found,) = triton.elementwise_inline_asm(
            "{ " + block.text + " }",
            args=list(operands),
            constraints=("=l" if block.wide else "=r") + ",r" * len(operands),
            pack=1,
            result_shape_dtypes=[jax.ShapeDtypeStruct(operands[0].shape, kind)],
        )
        if not block.wide:
            return found.astype(jnp.uint32)
        both = found.astype(jnp.uint64)
        return both.astype(jnp.uint32), (both >> _HALF).astype(jnp.uint32)


@cache
def threefry_block() -> MachineBlock:
    """Two words of Threefry.

    Operands: the counter (2), the key (2), its parity word, and of the five later additions to the
    second word the key's word with the number of the addition added.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
    """
    lines = [".reg .u32 x, y", "add.u32 x, $1, $3", "add.u32 y, $2, $4"]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            lines += ["add.u32 x, x, y", f"shf.l.wrap.b32 y, y, y, {rotation}", "xor.b32 y, y, x"]
        lines += [f"add.u32 x, x, ${3 + (group + 1) % 3}", f"add.u32 y, y, ${6 + group}"]

    def plain(first: Array, second: Array, *schedule: Array) -> tuple[Array, Array]:
        return threefry((schedule[0], schedule[1]), (first, second))

    return MachineBlock(_joined([*lines, "mov.b64 $0, {x, y}"]), plain, wide=True)


def key_schedule(first: Array, second: Array) -> tuple[Array, ...]:
    """The operands of `threefry_block` behind the counter, from the two words of a key."""
    words = (first, second, first ^ second ^ KEY_PARITY)
    return *words, *(words[(group + 2) % 3] + U32(group + 1) for group in range(5))


@cache
def arrival_block() -> MachineBlock:
    """Whether a link's word lies above its threshold, shifted into what was found before.

    Operands: the word, the complement of the threshold's upper word, the bits found so far. Gives
    these, doubled, with the new bit; and the word less the threshold less one, which is all ones
    where they tie (then the second words decide).
    """
    lines = [".reg .u32 d, f", "add.cc.u32 d, $1, $2", "addc.u32 f, $3, $3", "mov.b64 $0, {f, d}"]

    def plain(word: Array, room: Array, found: Array) -> tuple[Array, Array]:
        return found + found + (word > ~room).astype(jnp.uint32), word + room

    return MachineBlock(_joined(lines), plain, wide=True)


@cache
def product_block(modulus: int, pairs: int) -> MachineBlock:
    """The Montgomery product of two field elements, or the sum of two such products.

    Operands: factors in pairs, each at most ``modulus`` (odd, between 2^30 and 2^31). Gives the sum
    of the products times 2^-32, below ``modulus``.

    Source: docs/mathematics/null_vector.md, "One null vector decides everything".
    """
    factor = pow(modulus, -1, 2**32)
    lines = [".reg .u64 t", ".reg .u32 l, h, m", "mul.wide.u32 t, $1, $2"]
    lines += [f"mad.wide.u32 t, ${2 * n + 1}, ${2 * n + 2}, t" for n in range(1, pairs)]
    lines += ["mov.b64 {l, h}, t", f"mul.lo.u32 m, l, {factor}", f"mul.hi.u32 m, m, {modulus}"]
    lines += ["sub.u32 h, h, m", f"add.u32 m, h, {modulus}", "min.u32 $0, h, m"]

    def plain(*factors: Array) -> Array:
        with jax.enable_x64(True):
            wide = [x.astype(jnp.uint64) for x in factors]
            total = reduce(add, (a * b for a, b in zip(wide[::2], wide[1::2], strict=True)))
            multiple = (total.astype(jnp.uint32) * U32(factor)).astype(jnp.uint64)
            upper = (total >> _HALF).astype(jnp.uint32)
            upper = upper - (multiple * np.uint64(modulus) >> _HALF).astype(jnp.uint32)
        return jnp.minimum(upper, upper + U32(modulus))

    return MachineBlock(_joined(lines), plain)


def _joined(lines: list[str]) -> str:
    return "; ".join(lines) + ";"
