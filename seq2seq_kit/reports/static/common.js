// What the pages share: packed arrays, names as text, thinning, times.
"use strict";
const byId = id => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);

/** An array as Python packed it: base64 of little-endian numbers. */
function unpacked({kind, packed}) {
  const text = atob(packed), bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return new {float64: Float64Array, float32: Float32Array, int32: Int32Array}[kind](bytes.buffer);
}

/** A name for plotly, which reads tags in labels. */
function label(name, most = 60) {
  const short = name.length > most ? name.slice(0, most - 1) + "…" : name;
  return short.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** An element with text or children; text is never markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A number as a person reads it, four digits of it. */
function figure(value) {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? value.toExponential(3) : String(Number(value.toPrecision(4)));
}

const two = number => String(number).padStart(2, "0");

/** A time or a row's number. */
function place(value) {
  if (!data.clock) return `row ${value}`;
  const date = new Date(value), seconds = date.getUTCSeconds(), parts = date.getUTCMilliseconds();
  const day = `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  if (parts) return `${day} ${clock}:${two(seconds)}.${String(parts).padStart(3, "0")}`;
  return `${day} ${clock}${seconds ? ":" + two(seconds) : ""}`;
}

/** Rows from first to end (without it) that draw the same line: of each bin the smallest and the largest. Never used to cut. */
function thinned(first, end, value, most) {
  const kept = [];
  if (end - first <= most) {
    for (let row = first; row < end; row++) kept.push(row);
    return kept;
  }
  const width = Math.ceil((end - first) / (most / 2));
  for (let from = first; from < end; from += width) {
    const to = Math.min(from + width, end);
    let low = -1, high = -1;
    for (let row = from; row < to; row++) {
      const here = value(row);
      if (Number.isNaN(here)) continue;
      if (low < 0 || here < value(low)) low = row;
      if (high < 0 || here > value(high)) high = row;
    }
    if (low < 0) kept.push(from);
    else if (low === high) kept.push(low);
    else kept.push(Math.min(low, high), Math.max(low, high));
  }
  return kept;
}

/** First row from `first` to `end` whose value is not below another: `values` ascend there. */
function bisect(values, first, end, wanted) {
  while (first < end) {
    const middle = (first + end) >> 1;
    if (values[middle] < wanted) first = middle + 1; else end = middle;
  }
  return first;
}
