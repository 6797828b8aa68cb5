from .atomic_files import write_atomically as write_atomically
from .cores import one_device_per_core as one_device_per_core
from .devices import compiler_options as compiler_options
from .devices import describe_devices as describe_devices
from .devices import device_mesh as device_mesh
from .devices import devices_that_divide as devices_that_divide
