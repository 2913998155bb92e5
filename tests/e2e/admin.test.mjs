// SPDX-License-Identifier: MIT
// The page of the admin listeners in a real browser: it shows what goes on,
// live, in light and dark and on a phone, asks nobody else for anything, and
// text from elsewhere stays text. The same with all daemons: edgectl dashboard.
//
// EDGE_PICTURES=<folder> keeps pictures of it, with some traffic going on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { browserPath, launchBrowser } from "../support/browser.mjs";
import {
  buildDir, freePort, freePortRange, makeCertificates, missing, runProgram, scratch, sleep, slow, startDaemon,
} from "../support/edge.mjs";
import { respond, SipUdp } from "../support/sip.mjs";
import { echoPeer, timedUser, TurnClient } from "../support/turn_client.mjs";
import { httpServer } from "../support/web.mjs";

const skip = browserPath ? missing("openssl") : "chromium is not installed";
const options = { skip, timeout: 60000 * slow };
const pictures = process.env.EDGE_PICTURES;
const hostile = "<img src=x onerror=hacked=1>";
const dir = scratch();
const daemons = {};
const admin = {};
const ports = {};
const opened = []; // with close()
let browser;

before(async () => {
  if (skip) return;
  const made = await makeCertificates(path.join(dir, "pki"), { days: 120 });
  const odd = path.join(dir, "odd");
  await runProgram("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    "-days", "9", "-subj", `/CN=${hostile}`, "-addext", "subjectAltName=DNS:odd.test",
    "-keyout", `${odd}.key`, "-out", `${odd}.pem`]);
  const media = await SipUdp.open({ onMessage: (m, self) => {
    if (m.method === "OPTIONS") self.send(respond(m, 200, "OK"), m.from);
    return true;
  } });
  const back = await httpServer((request, response) => response.end("hello\n".repeat(400)));
  opened.push(media, back);
  for (const name of ["web", "ws", "sip", "turn", "gone"]) ports[name] = await freePort();
  fs.writeFileSync(path.join(dir, "secret"), "north-star-secret\n", { mode: 0o600 });
  const relay = await freePortRange(60);
  const configs = {
    "web-proxy": { listen: [`http:127.0.0.1:${ports.web}`, `https:127.0.0.1:${await freePort()}`],
      certificate: pictures ? [made.cert] : [made.cert, `${odd}.pem`], key: pictures ? [made.key] : [made.key, `${odd}.key`],
      upstream: [`cc=http://127.0.0.1:${back.port}`, `sip=http://127.0.0.1:${ports.ws}`],
      route: ["/app=cc", "/wssip=sip"], },
    "sip-proxy": { listen: [`ws:127.0.0.1:${ports.ws}`, `udp:127.0.0.1:${ports.sip}`],
      "media-server": [`default=udp:127.0.0.1:${media.port}`, `default=udp:127.0.0.1:${ports.gone}`],
      "probe-interval": "500ms", "probe-timeout": "200ms" },
    "turn-server": { listen: [`udp:127.0.0.1:${ports.turn}`, `tcp:127.0.0.1:${ports.turn}`],
      "relay-address": ["127.0.0.1"], "relay-ports": `${relay}-${relay + 59}`, realm: "edge.test",
      "secret-file": path.join(dir, "secret"), "allow-peer": ["127.0.0.0/8"],
      certificate: made.cert, key: made.key },
  };
  for (const [name, config] of Object.entries(configs)) {
    admin[name] = `127.0.0.1:${await freePort()}`;
    daemons[name] = await startDaemon(name, { dir, config: { ...config, "admin-listen": admin[name], workers: 1 } });
  }
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  for (const daemon of Object.values(daemons)) await daemon.stop();
  for (const one of opened) await one.close();
});

/** A page, and what it did that it should not. */
async function open(url, look = {}) {
  const context = await browser.newContext(look);
  const page = await context.newPage();
  const faults = [];
  const { origin } = new URL(url);
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) faults.push(m.text()); });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (r) => { if (new URL(r.url()).origin !== origin) faults.push(`asked for ${r.url()}`); });
  await page.goto(url);
  await page.waitForSelector("body[data-state]", { timeout: 10000 * slow });
  return { page, faults, close: () => context.close() };
}

const tile = (program, title) => `#daemon-${program} .tile[data-key="${title}"] strong`;

/** Wait until the text of an element matches. */
const reads = (page, selector, pattern) => page.waitForFunction(
  ([s, p]) => new RegExp(p).test(document.querySelector(s)?.textContent ?? ""), [selector, pattern],
  { timeout: 15000 * slow });

