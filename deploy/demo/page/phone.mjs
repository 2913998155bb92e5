// SPDX-License-Identifier: MIT
// The softphone page: signs in, shows the line and its call, draws the media.
// ?user=alice&ice=relay&turn=udp|tcp|tls preset the form and the settings.

import { Line } from "./line.mjs";
import { Plot } from "./plot.mjs";
import { rates, totals } from "./stats.mjs";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const show = (node, on) => { node.hidden = !on; };

let line = null;
let account = null;
let call = null;
let before = null;
let plots = [];
let refresh = null;

/* ---- events --------------------------------------------------------------- */

function log(text) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString([], { hour12: false });
  item.append(time, ` ${text}`);
  $("events").prepend(item);
  while ($("events").children.length > 60) $("events").lastChild.remove();
}

/* ---- sign in and out -------------------------------------------------------- */

async function fetchLine(token) {
  const answer = await fetch("/xuc/api/2.0/demo/line", {
    headers: { Authorization: `Bearer ${token}` },
  });
  if (!answer.ok) throw new Error(`the application answered ${answer.status}`);
  return { ...(await answer.json()), token };
}

async function signIn(user, password) {
  const answer = await fetch("/xuc/api/2.0/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ login: user, password }),
  });
  if (answer.status === 401) throw new Error("User or password is wrong.");
  if (!answer.ok) throw new Error(`The application answered ${answer.status}.`);
  const { token } = await answer.json();
  sessionStorage.setItem("token", token);
  await open(token);
}

async function open(token) {
  account = await fetchLine(token);
  const echo = account.user === "echo";
  line = new Line(account, reports, { echo });
  line.media.policy = $("policy").value;
  line.media.transport = $("transport").value;
  $("me").textContent = account.name;
  document.title = `${account.name} · Edge demo phone`;
  showContacts();
  show($("sign-in"), false);
  show($("desk"), true);
  show($("who"), true);
  document.body.dataset.view = "desk";
  if (echo) log("this tab answers every call and plays it back");
  line.start();
  refresh = setInterval(renew, (account.ice.ttl * 1000) / 2);
}

// TURN credentials expire; half-way through their life new ones are fetched.
async function renew() {
  try {
    const fresh = await fetchLine(account.token);
    account.ice = fresh.ice;
    log("new TURN credentials");
  } catch (error) {
    log(`TURN credentials not renewed: ${error.message}`);
  }
}

async function signOut() {
  clearInterval(refresh);
  sessionStorage.removeItem("token");
  await line?.stop();
  line = null;
  document.body.dataset.view = "sign-in";
  show($("desk"), false);
  show($("who"), false);
  show($("sign-in"), true);
  document.title = "Edge demo phone";
}

/* ---- the line's reports ------------------------------------------------------- */

const reports = {
  event: log,
  registration(state, text) {
    document.body.dataset.registered = state === "online" ? "yes" : "no";
    $("registration").dataset.state = state;
    $("registration").lastElementChild.textContent = text;
  },
  call(state, now) {
    call = now;
    document.body.dataset.call = state === "ended" ? "idle" : state;
    show($("idle"), state === "ended");
    show($("ringing"), state === "ringing");
    show($("talk"), state === "calling" || state === "talking");
    const initial = now.peer.charAt(0).toUpperCase();
    $("ringing-peer").textContent = $("peer").textContent = now.peer;
    $("ringing-avatar").textContent = $("avatar").textContent = initial;
    if (state === "ringing") $("answer").focus();
    if (state === "ended") endOfCall(now);
    if (state === "calling") $("digits").textContent = "";
    this.changed(now);
  },
  changed(now) {
    $("mute").setAttribute("aria-pressed", String(now.muted));
    $("hold").setAttribute("aria-pressed", String(now.heldByUs));
    $("hold").textContent = now.heldByUs ? "Resume" : "Hold";
    document.body.dataset.held = now.heldByUs ? "us" : now.heldByPeer ? "peer" : "no";
    tick();
  },
  digit(key) {
    $("digits").textContent += key;
    log(`received key ${key}`);
  },
  stream(stream, { quiet }) {
    $("remote").srcObject = stream;
    $("remote").muted = quiet;
  },
};

function endOfCall(ended) {
  const spoken = ended.since ? `, ${clock(Date.now() - ended.since)}` : "";
  $("last").textContent = `Last call: ${ended.peer}${spoken} (${ended.cause})`;
  $("digits").textContent = "";
  show($("keypad"), false);
  $("keys").setAttribute("aria-pressed", "false");
  $("remote").srcObject = null;
  $("level-in").style.width = "0";
  call = null;
  before = null;
}

