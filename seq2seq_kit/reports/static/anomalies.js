// What a reader sees of a detection and does with it: threshold, tables, figure. The events are those of anomalies_cut.js.
"use strict";
const MOST_POINTS = 3000, MOST_BANDS = 1500, MOST_NUMBERS = 40, MOST_PEAKS = 150, MOST_ROWS = 500, FEW_COLUMNS = 3;
const SCORE = 170, PANEL = 130, BETWEEN = 24;  // pixels
const PER = `per ${detector.per}`;
const BLACK = "#1b1b1b", BLUE = "#0072b2", RED = "#d55e00", GREEN = "#009e73", BAND = "rgba(230,159,0,.28)";

const state = {threshold: detector.threshold, series: 0, range: null, shown: new Set(), chosen: null, by: "severity", down: true, events: []};

// ---- threshold -------------------------------------------------------------------------------------------------------------
const [LOW, HIGH] = detector.limits, STEPS = 1000;
const toThreshold = step => LOW * (HIGH / LOW) ** (step / STEPS);
const toStep = threshold => Math.round(STEPS * Math.log(threshold / LOW) / Math.log(HIGH / LOW));

function choose(threshold) {
  if (!(threshold > 0) || !Number.isFinite(threshold)) return;
  state.threshold = threshold;
  state.events = eventsOf(threshold);
  state.chosen = null;
  const slider = byId("slider"), here = state.events.filter(event => event.series === state.series).length;
  slider.value = toStep(threshold);
  if (document.activeElement !== byId("threshold")) byId("threshold").value = Number(threshold.toPrecision(6));
  const rate = alarms(threshold), count = `${state.events.length.toLocaleString("en")} ${state.events.length === 1 ? "event" : "events"}`;
  const where = series.length > 1 ? ` (${here} in this series)` : "";
  const expectedAlarms = Number.isFinite(rate) ? `; expected false alarms ${PER}: ${figure(rate)}` : "";
  const labels = labelled.length ? `, ${foundOf(state.events)} of ${labelled.length.toLocaleString("en")} labelled stretches found` : "";
  byId("said").textContent = `Threshold ${figure(threshold)}: ${count}${where}${labels}${expectedAlarms}. To use it: --threshold ${Number(threshold.toPrecision(6))}`;
  slider.setAttribute("aria-valuetext", `threshold ${figure(threshold)}, ${count}${expectedAlarms}`);
  drawSoon();
}

// ---- tables ----------------------------------------------------------------------------------------------------------------
const FIELDS = [
  ["number", "#"], ...(series.length > 1 ? [["series", "series"]] : []), ["severity", "severity"], ["cause", "column"],
  ["start", "start"], ["end", "end"], ["time", "peak"], ["steps", "steps"], ["rate", PER],
  ...(labelled.length ? [["labelled", "labelled"]] : [])];
const WORDS = ["series", "cause", "labelled"];

function strongest(event) {
  const order = columns.map((_, number) => number).filter(number => shares[number][event.peak] > 0);
  return order.sort((one, other) => shares[other][event.peak] - shares[one][event.peak] || one - other);
}

const percent = share => `${Math.round(100 * share)} %`;

function cause(event) {
  const first = strongest(event)[0];
  return first === undefined ? "-" : `${columns[first]} ${percent(shares[first][event.peak])}`;
}

function ordered() {
  const value = event => state.by === "cause" ? cause(event) : state.by === "series" ? event.series : state.by === "labelled" ? isLabelled(event) : event[state.by];
  const sign = state.down ? -1 : 1;
  return [...state.events].sort((one, other) => {
    const [left, right] = [value(one), value(other)];
    return left === right ? one.number - other.number : sign * (left < right ? -1 : 1);
  });
}

