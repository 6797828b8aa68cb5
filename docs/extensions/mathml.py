"""Formulas as MathML, which browsers draw by themselves: no script and no network.

The translation from TeX is Docutils' own. A command that it does not know is a warning, so that
`make docs` fails. Browsers want a font that knows where indices stand: STIX Two Math comes along.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

_PACKAGE = importlib.util.find_spec("ziamath")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
FONT = Path(_PACKAGE.origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
"""For pages to take along."""

_LOG = logging.getLogger(__name__)


_LINES = '<mtable class="ams-align">'
_FENCE = re.compile(r'<mo( class="mathopen")?>([‖|⟨⟩])</mo>')


def _fence(found: re.Match[str]) -> str:
    """Bars as high as letters, close to what they enclose: browsers stretch one of a pair alone."""
    side = "prefix" if found[1] or found[2] == "⟨" else "postfix"
    return f'<mo form="{side}" stretchy="false" lspace="0" rspace="0">{found[2]}</mo>'


def _translated(node: Any, as_block: bool) -> str:
    try:
        made = tex2mathml(node.astext(), as_block=as_block)
        return _FENCE.sub(_fence, made).replace(_LINES, _LINES[:-1] + ' displaystyle="true">')
    except (MathError, IndexError) as error:  # the latter of a script that has no base
        _LOG.warning("formula %r: %s", node.astext(), error, location=node)
        return ""


def _write_inline(writer: Any, node: Any) -> None:
    writer.body.append(_translated(node, as_block=False))
    raise nodes.SkipNode


def _write_block(writer: Any, node: Any) -> None:
    """A displayed formula; its number stands beside it, in a box that scrolls on narrow screens."""
    writer.body.append(writer.starttag(node, "div", CLASS="formula"))
    writer.body.append(_translated(node, as_block=True))
    if node["number"]:
        number = get_node_equation_number(writer, node)
        writer.body.append(f'<span class="eqno">({number})</span>')
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Offer the renderer "mathml"."""
    app.add_html_math_renderer("mathml", (_write_inline, None), (_write_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
