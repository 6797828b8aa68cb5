"""The GPUs that are planned for, as XLA wants them described."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """A GPU.

    Attributes:
      name: as its driver gives it.
      capability: major and minor, of its machine code.
      multiprocessors: each with four schedulers, an instruction of 32 lanes a cycle.
      clock_ghz: that it keeps under load; the peak is some 10 % above.
      memory_bytes: of the device.
      bandwidth: of its memory, bytes per second.
      shared_bytes: shared memory of a multiprocessor; a block may have 1 KiB less.
      cache_bytes: of the second level.
      tensor_flops: of TF32 products a second by tensor cores, without sparsity, by its data sheet.
    """

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    clock_ghz: float
    memory_bytes: int
    bandwidth: int
    shared_bytes: int
    cache_bytes: int
    tensor_flops: float

    @property
    def plain_flops(self) -> float:
        """Of single-precision products and sums a second, without tensor cores."""
        return self.multiprocessors * self._lanes * 2 * self.clock_ghz * 1e9

    @property
    def _lanes(self) -> int:
        """Of single precision in a multiprocessor."""
        return 128 if self.capability[0] >= 9 else 64

    @property
    def description(self) -> str:
        """A `GpuTargetConfigProto` in text. The versions of driver and toolkit decide which loops
        and branches may enter command buffers."""
        major, minor = self.capability
        return f"""gpu_device_info {{
          name: "{self.name}" driver_version: "13.0.0" runtime_version: "13.0.0"
          compile_time_toolkit_version: "13.0.0" threads_per_block_limit: 1024
          threads_per_warp: 32 shared_memory_per_block: 49152
          shared_memory_per_core: {self.shared_bytes} threads_per_core_limit: 2048
          core_count: {self.multiprocessors} fpus_per_core: {self._lanes}
          block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
          memory_bandwidth: {self.bandwidth} l2_cache_size: {self.cache_bytes}
          clock_rate_ghz: {self.clock_ghz} device_memory_size: {self.memory_bytes}
          shared_memory_per_block_optin: {self.shared_bytes - 1024}
          cuda_compute_capability {{ major: {major} minor: {minor} }}
          registers_per_core_limit: 65536 registers_per_block_limit: 65536 }}
        platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 10 }}
        runtime_version {{ major: 13 }} device_description_str: "{self.name}" """


TARGETS = {
    "h100": Target(
        "NVIDIA H100 80GB HBM3",
        (9, 0),
        132,
        1.755,
        80 << 30,
        3352320000000,
        228 << 10,
        50 << 20,
        494.7e12,
    ),
    "h200": Target(
        "NVIDIA H200", (9, 0), 132, 1.755, 141 << 30, 4800000000000, 228 << 10, 50 << 20, 494.7e12
    ),
    "a100": Target(
        "NVIDIA A100-SXM4-80GB",
        (8, 0),
        108,
        1.275,
        80 << 30,
        2039000000000,
        164 << 10,
        40 << 20,
        156e12,
    ),
}
