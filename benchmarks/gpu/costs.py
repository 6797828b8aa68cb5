"""What a kernel costs on a GPU that is only described: by its machine code, bytes and products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.gpu.hlo import Instruction, Module
from benchmarks.gpu.machine_code import Kernel, matrix_format, warps_per_second, work_of
from benchmarks.gpu.targets import Target
from benchmarks.gpu.thunks import Thunk

KERNEL_SECONDS = (2.0e-6, 3.5e-6)
"""A small kernel in a command buffer, at best and as often seen."""
LAUNCH_SECONDS = 3e-6
WAIT_SECONDS = 12e-6
REACHED = 0.6
"""Of what bounds a kernel, at worst."""
CACHE_TIMES = 2
"""Of the memory's bandwidth, at best, where everything lies in the second cache."""
LATENCY = 4
"""Cycles from one instruction of a warp to the next that needs its result."""
ASSUMPTIONS = (
    f"a kernel of a command buffer takes {KERNEL_SECONDS[0] * 1e6:g} to"
    f" {KERNEL_SECONDS[1] * 1e6:g} us to start, a launch by the host {LAUNCH_SECONDS * 1e6:g} us, a"
    f" wait of the host {WAIT_SECONDS * 1e6:g} us; kernels run one after another",
    "what a kernel does takes as long as the slowest of three: its instructions, its bytes, its"
    " matrix products. At best that hides the start or is hidden by it; at worst"
    f" {REACHED:.0%} of it is reached and the start comes on top",
    "instructions: the busiest pipe, all schedulers alike, at the target's clock under load; a"
    " warp's instruction takes a scheduler 1 cycle to issue, 2 cycles of the pipe of logic and"
    " additions or of the multiplier, 4 of that for a wide product, of memory and of double"
    f" precision; at worst a warp also waits {LATENCY} cycles for each of its instructions. Loops"
    " inside of kernels count once, but for those of the kernels that draw and decide, whose"
    " rounds are known",
    "bytes: what the kernels of XLA's program read and write, of slices what is taken, at the"
    f" bandwidth of the memory; at best {CACHE_TIMES} times that where arguments and temporaries"
    " fit in the second cache. A copy without a counterpart in XLA's program moves nothing; words"
    " of trials that the kernel for rings keeps in memory count as written once, though it reads"
    " them again",
    "matrix products: at the peak of the tensor cores for the format in the machine code, by the"
    " data sheet",
)


class Cost(NamedTuple):
    """What something costs; sums of what it starts.

    Attributes:
      launches: by the host; a command buffer is one.
      host_waits: how often the host waits for the device.
      kernels: kernels and copies.
      moved: bytes read and written.
      flops: of matrix products.
      starting, arithmetic, memory, products: seconds at best, each kernel's under what bounds it.
      slow: seconds at worst.
      working, multiplying: seconds of all instructions and of all matrix products, hidden behind
        something else or not.
    """

    launches: float = 0.0
    host_waits: float = 0.0
    kernels: float = 0.0
    moved: float = 0.0
    flops: float = 0.0
    starting: float = 0.0
    arithmetic: float = 0.0
    memory: float = 0.0
    products: float = 0.0
    slow: float = 0.0
    working: float = 0.0
    multiplying: float = 0.0

    def plus(self, other: Cost, times: float = 1.0) -> Cost:
        """The sum, the other so many times."""
        return Cost(*(a + times * b for a, b in zip(self, other, strict=True)))

    @property
    def fast(self) -> float:
        """Seconds at best."""
        return self.starting + self.arithmetic + self.memory + self.products

    @property
    def shares(self) -> dict[str, float]:
        """Of the seconds at best, by what bounds the kernels; the largest first."""
        named = {
            "starts": self.starting,
            "arithmetic": self.arithmetic,
            "memory": self.memory,
            "matrix products": self.products,
        }
        whole = self.fast or 1.0
        return {name: x / whole for name, x in sorted(named.items(), key=lambda item: -item[1])}


LAUNCH = Cost(launches=1, starting=LAUNCH_SECONDS, slow=LAUNCH_SECONDS)
WAIT = Cost(host_waits=1, starting=WAIT_SECONDS, slow=WAIT_SECONDS)


class Prices(NamedTuple):
    """By what kernels are priced.

    Attributes:
      target: the GPU.
      module: whose instructions they do.
      kernels: with code of their own, by name.
      trips: rounds of the loops inside of kernels, by the kernels' names.
      in_cache: arguments and temporaries fit in the second cache.
    """

    target: Target
    module: Module
    kernels: Mapping[str, Kernel]
    trips: Mapping[str, Sequence[float]] = {}
    in_cache: bool = False

    def of(self, thunk: Thunk, computation: str, instruction: Instruction | None) -> Cost:
        """One run of a kernel.

        Args:
          thunk: that starts it.
          computation, instruction: what it does; None where that is not known.
        """
        target, kernel = self.target, self.kernels.get(thunk.kernel)
        moved = flops = 0
        if instruction is not None:
            moved = self.module.moved(computation, instruction)
            flops = self.module.multiplied(instruction)
        arithmetic, waiting = self._instructions(kernel, thunk.threads) if kernel else (0.0, 0.0)
        tensor = kernel is None or matrix_format(kernel.code) is not None
        products = flops / (target.tensor_flops if tensor else target.plain_flops)
        memory = moved / target.bandwidth
        cached = memory / CACHE_TIMES if self.in_cache else memory
        bound = {"arithmetic": arithmetic, "memory": cached, "products": products}
        name = max(bound, key=lambda name: bound[name])
        if bound[name] < KERNEL_SECONDS[0]:
            name, bound["starting"] = "starting", KERNEL_SECONDS[0]
        slow = max(max(arithmetic, memory, products) / REACHED, waiting) + KERNEL_SECONDS[1]
        cost = Cost(kernels=1, moved=moved, flops=flops, slow=slow)
        cost = cost._replace(working=arithmetic, multiplying=products)
        return cost._replace(**{name: bound[name]})

    def _instructions(self, kernel: Kernel, threads: int) -> tuple[float, float]:
        """Seconds that all warps' instructions take, and that one warp's take in turn."""
        trips = self.trips.get(kernel.name) or [1.0] * len(kernel.code.loops())
        work = work_of(kernel.code, trips)
        schedulers = 4 * self.target.multiprocessors
        warps = max(-(-threads // 32), schedulers)  # the last scheduler counts
        one = LATENCY * work.instructions / (self.target.clock_ghz * 1e9)
        return warps / warps_per_second(self.target, work.cycles), one