function drawEvents() {
  const head = element("tr");
  for (const [field, words] of FIELDS) {
    const sorted = state.by === field, mark = sorted ? (state.down ? " ▼" : " ▲") : "";
    const button = element("button", {type: "button", "data-field": field, onclick: () => sort(field)}, words + mark);
    const left = WORDS.includes(field) ? {class: "left"} : {};
    head.append(element("th", {scope: "col", "aria-sort": sorted ? (state.down ? "descending" : "ascending") : "none", ...left}, button));
  }
  const {field: focused, event: open} = document.activeElement?.dataset ?? {};
  byId("events").tHead.replaceChildren(head);
  if (focused) head.querySelector(`[data-field="${focused}"]`)?.focus();
  const rows = ordered().slice(0, MOST_ROWS).map(event => {
    const button = element("button", {type: "button", "data-event": event.number, "aria-label": `Zoom to event ${event.number}`, onclick: () => zoomTo(event)}, String(event.number));
    const cells = {number: button, series: series[event.series], start: place(event.start), end: place(event.end), time: place(event.time),
                   steps: event.steps.toLocaleString("en"), severity: figure(event.severity), rate: (event.score > detector.rates[0].at(-1) ? "≤ " : "") + figure(event.rate), cause: cause(event),
                   labelled: isLabelled(event) ? "yes" : "no"};
    const made = element("tr", {"aria-selected": String(state.chosen === event)});
    for (const [field] of FIELDS) made.append(element("td", {class: WORDS.includes(field) ? "left" : "number"}, cells[field]));
    made.addEventListener("click", () => zoomTo(event));
    return made;
  });
  byId("events").tBodies[0].replaceChildren(...rows);
  if (open) byId("events").querySelector(`[data-event="${open}"]`)?.focus();
  const all = state.events.length;
  byId("more").textContent = !all ? "No event at this threshold." : all > MOST_ROWS ? `The first ${MOST_ROWS} of ${all.toLocaleString("en")} events in this order.` : "";
}

function sort(field) {
  state.down = state.by === field ? !state.down : field === "severity" || field === "steps";
  state.by = field;
  drawEvents();
}

function drawColumns() {
  const event = state.chosen, row = event?.peak;
  byId("about-columns").textContent = event
    ? `Shares of the score at the peak of event ${event.number}${series.length > 1 ? `, ${series[event.series]}` : ""}, ${place(event.time)}.`
    : `Shares of the score, over the peaks of all events${series.length > 1 ? " of all series" : ""}. Choose an event to see its own.`;
  const peaks = event ? [row] : state.events.map(each => each.peak);
  const share = columns.map((_, number) => peaks.length ? peaks.reduce((sum, peak) => sum + (shares[number][peak] || 0), 0) / peaks.length : 0);
  const order = columns.map((_, number) => number).sort((one, other) => share[other] - share[one] || one - other);
  const words = ["shown", "column", "share", "", ...(event ? ["actual", "expected"] : [])];
  const head = element("tr");
  words.forEach((word, number) => head.append(element("th", {scope: "col", ...(number === 1 || number === 3 ? {class: "left"} : {})}, word)));
  byId("columns").tHead.replaceChildren(head);
  const focused = document.activeElement?.dataset?.column;
  const rows = order.map(number => {
    const box = element("input", {type: "checkbox", "data-column": number, "aria-label": `Show ${columns[number]}`, onchange: () => show(number)});
    box.checked = state.shown.has(number);
    const bar = element("span", {class: "bar", style: `width: ${(9 * share[number]).toFixed(2)}em`});
    const made = element("tr", {}, element("td", {}, box), element("td", {class: "left"}, data.titled[number]),
                         element("td", {class: "number"}, percent(share[number])), element("td", {class: "left"}, bar));
    if (event) made.append(element("td", {class: "number"}, figure(actual[number][row])), element("td", {class: "number"}, figure(expected[number][row])));
    return made;
  });
  byId("columns").tBodies[0].replaceChildren(...rows);
  if (focused !== undefined) byId("columns").querySelector(`[data-column="${focused}"]`)?.focus();
  return order;
}

