"""How often a round recovers the global update: exact laws, enumeration, Monte Carlo."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