async function allocate() {
  const turn = await TurnClient.open({ port: ports.turn, realm: "edge.test", ...timedUser("north-star-secret") });
  await turn.allocate();
  return turn;
}

test("figures change while one looks", options, async () => {
  const { page, faults, close } = await open(`http://${admin["turn-server"]}/`);
  await reads(page, tile("turn-server", "Allocations"), "^0$");
  const client = await allocate();
  await reads(page, tile("turn-server", "Allocations"), "^1$");
  await reads(page, tile("turn-server", "Sessions"), "^1$");
  // A wrong password is a refusal, with its reason.
  const stranger = await TurnClient.open({ port: ports.turn, realm: "edge.test", user: "9999999999:x", password: "no" });
  await stranger.allocate().catch(() => {});
  stranger.close();
  await reads(page, "#daemon-turn-server .refusals tbody", "auth failed: integrity");
  await client.refresh(0);
  client.close();
  await reads(page, tile("turn-server", "Allocations"), "^0$");
  assert.match(await page.textContent(".configuration"), /turn-server\.json/);
  assert.match(await page.textContent(".configuration"), new RegExp(`udp 127\\.0\\.0\\.1:${ports.turn}`));
  assert.match(await page.textContent(".certificates"), /1(19|20)/);
  await page.click("summary");
  await page.fill("input[type=search]", "binding requests");
  await reads(page, ".all tbody", "^bindings");
  assert.equal(await page.locator(".all tbody tr").count(), 1);
  assert.deepEqual(faults, []);
  await close();
});

test("servers inside that are down are told, and text of others stays text", options, async () => {
  const sip = await open(`http://${admin["sip-proxy"]}/`);
  await reads(sip.page, ".servers tbody", "down");
  await reads(sip.page, ".alerts", `${ports.gone}.*down`);
  assert.deepEqual(sip.faults, []);
  await sip.close();
  const web = await open(`http://${admin["web-proxy"]}/`);
  if (!pictures) {
    await reads(web.page, ".certificates tbody", "<img src");
    await reads(web.page, ".alerts", "ends in [89] days");
  }
  await web.page.click("summary");
  await reads(web.page, ".all tbody", "requests");
  assert.equal(await web.page.evaluate(() => globalThis.hacked), undefined);
  assert.equal(await web.page.locator("img").count(), 0);
  assert.deepEqual(web.faults, []);
  await web.close();
});

/** Contrast of two colours as the browser tells them, by WCAG 2. */
function contrast(one, other) {
  const light = (text) => text.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((n, v, i) => n + v * [0.2126, 0.7152, 0.0722][i], 0);
  const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}

const colours = (page, selectors) => page.evaluate((list) => list.map((s) => {
  let node = document.querySelector(s);
  const front = getComputedStyle(node).color;
  for (; node; node = node.parentElement) {
    const back = getComputedStyle(node).backgroundColor;
    if (!/, 0\)$/.test(back)) return [s, front, back];
  }
  return [s, front, "rgb(255, 255, 255)"];
}), selectors);

for (const colorScheme of ["light", "dark"])
  test(`${colorScheme}: readable, and on a phone without scrolling sideways`, options, async () => {
    const { page, faults, close } = await open(`http://${admin["sip-proxy"]}/`,
      { colorScheme, viewport: { width: 360, height: 740 } });
    await reads(page, ".alerts", "down");
    const told = await colours(page, ["h1", ".facts", ".pill", ".alerts li", ".tile .what", ".tile strong",
      ".servers td:nth-child(3)", "th", "summary", "dt"]);
    for (const [selector, front, back] of told)
      assert.ok(contrast(front, back) >= 4.5, `${selector}: ${front} on ${back}`);
    const [[, , ground]] = await colours(page, ["h1"]);
    assert.equal(contrast(ground, "rgb(0, 0, 0)") > 10, colorScheme === "light");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    // Everything that can be used has a name.
    for (const input of await page.locator("input").all())
      assert.ok(await input.evaluate((node) => node.labels.length));
    assert.deepEqual(faults, []);
    await close();
  });

