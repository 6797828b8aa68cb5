"""Gradient coding over unreliable links: how often is the global update recovered?

The public names are those of `__init__.pyi`, here and in each folder. That stub, which type
checkers read, is the one list; what it names is loaded on first use, so that `import jaxcogc` (and
`jaxcogc --help`) does not pay for JAX.

>>> import jaxcogc
>>> network = jaxcogc.Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.1)
>>> network.num_clients
4
"""

from lazy_loader import attach_stub

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
