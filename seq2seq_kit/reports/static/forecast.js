// The page of a forecast: a file is read, the graph answers, the newest rows and the rows ahead are drawn and listed.
"use strict";
let session = null, found = null;

const bytesOf = async packed => {
  const text = atob(packed), bytes = Uint8Array.from(text, letter => letter.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
};

async function open() {
  if (session) return session;
  const program = URL.createObjectURL(new Blob([await bytesOf(data.program)], {type: "text/javascript"}));
  const ort = await import(program);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = (await bytesOf(data.runtime)).buffer;
  session = {ort, graph: await ort.InferenceSession.create(await bytesOf(data.graph), {executionProviders: ["wasm"]})};
  return session;
}

async function answer(text) {
  const {windows, left} = windowsOf(text, data), {ort, graph} = await open(), feeds = {};
  for (const [name, [type, values, shape]] of Object.entries(arraysOf(windows, data))) feeds[name] = new ort.Tensor(type, values, shape);
  const output = Object.values(await graph.run(feeds))[0];
  return {windows, left, values: output.data, width: data.names.length / data.targets.length};
}

/** The forecasts of a window and a target: for each step its quantiles, or the one value. */
function stepsOf(window, target) {
  const {values, width} = found, targets = data.targets.length;
  return Array.from({length: data.ahead}, (_, step) =>
    Array.from({length: width}, (_, place) => values[((window * data.ahead + step) * targets + target) * data.written + data.places[place]]));
}

const titleOf = name => data.units[name] ? `${name} (${data.units[name]})` : name;
const textOf = time => data.clock ? place(time) : `row ${time + 1}`;
const middle = steps => steps.map(each => each[(each.length - 1) >> 1]);

function draw() {
  const window = Number(byId("which").value), target = Number(byId("target").value), name = data.targets[target];
  const {rows, history} = found.windows[window], steps = stepsOf(window, target);
  const ahead = steps.map((_, step) => textOf(aheadOf(rows, step, data))), column = data.read.indexOf(name);
  const traces = [];
  if (found.width > 1) {
    traces.push({x: ahead, y: steps.map(each => each.at(-1)), mode: "lines", line: {width: 0}, showlegend: false, hoverinfo: "skip"});
    traces.push({x: ahead, y: steps.map(each => each[0]), mode: "lines", line: {width: 0}, fill: "tonexty", fillcolor: "rgba(0,114,178,.2)", name: `${data.names[target * found.width]} to ${data.names[(target + 1) * found.width - 1]}`});
  }
  if (column >= 0) traces.push({x: history.map(row => textOf(row.time)), y: history.map(row => row.values[column]), mode: "lines", name: "known", line: {color: "#1b1b1b"}});
  traces.push({x: ahead, y: middle(steps), mode: "lines+markers", name: "forecast", line: {color: "#0072b2"}});
  Plotly.react(byId("figure"), traces, {margin: {t: 20}, yaxis: {title: {text: label(titleOf(name))}}, legend: {orientation: "h"}}, {responsive: true, displaylogo: false});
  const body = byId("rows");
  body.replaceChildren(...steps.map((values, step) => element("tr", {}, element("td", {class: "left"}, ahead[step]),
    ...values.map(value => element("td", {class: "number"}, figure(value))))));
  const heads = found.width > 1 ? data.names.slice(target * found.width, (target + 1) * found.width) : [titleOf(name)];
  body.parentElement.tHead.replaceChildren(element("tr", {}, element("th", {class: "left"}, data.time || "step"), ...heads.map(each => element("th", {}, each))));
}

/** The forecast as CSV; every digit that a double has. */
function csv() {
  const quote = text => /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  const lines = [[...(data.series ? [data.series] : []), data.time || "step", ...data.names].map(quote).join(",")];
  found.windows.forEach(({name, rows}, window) => {
    for (let step = 0; step < data.ahead; step++) {
      const values = data.targets.flatMap((_, target) => stepsOf(window, target)[step]);
      const when = data.clock ? new Date(aheadOf(rows, step, data)).toISOString().replace("T", " ").replace(/(\.000)?Z$/, "") : String(step + 1);
      lines.push([...(data.series ? [quote(name)] : []), when, ...values].join(","));
    }
  });
  return lines.join("\n") + "\n";
}

async function take(text) {
  const said = byId("said");
  said.textContent = "computing";
  byId("save").disabled = true;
  try {
    found = await answer(text);
  } catch (error) {
    found = null;
    said.textContent = `Cannot forecast: ${error.message}`;
    return;
  }
  byId("which").replaceChildren(...found.windows.map(({name}, place) => element("option", {value: place}, name || "the table")));
  byId("which").hidden = byId("whichlabel").hidden = !data.series;
  draw();
  byId("save").disabled = false;
  const over = found.left.length ? `; left out: ${found.left.slice(0, 5).join("; ")}` : "";
  said.textContent = `${found.windows.length} forecast${found.windows.length === 1 ? "" : "s"} of ${data.ahead} steps${over}`;
}

byId("facts").textContent = `Reads the newest ${data.steps} rows of ${[data.time, data.series, ...data.read].filter(Boolean).join(", ")}` +
  ` and forecasts the next ${data.ahead} of ${data.targets.join(", ")}. Everything is in this page; it asks no server.`;
byId("target").replaceChildren(...data.targets.map((name, place) => element("option", {value: place}, name)));
byId("which").onchange = byId("target").onchange = () => found && draw();
byId("file").onchange = async event => event.target.files.length && take(await event.target.files[0].text());
byId("save").onclick = () => {
  const link = element("a", {href: URL.createObjectURL(new Blob([csv()], {type: "text/csv"})), download: "forecast.csv"});
  link.click();
};
document.addEventListener("dragover", event => event.preventDefault());
document.addEventListener("drop", async event => {
  event.preventDefault();
  if (event.dataTransfer.files.length) take(await event.dataTransfer.files[0].text());
});
