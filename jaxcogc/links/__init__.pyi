from .draws import Links as Links
from .draws import draw_links as draw_links
from .memory import LinkDynamics as LinkDynamics
from .network import Network as Network
