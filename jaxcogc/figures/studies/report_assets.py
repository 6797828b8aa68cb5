"""Style and script of the report page."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #222; --soft: #595959; --line: #ddd;
  --head: #f3f3f3; --link: #0058a3; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e6e6e6; --soft: #a8adb5;
  --line: #3a3f47; --head: #22262c; --link: #7db8ef; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 0 auto; max-width: 1100px; padding: clamp(10px, 3vw, 24px); overflow-wrap: anywhere; }
a { color: var(--link); }
h1 { margin-bottom: 0; } h2 { margin-top: 2em; border-bottom: 1px solid var(--line); }
figure { margin: 0 0 1em; overflow: hidden; }
table { border-collapse: collapse; font-size: 13px; }
.wide { overflow: auto; max-height: 80vh; }
th, td { padding: 3px 9px; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; overflow-wrap: normal; }
th[scope=row] { font-weight: normal; text-align: left; }
thead th { background: var(--head); position: sticky; top: 0; }
th button { font: inherit; font-weight: bold; color: inherit; background: none; border: 0;
  padding: 4px 0; cursor: pointer; }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
pre { background: var(--head); padding: 12px; overflow-x: auto; font-size: 13px; }
input { font-size: 16px; padding: 6px 10px; width: min(360px, 100%); box-sizing: border-box;
  color: inherit; background: var(--paper); border: 1px solid var(--soft); border-radius: 4px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em; } dd { margin: 0; }
.note, details { color: var(--soft); font-size: 13px; }
"""
SCRIPT = """
const filter = document.getElementById("filter");
const rows = Array.from(document.querySelectorAll("#points tbody tr"));
function apply() {
  const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const match = words.every((word) => row.textContent.toLowerCase().includes(word));
    row.hidden = !match;
    shown += match;
  }
  document.getElementById("shown").textContent = shown + " of " + rows.length + " points";
}
filter.addEventListener("input", apply);
apply();

function value(row, column) {
  const text = row.cells[column].textContent;
  const number = Number(text.split(" ")[0].replaceAll(",", ""));
  return text === "" ? null : Number.isNaN(number) ? text : number;
}
function compare(one, other) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other));
}
for (const head of document.querySelectorAll("th[aria-sort]")) {
  head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    const lines = Array.from(body.rows);
    lines.sort((a, b) => {
      const [one, other] = [value(a, column), value(b, column)];
      const sign = up || one === null || other === null ? 1 : -1;
      return sign * compare(one, other);
    });
    body.append(...lines);
  });
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 700px)");
function dress() {
  const style = getComputedStyle(document.documentElement);
  const names = ["--ink", "--line", "--head", "--soft"];
  const [ink, line, head, soft] = names.map((x) => style.getPropertyValue(x));
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    const entries = chart.data.filter((x) => x.name && x.showlegend !== false).length;
    const below = narrow.matches && entries > 0;
    const change = {
      "font.color": ink, "xaxis.gridcolor": line, "yaxis.gridcolor": line,
      "legend.x": below ? 0 : 1.02,
      "legend.y": below ? -0.22 : 1, "legend.yanchor": "top",
      "margin.l": narrow.matches ? 55 : 70, "modebar.color": soft,
      "modebar.bgcolor": "rgba(0,0,0,0)", "modebar.activecolor": ink,
      width: chart.closest("figure").clientWidth, height: below ? 450 + 24 * (entries + 1) : 460,
    };
    if (chart.layout.updatemenus) {
      change["updatemenus[0].bgcolor"] = head;
      change["updatemenus[0].font.color"] = ink;
    }
    chart.style.height = chart.parentNode.style.height = change.height + "px";
    Plotly.relayout(chart, change);
  }
}
dark.addEventListener("change", dress);
let waiting = null;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(dress, 150); });
if (document.querySelector(".js-plotly-plot")) dress();
"""
CHARTS = {
    "displaylogo": False,
    # Nothing leaves the page: no button, and no address that it could have.
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "modeBarButtonsToRemove": ["sendChartToCloud"],
}
"""How Plotly's charts behave."""