function show(number) {
  if (state.shown.has(number)) state.shown.delete(number); else state.shown.add(number);
  drawSoon();
}

// ---- figure ----------------------------------------------------------------------------------------------------------------
const bounds = () => { const [first, end] = ranges[state.series]; return [at[first], at[end - 1]]; };
const halfStep = data.step / 2;

function visible() {
  const [first, end] = ranges[state.series], [from, to] = state.range ?? bounds();
  return [Math.max(first, bisect(at, first, end, from) - 1), Math.min(end, bisect(at, first, end, to) + 2)];
}

/** A line in pieces: a gap in time breaks it, also where its rows were thinned. */
function line(values, first, end) {
  const x = [], y = [];
  let before = -1;
  for (const row of thinned(first, end, row => values[row], MOST_POINTS)) {
    if (before >= 0 && segment[before] !== segment[row]) { x.push(at[row]); y.push(null); }
    x.push(at[row]); y.push(Number.isNaN(values[row]) ? null : values[row]);
    before = row;
  }
  return {x, y, type: "scatter", mode: x.length < 200 ? "lines+markers" : "lines", marker: {size: 4}, connectgaps: false};
}

function bands(first, end, from, to) {
  const x = [], y = [], numbers = {x: [], y: [], text: []}, least = (to - from) / 800;
  const here = state.events.filter(event => event.series === state.series && event.last >= first && event.first < end);
  for (const event of [...here].sort((one, other) => one.first - other.first)) {
    const middle = (event.start + event.end) / 2, half = Math.max((event.end - event.start) / 2 + halfStep, least);
    const [left, right] = [middle - half, middle + half], last = x.at(-3);
    if (last !== undefined && last >= left) { x[x.length - 3] = x[x.length - 4] = Math.max(last, right); continue; }
    if (x.length > 6 * MOST_BANDS) break;
    x.push(left, left, right, right, left, null); y.push(0, 1, 1, 0, 0, null);
  }
  const room = (to - from) / 50;  // of a number; one that would stand on a more severe event's is left out
  for (const event of here) {
    if (numbers.x.length >= MOST_NUMBERS || numbers.x.some(other => Math.abs(other - event.time) < room)) continue;
    numbers.x.push(event.time); numbers.y.push(1); numbers.text.push(event === state.chosen ? `<b>[${event.number}]</b>` : String(event.number));
  }
  return [{x, y, name: "event", type: "scatter", mode: "lines", fill: "toself", fillcolor: BAND, line: {color: RED, width: 1}, hoverinfo: "skip",
           fillpattern: {shape: "/", size: 7, solidity: .1, fgcolor: "rgba(213,94,0,.35)", bgcolor: BAND}},
          {...numbers, type: "scatter", mode: "text", textposition: "top center", textfont: {color: RED, size: 12}, hoverinfo: "skip", showlegend: false, cliponaxis: false},
          here];
}

/** The labelled stretches, as a strip of their own between two heights of the figure. */
function strip(first, end, from, to, low, high) {
  const x = [], y = [], least = (to - from) / 800;
  for (const [begin, last] of labelled) {
    if (last < first || begin >= end || x.length > 6 * MOST_BANDS) continue;
    const middle = (at[begin] + at[last]) / 2, half = Math.max((at[last] - at[begin]) / 2 + halfStep, least);
    x.push(middle - half, middle - half, middle + half, middle + half, middle - half, null); y.push(low, high, high, low, low, null);
  }
  return {x, y, name: "labelled", type: "scatter", mode: "lines", fill: "toself", fillcolor: GREEN, line: {color: GREEN, width: 1}, hoverinfo: "skip", yaxis: "y"};
}

