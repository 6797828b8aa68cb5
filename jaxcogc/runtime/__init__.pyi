from .atomic_files import write_atomically as write_atomically
from .cores import one_device_per_core as one_device_per_core
from .devices import describe_devices as describe_devices
