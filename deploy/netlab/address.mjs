// SPDX-License-Identifier: MIT
// Just enough arithmetic with IPv4 and IPv6 addresses and networks.

import net from "node:net";

function value6(text) {
  const [head, tail] = text.split("::");
  const words = (s) => (s ? s.split(":").map((w) => BigInt(parseInt(w, 16))) : []);
  const [left, right] = [words(head), words(tail)];
  const middle = tail === undefined ? [] : Array(8 - left.length - right.length).fill(0n);
  return [...left, ...middle, ...right].reduce((sum, word) => (sum << 16n) | word, 0n);
}

/** "10.0.0.1" → {family: 4, bits: 32, value}. */
export function parseAddress(text) {
  const family = net.isIP(text);
  if (family === 4)
    return { family, bits: 32, value: text.split(".").reduce((sum, b) => (sum << 8n) | BigInt(b), 0n) };
  if (family === 6) return { family, bits: 128, value: value6(text) };
  throw new Error(`'${text}' is no IP address`);
}

function format({ family, value }) {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const words = Array.from({ length: 8 }, (_, i) => (value >> BigInt(112 - 16 * i)) & 0xffffn);
  return words.map((word) => word.toString(16)).join(":");
}

/** "10.0.0.0/16" → {text, family, prefix, first, size}. */
export function parseNetwork(text) {
  const [base, prefix] = text.split("/");
  const { family, bits, value } = parseAddress(base);
  return { text, family, prefix: Number(prefix), first: value, size: 1n << BigInt(bits - prefix) };
}

export function contains(network, address) {
  const { family, value } = parseAddress(address);
  return family === network.family && value >= network.first && value < network.first + network.size;
}

/** The nth address from the end of a network, the broadcast address not counted. */
export function fromEnd(network, n) {
  return format({ family: network.family, value: network.first + network.size - 2n - BigInt(n) });
}
