"""Speed, measured: `python -m benchmarks decode|pipeline|real|scaling|plot`."""
