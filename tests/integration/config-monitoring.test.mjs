// SPDX-License-Identifier: MIT
// Dashboard and alert rules name only figures that the daemons have, the rules
// fire when they should, and a real Prometheus scrapes the three and
// understands every expression.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { freePort, makeCertificates, missing, root, runProgram, scratch, startDaemon, waitFor } from "../support/edge.mjs";

const monitoring = path.join(root, "deploy/monitoring");
const dashboard = JSON.parse(fs.readFileSync(path.join(monitoring, "grafana-dashboard.json"), "utf8"));
const rules = fs.readFileSync(path.join(monitoring, "edge.rules.yml"), "utf8");

/* As Grafana fills them in. */
const fromDashboard = dashboard.panels.flatMap((panel) => panel.targets ?? [])
  .map(({ expr }) => expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*"));

/* Each figure of an expression: its name and the labels it is chosen by. */
function figures(text) {
  return [...text.matchAll(/\b((?:web_proxy|sip_proxy|turn_server)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)]
    .map(([, name, labels]) => ({ name, labels: [...(labels ?? "").matchAll(/([a-z]+)=(~?)"([^"]*)"/g)]
      .filter(([, key]) => key !== "instance")
      .flatMap(([, key, regex, value]) => (regex ? value.split("|") : [value]).map((one) => `${key}="${one}"`)) }));
}

describe("monitoring", () => {
  const daemons = [];
  const targets = {};
  const metrics = {};
  before(async () => {
    const dir = scratch();
    const made = await makeCertificates(dir);
    const secret = path.join(dir, "secret");
    fs.writeFileSync(secret, "0123456789abcdef0123456789abcdef\n", { mode: 0o600 });
    const configs = {
      "web-proxy": { listen: [`https:127.0.0.1:${await freePort()}`], certificate: [made.cert], key: [made.key],
        upstream: ["cc=http://127.0.0.1:1"], route: ["/app=cc"] },
      "sip-proxy": { listen: [`ws:127.0.0.1:${await freePort()}`, `udp:127.0.0.1:${await freePort()}`],
        "media-server": [`default=udp:127.0.0.1:${await freePort()}`] },
      "turn-server": { listen: [`udp:127.0.0.1:${await freePort()}`], "relay-address": ["127.0.0.1"],
        realm: "edge.test", "secret-file": secret },
    };
    for (const [name, config] of Object.entries(configs)) {
      targets[name] = `127.0.0.1:${await freePort()}`;
      const daemon = await startDaemon(name, { config: { ...config, "admin-listen": targets[name], workers: 1 } });
      daemons.push(daemon);
      metrics[name] = await daemon.metrics();
    }
  });
  after(async () => {
    for (const daemon of daemons) await daemon.stop();
  });

  test("every figure named is one of a running daemon, labels included", () => {
    const all = Object.values(metrics).join("");
    const named = [...fromDashboard, rules].flatMap(figures);
    assert.ok(named.length > 50);
    for (const { name, labels } of named) {
      const lines = all.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
      assert.ok(lines.length > 0, name);
      for (const label of labels) assert.ok(lines.some((line) => line.includes(label)), `${name}{${label}}`);
    }
  });

  test("names, units and help texts keep Prometheus's conventions", { skip: missing("promtool") }, async () => {
    for (const [name, text] of Object.entries(metrics)) {
      const done = await runProgram("promtool", ["check", "metrics"], { input: text });
      assert.equal(done.code, 0, `${name}: ${done.stdout}${done.stderr}`);
      assert.equal(done.stdout + done.stderr, "", name);
    }
  });

  test("the rules are well formed and fire when they should", { skip: missing("promtool") }, async () => {
    const dir = scratch();
    fs.copyFileSync(path.join(monitoring, "edge.rules.yml"), path.join(dir, "edge.rules.yml"));
    fs.copyFileSync(path.join(root, "tests/integration/config-rules.yml"), path.join(dir, "test.yml"));
    for (const args of [["check", "rules", "edge.rules.yml"], ["test", "rules", "test.yml"]]) {
      const done = await runProgram("promtool", args, { cwd: dir });
      assert.equal(done.code, 0, done.stdout + done.stderr);
    }
  });

  test("the panels do not overlap and have titles and units", () => {
    const taken = new Set();
    for (const panel of dashboard.panels) {
      assert.ok(panel.title);
      const { x, y, w, h } = panel.gridPos;
      assert.ok(x + w <= 24);
      for (let i = x; i < x + w; i++)
        for (let k = y; k < y + h; k++) {
          assert.ok(!taken.has(`${i},${k}`), panel.title);
          taken.add(`${i},${k}`);
        }
      if (panel.type !== "row") assert.ok(panel.fieldConfig.defaults.unit);
    }
  });

  test("Prometheus scrapes the three and understands every expression", { skip: missing("prometheus") }, async (t) => {
    const dir = scratch();
    const port = await freePort();
    let config = fs.readFileSync(path.join(monitoring, "prometheus.yml"), "utf8");
    Object.keys(targets).forEach((name, i) => { config = config.replaceAll(`127.0.0.1:910${i + 1}`, targets[name]); });
    fs.writeFileSync(path.join(dir, "prometheus.yml"), `global: {scrape_interval: 1s}\n${config}`);
    fs.copyFileSync(path.join(monitoring, "edge.rules.yml"), path.join(dir, "edge.rules.yml"));
    const child = spawn("prometheus", [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`,
      `--web.listen-address=127.0.0.1:${port}`, "--log.level=error"], { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr.on("data", (part) => { log += part; });
    const ended = new Promise((done) => child.once("close", done));
    t.after(async () => { child.kill("SIGKILL"); await ended; });
    const ask = async (query) => (await (await fetch(
      `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`)).json());
    await waitFor(async () => (await ask("sum(up)")).data?.result[0]?.value[1] === "3",
      { timeout: 30000, what: "all three are up" }).catch(async (error) => {
      const seen = await (await fetch(`http://127.0.0.1:${port}/api/v1/targets`)).text();
      throw new Error(`${error.message}\n${log}\n${seen}`);
    });
    for (const expr of fromDashboard) {
      const answer = await ask(expr);
      assert.equal(answer.status, "success", `${expr}: ${answer.error}`);
    }
    const answer = await ask("sum(web_proxy_server_up) + sum(sip_proxy_flows) + sum(turn_server_allocations)");
    assert.equal(answer.data.result.length, 1, "figures of all three");
  });
});
