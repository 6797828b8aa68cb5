"""Learning over bad links: data, models, and what theory says about the rounds."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
