from .draws import Links as Links
from .draws import draw_links as draw_links
from .network import Network as Network
