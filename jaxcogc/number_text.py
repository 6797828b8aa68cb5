"""Numbers as people read them: in tables, on progress lines, in pictures and reports.

>>> probability_text(0.123456), probability_text(3.2e-7), probability_text(0.0)
('0.12346', '3.200e-07', '0')
>>> interval_text(0.1, 0.3), estimate_text(0.2, 0.1, 0.3)
('0.10000 – 0.30000', '0.2 [0.1, 0.3]')
>>> level_text(0.95, 0.95, 0.9), count_text(1, "attempt"), count_text(2, "attempt")
('95 %, 90 %', '1 attempt', '2 attempts')
>>> value_text(0.1), value_text(True), value_text("cyclic"), value_text(None)
('0.1', 'true', 'cyclic', '')
>>> value_text(1e6), value_text(0.1000001)
('1e+06', '0.1000001')
"""


def probability_text(value: float, digits: int = 5) -> str:
    """A probability with so many digits after the point; a small one in powers of ten.

    >>> probability_text(0.12345, digits=4), probability_text(2.5e-5, digits=4)
    ('0.1235', '2.50e-05')
    """
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    return f"{value:.{digits}f}" if value >= 0.001 else f"{value:.{digits - 2}e}"


def interval_text(low: float, high: float) -> str:
    """The two ends of an interval of probabilities."""
    return f"{probability_text(low)} – {probability_text(high)}"


def estimate_text(best: float, low: float, high: float, gap: str = " ") -> str:
    """An estimate with its interval in little room."""
    return f"{best:.4g}{gap}[{low:.4g}, {high:.4g}]"


def level_text(*levels: float) -> str:
    """Confidence levels, each once."""
    return ", ".join(f"{100 * level:g} %" for level in dict.fromkeys(levels))


def seconds_text(seconds: float) -> str:
    """A duration, roughly.

    >>> seconds_text(42.4), seconds_text(600), seconds_text(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


def count_text(number: int, noun: str) -> str:
    """A number of things; the noun in the singular, with a regular plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def value_text(value: object) -> str:
    """A value on an axis of a grid, no two values alike; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return short if not isinstance(value, float) or float(short) == value else repr(value)
