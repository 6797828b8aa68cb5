"""Formulas as MathML, which browsers draw by themselves: no script, no font and no network.

The translation from TeX is Docutils' own. A command that it does not know is a warning, so that
`make docs` fails.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

_LOG = logging.getLogger(__name__)


def _translated(node: Any, as_block: bool) -> str:
    try:
        return tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
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
