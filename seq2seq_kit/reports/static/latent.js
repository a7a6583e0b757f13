// A map of windows, and the window that is pointed at.
"use strict";
const {series, titled} = data;
const x = unpacked(data.x), y = unpacked(data.y), scores = unpacked(data.scores), of = unpacked(data.of);
const first = unpacked(data.first), last = unpacked(data.last), starts = unpacked(data.starts), lengths = unpacked(data.lengths);
const values = data.values.map(unpacked);
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1b1b1b", "#8c8c00"];
const SYMBOLS = ["circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon"];
const NAMED = 40;  // series with a place in the legend
const state = {chosen: 0, held: false};
const font = {family: "system-ui, sans-serif", size: 13, color: "#1b1b1b"};
const grid = {gridcolor: "#e3e7ea", zeroline: false};

const all = [...x.keys()];
const order = [...all].sort((one, other) => of[one] - of[other] || first[one] - first[other]);

const only = data.named === "sequences" ? {score: "reconstruction error", steps: "length"} : {time: data.clock ? "time" : "row", score: "reconstruction error"};
const choices = {...only, ...(series.length > 1 && data.named !== "sequences" ? {series: "series"} : {})};
byId("by").append(...Object.entries(choices).map(([value, words]) => element("option", {value}, words)));
for (const text of data.facts) byId("facts").append(element("p", {class: "quiet"}, text));

function traces() {
  const by = byId("by").value, some = numbers => ({x: numbers.map(n => x[n]), y: numbers.map(n => y[n]), customdata: numbers, mode: "markers", type: "scatter", hoverinfo: "none"});
  const ring = {x: [x[state.chosen]], y: [y[state.chosen]], mode: "markers", type: "scatter", hoverinfo: "skip", showlegend: false,
                marker: {size: 18, color: "rgba(0,0,0,0)", line: {color: "#1b1b1b", width: 3}}};
  if (by === "series") {
    const found = series.slice(0, NAMED).map((name, number) => ({...some(all.filter(n => of[n] === number)), name: label(name, 30),
      marker: {size: 7, color: COLOURS[number % COLOURS.length], symbol: SYMBOLS[(number + Math.floor(number / COLOURS.length)) % SYMBOLS.length], opacity: .8}}));
    if (series.length > NAMED) found.push({...some(all.filter(n => of[n] >= NAMED)), name: `${series.length - NAMED} others`, marker: {size: 5, color: "#9aa5b1"}});
    return [...found, ring];
  }
  // The largest errors lie on top; where one is far off, the scale ends at what nearly all others have.
  const value = {time: n => first[n], score: n => scores[n], steps: n => lengths[n]}[by], numbers = [...all].sort((one, other) => value(one) - value(other));
  const known = numbers.map(value).filter(Number.isFinite), low = known[0] ?? 0, high = known[by === "score" ? Math.floor(.99 * (known.length - 1)) : known.length - 1] ?? 1;
  const ticks = [0, .25, .5, .75, 1].map(part => low + part * (high - low));
  const words = ticks.map(tick => by === "time" ? place(data.clock ? tick : Math.round(tick)) : figure(tick));
  return [{...some(numbers), showlegend: false, marker: {size: 7, opacity: .85, color: numbers.map(value), colorscale: "Cividis", reversescale: by !== "time", cmin: low, cmax: high > low ? high : low + 1,
    colorbar: {title: {text: choices[by], side: "right"}, tickvals: ticks, ticktext: words, thickness: 14}}}, ring];
}

function drawMap() {
  const layout = {margin: {l: 50, r: 10, t: 30, b: 40}, hovermode: "closest", dragmode: "pan", font, xaxis: {...grid, title: {text: "first axis"}}, yaxis: {...grid, title: {text: "second axis"}}, legend: {itemsizing: "constant"}, uirevision: "map"};
  Plotly.react("map", traces(), layout, {displaylogo: false, responsive: true, scrollZoom: true, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]]});
}

const named = n => `${series.length > 1 ? series[of[n]] + ", " : ""}${data.named === "sequences" ? `${lengths[n]} steps` : `${place(first[n])} to ${place(last[n])}`}`;

function drawWindow() {
  const n = state.chosen, rows = [...Array(lengths[n]).keys()], count = titled.length, room = 1 / count, layout = {margin: {l: 60, r: 10, t: 20, b: 40}, font, showlegend: false, annotations: [], xaxis: {...grid, title: {text: "step"}, anchor: count > 1 ? `y${count}` : "y"}};
  const shown = titled.map((name, column) => {
    const axis = column ? String(column + 1) : "", top = 1 - column * room;
    layout[`yaxis${axis}`] = {...grid, domain: [top - room + .01, top - .35 * Math.min(room, .12)]};
    layout.annotations.push({xref: "paper", yref: "paper", x: 0, y: top - .35 * Math.min(room, .12), xanchor: "left", yanchor: "bottom", showarrow: false, text: label(name), font: {size: 12}});
    return {x: rows.map(row => row + 1), y: rows.map(row => { const value = values[column][starts[n] + row]; return Number.isNaN(value) ? null : value; }), yaxis: `y${axis}`, type: "scatter", mode: lengths[n] < 60 ? "lines+markers" : "lines", line: {color: "#1b1b1b", width: 1.5}, marker: {size: 4}, hoverinfo: "x+y"};
  });
  byId("window").setAttribute("aria-label", `${named(n)}: ${titled.join(", ")} by step`);
  byId("said").textContent = `${named(n)}; reconstruction error ${figure(scores[n])}${state.held ? "; held, click again to let go" : ""}`;
  Plotly.react("window", shown, layout, {displayModeBar: false, responsive: true});
}

function choose(n) { state.chosen = n; drawWindow(); Plotly.restyle("map", {x: [[x[n]]], y: [[y[n]]]}, [byId("map").data.length - 1]); }
function step(by) { state.held = true; choose(order[Math.min(Math.max(order.indexOf(state.chosen) + by, 0), order.length - 1)]); }

state.chosen = order[0];
drawMap();
drawWindow();
byId("map").setAttribute("aria-label", `A map of ${x.length} ${data.named}; the arrow keys go from one to the next`);
byId("map").on("plotly_hover", event => { const n = event.points[0].customdata; if (!state.held && n !== undefined) choose(n); });
byId("map").on("plotly_click", event => {
  const n = event.points[0].customdata;
  if (n === undefined) return;
  state.held = !(state.held && n === state.chosen);
  choose(n);
});
byId("by").addEventListener("change", drawMap);
byId("before").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("map").addEventListener("keydown", event => {
  const by = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  if (by) { event.preventDefault(); step(by); }
});