function draw() {
  waiting = false;
  drawEvents();
  const order = drawColumns();
  const shown = order.filter(number => state.shown.has(number)).sort((one, other) => one - other);
  const [first, end] = visible(), [from, to] = state.range ?? bounds(), [band, numbers, here] = bands(first, end, from, to);
  const panels = shown.length, height = SCORE + PANEL * panels, score = SCORE / height, room = PANEL / height, gap = BETWEEN / height;
  const traces = [{...band, yaxis: "y"}, {...numbers, yaxis: "y"}], above = panels || labelled.length ? score - gap : score;
  if (labelled.length) traces.push(strip(first, end, from, to, above + gap / 5, above + gap * 3 / 5));
  const layout = {
    height: height + 100, margin: {l: 70, r: 20, t: 60, b: 40}, paper_bgcolor: "#fff", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified",
    legend: {orientation: "h", x: 0, y: 1 + 22 / height, yanchor: "bottom"}, dragmode: "zoom", font: {family: "system-ui, sans-serif", size: 13, color: BLACK},
    xaxis: {type: data.clock ? "date" : "linear", range: [from - halfStep, to + halfStep], anchor: "y2", gridcolor: "#e3e7ea", zeroline: false, title: {text: data.clock ? "" : "row"}},
    yaxis: {domain: [0, 1], range: [0, 1], fixedrange: true, visible: false},
    yaxis2: {domain: [0, above], title: {text: "score"}, type: byId("log").checked ? "log" : "linear", gridcolor: "#e3e7ea", zeroline: false, fixedrange: true},
    shapes: [], annotations: []};
  if (!byId("log").checked) layout.yaxis2.rangemode = "tozero";
  shown.forEach((number, panel) => {
    const axis = `y${panel + 3}`, top = 1 - panel * room;
    layout[`yaxis${panel + 3}`] = {domain: [top - room, top - gap], gridcolor: "#e3e7ea", zeroline: false, fixedrange: true};
    layout.annotations.push({xref: "paper", yref: "paper", x: 0, y: top - gap, xanchor: "left", yanchor: "bottom", showarrow: false, text: label(data.titled[number]), font: {size: 12}});
    const legend = {legendgroup: "line", showlegend: panel === 0};
    traces.push({...line(actual[number], first, end), ...legend, name: "actual", legendgroup: "actual", yaxis: axis, line: {color: BLACK, width: 1.3}});
    traces.push({...line(expected[number], first, end), ...legend, name: "expected", legendgroup: "expected", yaxis: axis, line: {color: BLUE, width: 1.6, dash: "dash"}, marker: {size: 4, symbol: "x", color: BLUE}});
  });
  traces.push({...line(scores, first, end), name: "score", yaxis: "y2", line: {color: "#555", width: 1.3}, marker: {size: 3, color: "#555"}});
  for (const [name, level, dash] of [["threshold", state.threshold, "solid"], ["exit", state.threshold * detector.exit, "dot"]]) {
    if (name === "exit" && detector.exit === 1) continue;
    traces.push({x: [from - halfStep, to + halfStep], y: [level, level], name, yaxis: "y2", mode: "lines", line: {color: RED, width: 1.6, dash}, hoverinfo: "skip"});
  }
  const peaks = here.slice(0, MOST_PEAKS);
  traces.push({x: peaks.map(event => event.time), y: peaks.map(event => event.score), name: "peak", yaxis: "y2", mode: "markers", hoverinfo: "skip",
               marker: {symbol: "triangle-down", size: 10, color: RED, line: {color: "#fff", width: 1}}});
  const where = series.length > 1 ? `series ${series[state.series]}, ` : "";
  byId("figure").setAttribute("aria-label", `${where}${place(from)} to ${place(to)}: ${shown.map(number => columns[number]).join(", ")} actual and expected, ` +
    `the score below with the threshold ${figure(state.threshold)}, ${here.length} events shaded${labelled.length ? `, ${labelled.filter(([first, last]) => last >= visible()[0] && first < visible()[1]).length} labelled stretches on a strip above the score` : ""}. The table below has the same events.`);
  byId("shown").textContent = `${place(from)} to ${place(to)}, ${(end - first).toLocaleString("en")} rows` + (end - first > MOST_POINTS ? ", drawn by the smallest and largest of neighbours" : "");
  Plotly.react("figure", traces, layout, {displaylogo: false, displayModeBar: innerWidth > 700, responsive: true, doubleClick: false, modeBarButtons: [["zoom2d", "pan2d", "toImage"]]});
  if (!bound) bind();
}

