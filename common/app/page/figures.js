// SPDX-License-Identifier: MIT
// What the figures of a daemon mean: from the text that Prometheus reads to
// series with rates and a history, and which of them an operator looks at
// first. No document in here.

export const KEEP = 180; // points of a history

/** The labels of a sample, `a="b",c="d"`, unescaped. */
function labelsOf(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g))
    labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
  return labels;
}

/** Prometheus' text: Map of family name to { name, type, help, samples }. */
export function parseMetrics(text) {
  const families = new Map();
  const family = (name) => {
    if (!families.has(name))
      families.set(name, { name, type: "untyped", help: "", samples: [] });
    return families.get(name);
  };
  for (const line of text.split("\n")) {
    const about = line.match(/^# (HELP|TYPE) (\S+) (.*)$/);
    if (about) {
      family(about[2])[about[1].toLowerCase()] = about[3];
      continue;
    }
    const sample = line.match(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/);
    if (!sample) continue;
    const [, name, labels = "", value] = sample;
    const whole = name.replace(/_(bucket|sum|count)$/, "");
    const owner = families.has(name) ? name : families.has(whole) ? whole : name;
    family(owner).samples.push({ name, labels: labelsOf(labels), value: Number(value) });
  }
  return families;
}

/** "turn_server_dropped_total" is "dropped" where the daemon is known. */
export function shortName(program, name) {
  const prefix = `${program.replaceAll("-", "_")}_`;
  return (name.startsWith(prefix) ? name.slice(prefix.length) : name).replace(/_total$/, "");
}

/** All series of a daemon and how they went on; one object for its life. */
export class Series {
  #all = new Map();
  #last = null; // ms of the daemon's clock

  /** The figures of one moment. */
  add(program, families, ms) {
    const seconds = this.#last === null ? 0 : (ms - this.#last) / 1000;
    // A clock that went back is another process: nothing before counts.
    if (seconds < 0) this.#all.clear();
    if (seconds === 0 && this.#last !== null) return;
    this.#last = ms;
    for (const { name, type, help, samples } of families.values()) {
      if (type === "histogram") continue;
      for (const { labels, value } of samples)
        this.#one(program, { name, type, help, labels, value }, seconds);
    }
  }

  #one(program, { name, type, help, labels, value }, seconds) {
    const words = Object.entries(labels);
    const key = `${name}{${words.map(([k, v]) => `${k}=${v}`)}}`;
    let s = this.#all.get(key);
    if (!s) {
      s = { key, name: shortName(program, name), type, help, labels, points: [], rate: 0 };
      this.#all.set(key, s);
    } else if (seconds > 0) {
      s.rate = type === "counter" ? Math.max(0, (value - s.value) / seconds) : 0;
      s.points.push(type === "counter" ? s.rate : value);
      if (s.points.length > KEEP) s.points.shift();
    }
    s.value = value;
  }

  all() { return [...this.#all.values()]; }

  /** Those of the named families, of which `test` holds. */
  of(names, test = () => true) {
    return this.all().filter((s) => names.includes(s.name) && test(s.labels));
  }
}

/** Several series as one: value, rate and history added up. */
export function sum(list) {
  const length = Math.max(0, ...list.map((s) => s.points.length));
  const points = Array.from({ length }, (_, i) =>
    list.reduce((n, s) => n + (s.points[i - length + s.points.length] ?? 0), 0));
  return {
    points,
    value: list.reduce((n, s) => n + s.value, 0),
    rate: list.reduce((n, s) => n + s.rate, 0),
  };
}

// How TURN clients begin (401) and go on after an hour (438) is no refusal.
const USUAL = new Set(["401", "438"]);
const isRefusedCode = ({ code }) => /^([3-6]..|other)$/.test(code ?? "") && !USUAL.has(code);

// What stands in large figures: families to add up; "now" is a gauge, "rate"
// a counter per second, "warn" one of what should not be, "bits" bytes as
// bit/s. Of one that a daemon does not have nothing is shown.
const TILES = {
  "web-proxy": [
    ["Connections", "now", ["open_sessions"]],
    ["WebSockets", "now", ["open_tunnels"]],
    ["Requests", "rate", ["requests"]],
    ["Answers 4xx, 5xx", "warn", ["answers"], (l) => /^[45]/.test(l.class ?? "")],
    ["Back-end failures", "warn", ["upstream_failed"]],
    ["Content", "bits", ["request_body_bytes", "answer_body_bytes"]],
    ["Refused", "warn", ["refused", "sessions_full"]],
  ],
  "sip-proxy": [
    ["Connections", "now", ["flows"]],
    ["Transactions", "now", ["transactions"]],
    ["Registrations", "rate", ["registrations"]],
    ["Calls tried", "rate", ["invites"]],
    ["Calls answered", "rate", ["answers"]],
    ["Server failures", "warn", ["server_failures"]],
    ["Refused", "warn", ["refused", "malformed", "unknown_source", "flows_refused"]],
  ],
  "turn-server": [
    ["Allocations", "now", ["allocations"]],
    ["Made", "rate", ["allocations_opened"]],
    ["Packets relayed", "rate", ["relayed_packets"]],
    ["Relayed", "bits", ["relayed_bytes", "tcp_relayed_bytes"]],
    ["Requests", "rate", ["requests"]],
    ["Dropped", "warn", ["dropped"]],
    ["Refused", "warn", ["responses"], isRefusedCode],
  ],
};

/** [{ title, kind, value, rate, points, help }] for the large figures. */
export function tiles(program, series) {
  return (TILES[program] ?? []).map(([title, kind, names, test]) => {
    const list = series.of(names, test);
    return { title, kind, found: list.length, help: list[0]?.help ?? "", ...sum(list) };
  }).filter((tile) => tile.found);
}

const REFUSAL = new RegExp("(^|_)(refused|dropped|malformed|banned|full|exhausted|reached|" +
  "throttled|forged|invalid|auth_failed|auth_failures|unknown_source|unknown_users|wrong_peer|closed)(_|$)");
// What ends by itself was not turned away.
const ENDED = new Set(["expired", "released", "disconnected"]);

function isRefusal(s) {
  if (s.type !== "counter" || s.labels.realm !== undefined) return false;
  if (s.name === "responses") return isRefusedCode(s.labels);
  return REFUSAL.test(s.name) && !ENDED.has(s.labels.reason) && s.name !== "reloads_refused";
}

/** Series that count what was turned away, the busiest first; only those that
 * ever did. */
export function refusals(series) {
  return series.all().filter((s) => s.value > 0 && isRefusal(s))
    .sort((a, b) => b.rate - a.rate || b.value - a.value || a.key.localeCompare(b.key));
}

/** "refused: route" for refused_total{reason="route"}. */
export function title(s) {
  const words = Object.values(s.labels);
  return s.name.replaceAll("_", " ") + (words.length ? `: ${words.join(", ")}` : "");
}

const UNITS = [["G", 1e9], ["M", 1e6], ["k", 1e3]];

/** A figure as people read it: 1234 is 1,234, 0.25 is 0.25, 12345678 12.3 M. */
export function human(value, unit = "") {
  const [letter, size] = UNITS.find(([, from]) => value >= from * (from > 1e3 ? 1 : 100)) ?? ["", 1];
  const n = value / size;
  const digits = Number.isInteger(n) ? 0 : n < 10 ? 2 : n < 100 ? 1 : 0;
  const text = n.toLocaleString("en", { maximumFractionDigits: digits });
  return letter || unit ? `${text}\u00A0${letter}${unit}` : text;
}

/** "3 d 4 h", "12 min", "8 s". */
export function duration(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const at = Math.max(0, parts.findIndex(([size]) => seconds >= size));
  if (seconds < 1) return "0 s";
  const [size, name] = parts[at];
  const rest = Math.floor(seconds % size / (parts[at + 1]?.[0] ?? 1));
  return `${Math.floor(seconds / size)} ${name}` +
    (rest && at < 2 ? ` ${rest} ${parts[at + 1][1]}` : "");
}

/** The servers a daemon hands work to: [{ server, group, state, good, failures }]. */
export function servers(status) {
  const media = (status.media_servers ?? []).map((s) => ({
    server: `${s.name ? `${s.name} ` : ""}${s.address}`,
    group: [s.group, s.transport].filter(Boolean).join(", "),
    state: !s.up ? "down" : s.drain ? "drains" : "up",
    good: s.up, failures: null }));
  const upstream = (status.upstreams ?? []).flatMap((u) => (u.servers ?? []).map((s) => ({
    server: s.server, group: u.name, state: s.state,
    good: s.state === "up", failures: s.failures })));
  return [...media, ...upstream];
}

export const SOON = 21, VERY_SOON = 7; // days

/** [{ subject, file, ends: Date, days }] */
export function certificates(status) {
  return (status.certificates ?? []).map(({ subject, file, not_after: end }) => ({
    subject: subject || file, file, ends: new Date(end * 1000),
    days: Math.floor((end * 1000 - Date.now()) / 86400000) }));
}

/** Sentences on what is not as it should be: [{ bad, text }]. */
export function alerts(snapshot) {
  const { status = {}, ready, reasons = "", error } = snapshot;
  if (error) return [{ bad: true, text: `No answer: ${error}` }];
  const list = [];
  if (!ready)
    for (const line of reasons.split("\n").filter(Boolean))
      list.push({ bad: true, text: `Not ready: ${line}` });
  for (const s of servers(status))
    if (!s.good) list.push({ bad: s.state === "down", text: `${s.server} (${s.group}): ${s.state}` });
  for (const c of certificates(status)) {
    if (c.days < 0) list.push({ bad: true, text: `The certificate of ${c.subject} has ended.` });
    else if (c.days < SOON) list.push({ bad: c.days < VERY_SOON,
      text: `The certificate of ${c.subject} ends in ${c.days} days.` });
  }
  return list;
}
