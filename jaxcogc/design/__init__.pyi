from .link_sensitivity import Sensitivity as Sensitivity
from .link_sensitivity import sensitivity as sensitivity
from .link_sensitivity import weakest_links as weakest_links
from .ring_order import RingOrder as RingOrder
from .ring_order import best_order as best_order
from .ring_order import reorder as reorder
from .search import Design as Design
from .search import design as design