let waiting = false, bound = false;
function drawSoon() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }

function bind() {
  bound = true;
  byId("figure").on("plotly_relayout", changed => {
    const from = changed["xaxis.range[0]"] ?? changed["xaxis.range"]?.[0], to = changed["xaxis.range[1]"] ?? changed["xaxis.range"]?.[1];
    if (from !== undefined) zoom(number(from), number(to));
  });
  byId("figure").on("plotly_doubleclick", () => zoom(...bounds()));
}

/** Plotly gives times as text on the data's own clock. */
const number = value => typeof value === "string" ? Date.parse(value.replace(" ", "T") + (value.includes(":") ? "Z" : "T00:00Z")) : Number(value);

function zoom(from, to) {
  const [low, high] = bounds(), width = Math.max(Math.min(to - from, high - low), data.step);
  const start = Math.min(Math.max(from, low), high - width);
  state.range = width >= high - low ? null : [start, start + width];
  drawSoon();
}

function scaled(factor) {
  const [from, to] = state.range ?? bounds(), middle = (from + to) / 2, half = factor * (to - from) / 2;
  zoom(middle - half, middle + half);
}

function moved(by) {
  const [from, to] = state.range ?? bounds();
  zoom(from + by * (to - from), to + by * (to - from));
}

function zoomTo(event) {
  state.series = event.series;
  byId("series").value = event.series;
  state.chosen = event;
  const around = Math.max(2 * (event.end - event.start), 60 * data.step);
  for (const number of strongest(event).slice(0, 1)) state.shown.add(number);
  zoom(event.start - around, event.end + around);
}

// ---- beginning -------------------------------------------------------------------------------------------------------------
byId("series-choice").hidden = series.length < 2;
byId("series").append(...series.map((name, number) => element("option", {value: number}, name)));
byId("series").addEventListener("change", event => { state.series = Number(event.target.value); state.range = null; choose(state.threshold); });
byId("slider").addEventListener("input", event => choose(toThreshold(Number(event.target.value))));
byId("threshold").addEventListener("input", event => choose(Number(event.target.value)));
byId("reset").textContent = `Back to ${figure(detector.threshold)}`;
byId("reset").addEventListener("click", () => choose(detector.threshold));
byId("log").addEventListener("change", drawSoon);
for (const [id, act] of Object.entries({in: () => scaled(.5), out: () => scaled(2), earlier: () => moved(-.5), later: () => moved(.5), all: () => zoom(...bounds())})) byId(id).addEventListener("click", act);
byId("events").addEventListener("keydown", event => {
  const by = {ArrowDown: 1, ArrowUp: -1}[event.key], buttons = [...byId("events").tBodies[0].querySelectorAll("button")];
  const next = by && buttons[buttons.indexOf(document.activeElement) + by];
  if (next) { event.preventDefault(); next.focus(); }
});
for (const text of data.facts) byId("facts").append(element("p", {class: "quiet"}, text));
state.events = eventsOf(state.threshold);
byId("log").checked = data.spread > 30;
const total = columns.map((_, number) => state.events.reduce((sum, event) => sum + (shares[number][event.peak] || 0), 0));
const telling = columns.map((_, number) => number).sort((one, other) => total[other] - total[one] || one - other);
telling.slice(0, FEW_COLUMNS).forEach(number => state.shown.add(number));
if (state.events.length) state.series = state.events[0].series;
byId("series").value = state.series;
choose(state.threshold);
