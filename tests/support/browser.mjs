// SPDX-License-Identifier: MIT
// Chromium without a screen, with a microphone that beeps, and the demo
// softphone in it.

import { chromium } from "playwright-core";
import fs from "node:fs";
import path from "node:path";
import { scratch, waitFor } from "./edge.mjs";

const programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The browser's path, or undefined. */
export const browserPath = process.env.EDGE_BROWSER ?? programs.find((p) => fs.existsSync(p));

/** `namespace`: on that host of a network of namespaces. */
export async function launchBrowser(more = [], { namespace } = {}) {
  const args = [
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    // For HTTPS and for TURN over TLS; the lab's CA is nobody's.
    "--ignore-certificate-errors",
    // Memory-backed folders of containers are small.
    "--disable-dev-shm-usage",
    ...more,
  ];
  // Chromium refuses its own sandbox to root.
  if (process.getuid() === 0) args.push("--no-sandbox");
  if (!namespace) return chromium.launch({ executablePath: browserPath, args });
  const script = path.join(scratch(), "browser");
  fs.writeFileSync(script, `#!/bin/sh\nexec ip netns exec ${namespace} ${browserPath} "$@"\n`, { mode: 0o700 });
  return chromium.launch({ executablePath: script, args });
}

/** One signed-in softphone: a context and a page of its own. */
export class Phone {
  static async open(browser, { url, user, password, query = "" }) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const phone = new Phone(context, page, user);
    page.on("pageerror", (error) => phone.errors.push(String(error)));
    page.on("crash", () => phone.errors.push("the page crashed"));
    await page.goto(`${url}?user=${user}&${query}`);
    await page.fill("#password", password);
    await page.click("#login button[type=submit]");
    await phone.when("registered", "yes");
    return phone;
  }

  constructor(context, page, user) {
    Object.assign(this, { context, page, user, errors: [] });
  }

  /** Wait until the page says so in <body data-…>. */
  async when(name, value, timeout = 15000) {
    try {
      await this.page.waitForSelector(`body[data-${name}="${value}"]`, { timeout });
    } catch (error) {
      throw new Error(`${this.user}: ${name} is not "${value}"; events:\n` +
        (await this.events()).join("\n"), { cause: error });
    }
  }

  events() {
    return this.page.$$eval("#events li", (items) => items.map((li) => li.textContent));
  }

  click(selector) { return this.page.click(selector); }
  text(selector) { return this.page.textContent(selector); }
  totals() { return this.page.evaluate(() => globalThis.phone.totals()); }

  call(user) { return this.page.click(`#contacts [data-user="${user}"]`); }

  /** Wait until `packets` more went each way and something was audible. */
  async hears(packets = 50) {
    const before = await this.totals();
    return waitFor(async () => {
      const now = await this.totals();
      return now && now.sent - before.sent >= packets &&
        now.received - before.received >= packets &&
        now.energy > before.energy && now;
    }, { timeout: 15000, every: 200, what: `${this.user} hears something` });
  }

  async signOut() {
    await this.click("#sign-out");
    await this.when("view", "sign-in");
  }

  /** The page's process dies: no BYE, no unregistration, no close frame. */
  async crash() {
    const session = await this.context.newCDPSession(this.page);
    await Promise.race([
      session.send("Page.crash").catch(() => {}),
      new Promise((done) => this.page.once("crash", done)),
    ]);
    await this.close();
  }

  close() { return this.context.close(); }
}
