"""Runs of training from beginning to end: planned, kept in a folder, told while they go on."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
