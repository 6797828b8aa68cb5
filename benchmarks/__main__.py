"""`python -m benchmarks`: the command line, in a process of its own with all of its cores."""

import sys

from jaxcogc.runtime import one_device_per_core

if __name__ == "__main__":
    one_device_per_core()  # before JAX is imported, which reads it then
    from benchmarks.command import main

    sys.exit(main())
