from .live_run import LiveRun as LiveRun
from .live_run import show_progress as show_progress
from .planning import TrainOptions as TrainOptions
from .planning import plan_training as plan_training
from .result import TrainingResult as TrainingResult
from .training_run import run_plan as run_plan
from .training_run import train as train