/** edgectl dashboard: { url, stop() }. */
async function dashboard(...args) {
  const child = spawn(path.join(buildDir, "deploy/edgectl/edgectl"), ["dashboard", "--dir", dir, ...args],
    { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  const [line] = await Promise.race([once(child.stdout.setEncoding("utf8"), "data"),
    ended.then(() => { throw new Error("edgectl dashboard ended"); })]);
  return { url: line.trim(), async stop() { child.kill("SIGTERM"); return (await ended)[0]; } };
}

const statusOf = (url, headers = {}, method = "GET") => new Promise((done, fail) => {
  http.request(url, { headers, method }, (answer) => { answer.resume(); done(answer.statusCode); })
    .on("error", fail).end();
});

test("edgectl dashboard shows the three, to who knows its address only", options, async () => {
  const { url, stop } = await dashboard();
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/$/);
  const { origin } = new URL(url);
  assert.equal(await statusOf(`${url}page.json`), 200);
  for (const [where, headers] of [[`${origin}/`], [`${origin}/page.json`], [`${url.slice(0, -3)}00/page.json`],
    [url.slice(0, -1)], [`${url}status`]])
    assert.equal(await statusOf(where, headers), 404, where);
  assert.equal(await statusOf(url, { Host: "evil.example" }), 403);
  assert.equal(await statusOf(`${url}page.json`, {}, "POST"), 405);
  assert.equal(await statusOf(`${url}drain`, {}, "POST"), 404);

  const { page, faults, close } = await open(url);
  for (const name of Object.keys(daemons)) await reads(page, `#overview [data-key="${name}"]`, "ready");
  const client = await allocate();
  await reads(page, tile("turn-server", "Allocations"), "^1$");
  await reads(page, '#overview [data-key="turn-server"]', "1 sessions");
  // One that hangs holds up neither the others nor the page.
  daemons["sip-proxy"].signal("SIGSTOP");
  try {
    await reads(page, "#daemon-sip-proxy .pill", "no answer");
    await client.refresh(0);
    await reads(page, tile("turn-server", "Allocations"), "^0$");
  } finally {
    daemons["sip-proxy"].signal("SIGCONT");
  }
  await reads(page, "#daemon-sip-proxy .pill", "ready");
  client.close();
  assert.deepEqual(faults, []);
  await close();
  assert.equal(await stop(), 0);
});

test("edgectl dashboard listens on loopback only, and needs a daemon", options, async () => {
  const program = path.join(buildDir, "deploy/edgectl/edgectl");
  for (const listen of ["0.0.0.0:0", "10.0.0.1:80", "[::]:0", "x", "70000"]) {
    const refused = await runProgram(program, ["dashboard", "--dir", dir, "--listen", listen]);
    assert.equal(refused.code, 2, listen);
    assert.match(refused.stderr, /--listen .*loopback/);
  }
  assert.equal((await runProgram(program, ["dashboard", "--dir", scratch()])).code, 3);
  const taken = await runProgram(program, ["dashboard", "--dir", dir, "--listen", admin["web-proxy"]]);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /cannot serve: .*in use/i);
});

/** Some clients of each kind, until the function it returns is called. */
async function traffic() {
  const peer = await echoPeer();
  const clients = await Promise.all(Array.from({ length: 7 }, allocate));
  for (const c of clients) { await c.permit("127.0.0.1"); await c.bind(0x4000, "127.0.0.1", peer.port); }
  let on = true;
  let turn = 0;
  const load = (async () => {
    while (on) {
      turn++;
      for (const c of clients)
        for (let i = 0; i < 3 + 2 * Math.sin(turn / 9); i++) c.channelData(0x4000, Buffer.alloc(172));
      if (turn % 2 === 0) fetch(`http://127.0.0.1:${ports.web}/app/x`).then((r) => r.text(), () => {});
      if (turn % 17 === 0) fetch(`http://127.0.0.1:${ports.web}/nothing`).then((r) => r.text(), () => {});
      await sleep(60);
    }
  })();
  return async () => { on = false; await load; clients.forEach((c) => c.close()); peer.close?.(); };
}

test("pictures", { skip: skip || (pictures ? false : "EDGE_PICTURES names no folder"), timeout: 300000 }, async () => {
  const end = await traffic();
  const { url, stop } = await dashboard();
  const views = [];
  for (const colorScheme of ["light", "dark"]) {
    views.push([`turn-server-${colorScheme}`, await open(`http://${admin["turn-server"]}/`,
      { colorScheme, viewport: { width: 1180, height: 700 } })]);
    views.push([`dashboard-${colorScheme}`, await open(url, { colorScheme, viewport: { width: 1180, height: 780 } })]);
    views.push([`web-phone-${colorScheme}`, await open(`http://${admin["web-proxy"]}/`,
      { colorScheme, viewport: { width: 380, height: 700 } })]);
  }
  await sleep(Number(process.env.EDGE_PICTURES_AFTER ?? 40) * 1000);
  for (const [name, view] of views) {
    await view.page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: /phone/.test(name) });
    await view.close();
  }
  await end();
  await stop();
});
