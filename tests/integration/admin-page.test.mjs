// SPDX-License-Identifier: MIT
// What the page of the admin listeners makes of figures, without a browser:
// the module the daemons serve, fed with what they say and with odd text.
// (In a browser: tests/e2e/admin.test.mjs.)

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { freePort, freePortRange, makeCertificates, root, scratch, startDaemon } from "../support/edge.mjs";

const source = fs.readFileSync(path.join(root, "common/app/page/figures.js"), "utf8");
const page = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const text = (accepted, refused) => `# HELP turn_server_requests_total TURN requests received
# TYPE turn_server_requests_total counter
turn_server_requests_total ${accepted}
# HELP turn_server_dropped_total packets dropped
# TYPE turn_server_dropped_total counter
turn_server_dropped_total{reason="rate"} ${refused}
turn_server_dropped_total{reason="malformed"} 0
# TYPE turn_server_responses_total counter
turn_server_responses_total{code="401"} 7
turn_server_responses_total{code="486"} 2
# TYPE turn_server_time_seconds histogram
turn_server_time_seconds_bucket{le="+Inf"} 3
turn_server_time_seconds_sum 1.5
turn_server_time_seconds_count 3
`;

describe("figures of the page", () => {
  test("samples, labels with escapes, and histograms under one name", () => {
    const families = page.parseMetrics(`${text(1, 2)}odd{a="x\\"}\\\\ <b>",c="d, e\\nf"} 4\nnot a line\n`);
    assert.equal(families.get("turn_server_requests_total").help, "TURN requests received");
    assert.deepEqual(families.get("odd").samples, [{ name: "odd", labels: { a: 'x"}\\ <b>', c: "d, e\nf" }, value: 4 }]);
    assert.equal(families.get("turn_server_time_seconds").samples.length, 3);
    assert.equal(families.has("not"), false);
  });

  test("rates come from the daemon's own clock, and a restart begins anew", () => {
    const series = new page.Series();
    const look = (accepted, refused, ms) => series.add("turn-server", page.parseMetrics(text(accepted, refused)), ms);
    look(10, 0, 1000);
    assert.equal(series.of(["requests"])[0].rate, 0);
    look(30, 4, 3000);
    assert.equal(series.of(["requests"])[0].rate, 10);
    look(99, 9, 3000); // the same moment again
    assert.equal(series.of(["requests"])[0].rate, 10);
    assert.deepEqual(page.refusals(series).map((s) => [page.title(s), s.rate]),
      [["dropped: rate", 2], ["responses: 486", 0]]);
    const tile = page.tiles("turn-server", series).find((t) => t.title === "Dropped");
    assert.deepEqual([tile.value, tile.rate, tile.points], [4, 2, [2]]);
    look(5, 0, 100); // another process
    assert.equal(series.of(["requests"])[0].rate, 0);
    assert.equal(series.of(["requests"])[0].value, 5);
    for (let i = 1; i < 400; i++) look(5 + i, 0, 100 + i * 1000);
    assert.equal(series.of(["requests"])[0].points.length, page.KEEP);
  });

  test("what is not as it should be is told", () => {
    const day = Math.floor(Date.now() / 1000);
    const told = (status, more = {}) => page.alerts({ ready: true, reasons: "", status, ...more });
    assert.deepEqual(told({}), []);
    assert.deepEqual(told({}, { error: "connection refused" }), [{ bad: true, text: "No answer: connection refused" }]);
    assert.deepEqual(told({}, { ready: false, reasons: "one\ntwo\n" }).map((a) => a.text), ["Not ready: one", "Not ready: two"]);
    const ends = (days) => told({ certificates: [{ subject: "CN=x", file: "f", not_after: day + days * 86400 + 60 }] });
    assert.deepEqual([ends(40), ends(20)[0].bad, ends(3)[0].bad, ends(-2)[0].text],
      [[], false, true, "The certificate of CN=x has ended."]);
    const media = told({ media_servers: [{ group: "g", transport: "udp", address: "a:1", up: false }] });
    assert.deepEqual(media, [{ bad: true, text: "a:1 (g, udp): down" }]);
    const web = told({ upstreams: [{ name: "u", servers: [{ server: "b:1", state: "ejected", failures: 1 }] }] });
    assert.deepEqual(web, [{ bad: false, text: "b:1 (u): ejected" }]);
  });

  test("numbers as people read them", () => {
    assert.deepEqual([0, 7, 0.253, 12.34, 1234, 99999, 123456, 12345678, 4e9].map((n) => page.human(n)),
      ["0", "7", "0.25", "12.3", "1,234", "99,999", "123\u00A0k", "12.3\u00A0M", "4\u00A0G"]);
    assert.equal(page.human(1536000, "bit/s"), "1.54\u00A0Mbit/s");
    assert.deepEqual([0.2, 8, 61, 750, 3700, 90061].map(page.duration), ["0 s", "8 s", "1 min", "12 min", "1 h 1 min", "1 d 1 h"]);
  });
});

test("page.json of each daemon is one moment: status, readiness, metrics, when certificates end", async () => {
  const dir = scratch();
  const made = await makeCertificates(path.join(dir, "pki"));
  fs.writeFileSync(path.join(dir, "secret"), "north-star-secret\n", { mode: 0o600 });
  const relay = await freePortRange(10);
  const configs = {
    "web-proxy": { listen: [`https:127.0.0.1:${await freePort()}`], certificate: [made.cert], key: [made.key],
      upstream: ["cc=http://127.0.0.1:1"], route: ["/app=cc"] },
    "sip-proxy": { listen: [`wss:127.0.0.1:${await freePort()}`, `tls:127.0.0.1:${await freePort()}`,
      `udp:127.0.0.1:${await freePort()}`], certificate: made.cert, key: made.key,
      "media-server": [`default=udp:127.0.0.1:${await freePort()}`] },
    "turn-server": { listen: [`tls:127.0.0.1:${await freePort()}`], "relay-address": ["127.0.0.1"],
      "relay-ports": `${relay}-${relay + 9}`, realm: "edge.test", "secret-file": path.join(dir, "secret"),
      certificate: made.cert, key: made.key },
  };
  for (const [name, config] of Object.entries(configs)) {
    const daemon = await startDaemon(name, { config: { ...config, workers: 1 } });
    try {
      const { status, body } = await daemon.admin("/page.json");
      assert.equal(status, 200);
      const shown = JSON.parse(body);
      assert.equal(shown.name, name);
      assert.equal(shown.ready, true);
      assert.equal(shown.reasons, "");
      assert.ok(shown.ms > 0);
      // Told once, though two listeners of sip-proxy have it.
      assert.equal(shown.status.certificates.length, 1, name);
      const [certificate] = page.certificates(shown.status);
      assert.ok([29, 30].includes(certificate.days), `${certificate.days}`);
      // A second may have gone by since it was said.
      assert.ok([0, 1].includes(shown.status.certificates[0].days_left - certificate.days));
      const ends = [...page.parseMetrics(shown.metrics).values()]
        .find((f) => f.name.endsWith("_certificate_expiry_timestamp_seconds"));
      assert.equal(ends.samples.length, 1);
      assert.equal(ends.samples[0].value * 1000, certificate.ends.getTime());
      assert.equal(ends.samples[0].labels.file, made.cert);
      const series = new page.Series();
      series.add(name, page.parseMetrics(shown.metrics), shown.ms);
      assert.ok(page.tiles(name, series).length >= 6, name);
    } finally {
      await daemon.stop();
    }
  }
});
