/* SPDX-License-Identifier: MIT */
#include "app/admin_internal.h"

/* A page that needs nothing but itself: its parts come from the same place,
 * as the Content-Security-Policy demands. */

static const char page[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>%s</title>\n"
    "<link rel=\"stylesheet\" href=\"/page.css\">\n"
    "<h1>%s</h1>\n"
    "<p id=\"state\" role=\"status\">…</p>\n"
    "<dl id=\"facts\"></dl>\n"
    "<table><thead><tr><th>figure<th>now<th>per second<th>last two minutes"
    "</thead><tbody id=\"figures\"></tbody></table>\n"
    "<p><a href=\"/status\">status</a> <a href=\"/metrics\">metrics</a> "
    "<a href=\"/readyz\">ready?</a></p>\n"
    "<script src=\"/page.js\"></script>\n";

static const char style[] =
    ":root { color-scheme: light dark; --line: #8885; --accent: #2a7ae2; }\n"
    "body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem;\n"
    "       margin: 2rem auto; padding: 0 1rem; }\n"
    "h1 { font-size: 1.4rem; margin-bottom: 0; }\n"
    "dl { display: grid; grid-template-columns: max-content 1fr;\n"
    "     gap: 0 1rem; }\n"
    "dt { opacity: .7; } dd { margin: 0; }\n"
    "table { border-collapse: collapse; width: 100%; }\n"
    "th, td { text-align: right; padding: .2rem .6rem;\n"
    "         border-bottom: 1px solid var(--line);\n"
    "         font-variant-numeric: tabular-nums; }\n"
    "th:first-child, td:first-child { text-align: left; }\n"
    ".idle { opacity: .55; }\n"
    ".bad { color: #c0392b; font-weight: 600; }\n"
    "svg { width: 120px; height: 20px; stroke: var(--accent); fill: none;\n"
    "      stroke-width: 1.5; }\n";

static const char script[] =
    "'use strict';\n"
    "const EVERY = 2000, KEEP = 60, history = new Map();\n"
    "let before = 0;\n"
    "const at = id => document.getElementById(id);\n"
    "function node(name, text) {\n"
    "  const n = document.createElement(name);\n"
    "  n.textContent = text;\n"
    "  return n;\n"
    "}\n"
    "function plot(values) {\n"
    "  const ns = 'http://www.w3.org/2000/svg';\n"
    "  const svg = document.createElementNS(ns, 'svg');\n"
    "  const line = document.createElementNS(ns, 'polyline');\n"
    "  const top = Math.max(1, ...values);\n"
    "  svg.setAttribute('viewBox', '0 0 120 20');\n"
    "  line.setAttribute('points', values.map((v, i) =>\n"
    "    `${i * 120 / (KEEP - 1)},${19 - 18 * v / top}`).join(' '));\n"
    "  svg.append(line);\n"
    "  return svg;\n"
    "}\n"
    "function facts(status) {\n"
    "  const list = [];\n"
    "  for (const [key, value] of Object.entries(status)) {\n"
    "    if (key === 'stats') continue;\n"
    "    list.push(node('dt', key), node('dd', typeof value === 'object'\n"
    "      ? JSON.stringify(value) : String(value)));\n"
    "  }\n"
    "  at('facts').replaceChildren(...list);\n"
    "}\n"
    "function figures(stats) {\n"
    "  const rows = [], now = performance.now();\n"
    "  const seconds = Math.max(0.001, (now - before) / 1000);\n"
    "  before = now;\n"
    "  for (const [key, value] of Object.entries(stats)) {\n"
    "    const h = history.get(key) || { last: value, rates: [] };\n"
    "    const rate = (value - h.last) / seconds;\n"
    "    h.last = value;\n"
    "    h.rates.push(Math.abs(rate));\n"
    "    if (h.rates.length > KEEP) h.rates.shift();\n"
    "    history.set(key, h);\n"
    "    const row = document.createElement('tr');\n"
    "    const cell = document.createElement('td');\n"
    "    cell.append(plot(h.rates));\n"
    "    row.className = value ? '' : 'idle';\n"
    "    row.append(node('td', key), node('td', value.toLocaleString()),\n"
    "               node('td', Math.round(rate).toLocaleString()), cell);\n"
    "    rows.push(row);\n"
    "  }\n"
    "  at('figures').replaceChildren(...rows);\n"
    "}\n"
    "async function refresh() {\n"
    "  const state = at('state');\n"
    "  try {\n"
    "    const status = await (await fetch('/status')).json();\n"
    "    state.textContent = status.state;\n"
    "    state.className = status.state === 'running' ? '' : 'bad';\n"
    "    facts(status);\n"
    "    figures(status.stats || {});\n"
    "  } catch (e) {\n"
    "    state.textContent = 'no answer';\n"
    "    state.className = 'bad';\n"
    "  }\n"
    "}\n"
    "refresh();\n"
    "setInterval(refresh, EVERY);\n";

bool admin_page(const struct admin *admin, struct span path, struct buf *body,
                const char **ret_type)
{
    if (span_is(path, "/")) {
        buf_printf(body, page, admin->program, admin->program);
        *ret_type = "text/html; charset=utf-8";
    } else if (span_is(path, "/page.css")) {
        buf_put_str(body, style);
        *ret_type = "text/css; charset=utf-8";
    } else if (span_is(path, "/page.js")) {
        buf_put_str(body, script);
        *ret_type = "text/javascript; charset=utf-8";
    } else {
        return false;
    }
    return true;
}
