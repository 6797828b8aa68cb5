"""Studies on the host: grids of points that are collected, stored, shown.

>>> import jaxcogc.study
>>> jaxcogc.study.load  # doctest: +ELLIPSIS
<function load at ...>
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
