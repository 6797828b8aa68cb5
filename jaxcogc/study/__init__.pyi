from .collection.collect import collect as collect
from .results.load import load as load