const clock = (ms) => {
  const s = Math.floor(ms / 1000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
};

function stateText() {
  if (!call) return "";
  if (!call.since) return "calling …";
  if (call.heldByUs) return "on hold";
  if (call.heldByPeer) return "has put you on hold";
  return clock(Date.now() - call.since);
}

function tick() {
  const text = stateText();
  if ($("state").textContent !== text) $("state").textContent = text;
}

/* ---- media figures --------------------------------------------------------------- */

function hop(title, value, note, kind = "") {
  const item = document.createElement("li");
  item.className = kind;
  for (const [name, text] of [["b", title], ["span", value], ["small", note]]) {
    const node = document.createElement(name);
    node.textContent = text;
    item.append(node);
  }
  return item;
}

const place = (c) => `${c.address}${c.port ? `:${c.port}` : ""}`;

function showRoute(now) {
  if (!now?.local || !now.remote) {
    const text = call ? "Looking for a path …" : "No call. The path of the media is shown here.";
    const empty = document.createElement("li");
    empty.className = "empty";
    empty.textContent = text;
    $("route").replaceChildren(empty);
    return;
  }
  const hops = [hop("This browser", account.name, "")];
  if (now.local.relayed)
    hops.push(hop("Our relay", place(now.local), `TURN over ${now.local.protocol.toUpperCase()}`, "relay"));
  else
    hops[0] = hop("This browser", place(now.local), `${now.local.type}, ${now.local.protocol.toUpperCase()}`);
  if (now.remote.relayed)
    hops.push(hop("Their relay", place(now.remote), "TURN", "relay"));
  hops.push(now.remote.relayed
    ? hop("Other side", call?.peer ?? "", "")
    : hop(call?.peer ?? "Other side", place(now.remote), now.remote.type));
  $("route").replaceChildren(...hops);
}

const ms = (value) => (value < 1 ? "< 1 ms" : `${value.toFixed(0)} ms`);
const thousands = (n) => n.toLocaleString("en");

function showTotals(now) {
  $("t-sent").textContent = now ? thousands(now.sent) : "–";
  $("t-received").textContent = now ? thousands(now.received) : "–";
  $("t-jitter").textContent = now ? ms(now.jitter) : "–";
  $("t-lost").textContent = now ? thousands(now.lost) : "–";
  $("t-rtt").textContent = now && now.rtt !== null ? ms(now.rtt) : "–";
}

async function sample() {
  tick();
  const now = await totals(line?.connection).catch(() => null);
  if (!now) {
    showRoute(null);
    return;
  }
  showRoute(now);
  showTotals(now);
  if (before) {
    const second = rates(before, now);
    for (const plot of plots) plot.add(second);
    $("level-in").style.width = `${Math.min(100, Math.round(second.level * 300))}%`;
  } else {
    for (const plot of plots) plot.clear();
  }
  before = now;
}

/* ---- wiring ------------------------------------------------------------------------ */

function showContacts() {
  $("contacts").replaceChildren(...account.contacts.map(({ user, name }) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const badge = document.createElement("i");
    badge.textContent = name.charAt(0);
    badge.setAttribute("aria-hidden", "true");
    button.append(badge, name);
    button.dataset.user = user;
    button.addEventListener("click", () => line.call(user));
    item.append(button);
    return item;
  }));
}

function wire() {
  $("login").addEventListener("submit", async (e) => {
    e.preventDefault();
    show($("login-error"), false);
    try {
      await signIn(new FormData(e.target).get("user"), $("password").value);
      $("password").value = "";
    } catch (error) {
      $("login-error").textContent = error.message;
      show($("login-error"), true);
    }
  });
  $("sign-out").addEventListener("click", signOut);
  $("dial").addEventListener("submit", (e) => {
    e.preventDefault();
    const user = $("target").value.trim();
    if (user) line.call(user);
  });
  $("answer").addEventListener("click", () => line.answer());
  for (const id of ["reject", "hangup"]) $(id).addEventListener("click", () => line.hangUp());
  $("mute").addEventListener("click", () => line.mute(!call.muted));
  $("hold").addEventListener("click", () => line.hold(!call.heldByUs));
  $("keys").addEventListener("click", () => {
    const on = $("keypad").hidden;
    show($("keypad"), on);
    $("keys").setAttribute("aria-pressed", String(on));
  });
  for (const key of "123456789*0#") {
    const button = document.createElement("button");
    button.textContent = key;
    button.addEventListener("click", () => line.digit(key));
    $("keypad").append(button);
  }
  $("policy").value = query.get("ice") === "relay" ? "relay" : "all";
  if (["udp", "tcp", "tls"].includes(query.get("turn"))) $("transport").value = query.get("turn");
  $("policy").addEventListener("change", (e) => { if (line) line.media.policy = e.target.value; });
  $("transport").addEventListener("change",
    (e) => { if (line) line.media.transport = e.target.value; });
  const user = document.querySelector(`input[value="${CSS.escape(query.get("user") ?? "")}"]`);
  if (user) user.checked = true;
  addEventListener("pagehide", () => line?.ua.stop());
}

wire();
plots = [
  new Plot($("plots"), { title: "Packets per second", unit: "", least: 60,
    series: [{ key: "received", label: "received" }, { key: "sent", label: "sent" }] }),
  new Plot($("plots"), { title: "Jitter", unit: "ms", least: 10,
    series: [{ key: "jitter", label: "now" }] }),
  new Plot($("plots"), { title: "Loss", unit: "%", least: 5,
    series: [{ key: "loss", label: "now" }] }),
];
setInterval(sample, 1000);
sample();

const kept = sessionStorage.getItem("token");
if (kept) open(kept).catch(() => sessionStorage.removeItem("token"));

// For the browser's console, and for tests.
window.phone = {
  get line() { return line; },
  get call() { return call; },
  totals: () => totals(line?.connection),
};
