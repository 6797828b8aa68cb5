from .collection.collect import collect as collect
from .collection.progress_line import ProgressLine as ProgressLine
from .results.load import load as load
