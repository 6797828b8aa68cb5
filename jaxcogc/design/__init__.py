"""Which code, attempts, scheme and order are the cheapest for a target."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
