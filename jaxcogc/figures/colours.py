"""The colours of all pictures; also of those that Matplotlib does not draw."""

COLOURS = {
    "gc": "#D55E00",
    "gc_plus": "#0072B2",
    "row_space": "#009E73",
    "other": "#7A5195",
    "note": "#555555",
}
"""Of the three decoders (Okabe and Ito's, for any colour vision), of the rest, of remarks."""

CURVE_COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#7A5195", "#000000"),
)
"""Of curves that no decoder tells apart, one after the other."""
