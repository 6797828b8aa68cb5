from .collection.collect import collect as collect
from .results.records import load as load
