// A CSV as windows of numbers: the same rows that `predict` reads, or a sentence on the first cell that cannot be read.
"use strict";

/** Rows of cells. Quotes may hold separators, line breaks and doubled quotes. */
function cellsOf(text, separator) {
  const rows = [];
  let row = [], cell = "", quoted = false, used = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') { cell += '"'; at++; }
      else quoted = false;
    } else if (letter === '"' && cell === "") { quoted = true; used = true; }
    else if (letter === separator) { row.push(cell); cell = ""; used = true; }
    else if (letter === "\n" || letter === "\r") {
      if (letter === "\r" && text[at + 1] === "\n") at++;
      if (used || cell !== "") { row.push(cell); rows.push(row); }
      row = []; cell = ""; used = false;
    } else cell += letter;
  }
  if (used || cell !== "") { row.push(cell); rows.push(row); }
  return rows;
}

/** The separator that the first line has most of. */
function separatorOf(text) {
  const line = text.slice(0, (text + "\n").search(/[\r\n]/));
  return [",", ";", "\t", "|"].map(each => [line.split(each).length, each]).sort((a, b) => b[0] - a[0])[0][1];
}

/** A number, NaN of an empty cell; throws what stands there otherwise. */
function numberOf(cell, decimal, where) {
  const text = cell.trim();
  if (text === "") return NaN;
  const plain = decimal === "," ? text.replace(",", ".") : text;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) throw new Error(`${where}: expected a number. Received: ${text}`);
  return Number(plain);
}

/** Milliseconds of a timestamp without a zone, as if it were UTC. */
function timeOf(cell, where) {
  const found = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?$/.exec(cell.trim());
  const parts = found && found.slice(1, 7).map(part => Number(part || 0));
  const value = parts && Date.UTC(parts[0], parts[1] - 1, parts[2], parts[3], parts[4], parts[5]) + Math.round(Number(found[7] || 0) * 1000);
  const right = parts && new Date(value).getUTCDate() === parts[2] && parts[3] < 24 && parts[4] < 60 && parts[5] < 60;
  if (!right) throw new Error(`${where}: expected a time like 2024-01-31 13:00, without a zone. Received: ${cell}`);
  return value;
}

/** The calendar of a time, by the names that `calendar` gives its columns. */
function calendarOf(time) {
  const date = new Date(time), day = (date.getUTCDay() + 6) % 7, year = date.getUTCFullYear();
  const inMonth = new Date(Date.UTC(year, date.getUTCMonth() + 1, 0)).getUTCDate();
  const ofYear = Math.floor((time - Date.UTC(year, 0, 1)) / 86400000);
  const hour = date.getUTCHours() + date.getUTCMinutes() / 60;
  const places = {
    minute: [date.getUTCMinutes() + date.getUTCSeconds() / 60, 60],
    hour: [hour, 24],
    day_of_week: [day, 7],
    hour_of_week: [day * 24 + hour, 168],
    day_of_month: [(date.getUTCDate() - 1) / inMonth, 1],
    day_of_year: [ofYear, 365.25],
    week_of_year: [ofYear / 7, 365.25 / 7],
    month: [date.getUTCMonth(), 12],
  };
  const found = {weekend: Number(day >= 5), month_end: Number(date.getUTCDate() === inMonth)};
  for (const [name, [place, period]] of Object.entries(places)) {
    found[`${name}_sin`] = Math.sin(2 * Math.PI * place / period);
    found[`${name}_cos`] = Math.cos(2 * Math.PI * place / period);
  }
  return found;
}

/** The newest window of each series: `{name, times, values, rows}`; throws on what cannot be read, with row and column. */
function windowsOf(text, about) {
  const separator = separatorOf(text), [head, ...rows] = cellsOf(text.replace(/^\uFEFF/, ""), separator);
  if (!head) throw new Error("the file is empty. Expected a header and rows");
  const names = head.map(name => name.trim());
  const wanted = [...(about.time ? [about.time] : []), ...(about.series ? [about.series] : []), ...about.read];
  const lacking = wanted.filter(name => !names.includes(name));
  if (lacking.length) throw new Error(`the file has no column ${lacking.join(", ")}. Its columns: ${names.join(", ")}`);
  const at = Object.fromEntries(names.map((name, place) => [name, place]));
  const decimal = about.decimal || (separator === ";" && !rows.some(row => /\d\.\d/.test(row.join(" "))) ? "," : ".");
  const bySeries = new Map();
  rows.forEach((row, number) => {
    if (row.length !== names.length)
      throw new Error(`row ${number + 1}: expected ${names.length} cells. Received: ${row.length}`);
    const where = name => `row ${number + 1}, column ${name}`;
    const series = about.series ? row[at[about.series]].trim() : "";
    if (!bySeries.has(series)) bySeries.set(series, []);
    bySeries.get(series).push({
      number: number + 1,
      time: about.time ? timeOf(row[at[about.time]], where(about.time)) : number,
      values: about.read.map(name => numberOf(row[at[name]], decimal, where(name))),
    });
  });
  const windows = [], left = [];
  for (const [name, own] of bySeries) {
    own.sort((a, b) => a.time - b.time);
    const newest = own.slice(-about.steps);
    if (newest.length < about.steps) { left.push(`${name || "the table"} has ${newest.length} rows of ${about.steps}`); continue; }
    for (let place = 1; place < newest.length && about.time && about.every; place++) {
      const step = newest[place].time - newest[place - 1].time;
      if (step !== about.every)
        throw new Error(`row ${newest[place].number}: expected a row ${about.every / 1000} s after the one before. Received: ${step / 1000} s`);
    }
    const hole = newest.find(row => row.values.some(value => Number.isNaN(value)));
    if (hole && !about.masked)
      throw new Error(`row ${hole.number}, column ${about.read[hole.values.findIndex(value => Number.isNaN(value))]}: expected a value in each of the newest ${about.steps} rows. Received: an empty cell`);
    for (const row of newest)
      about.read.forEach((column, place) => {
        if (row.values[place] <= (about.lowest[column] ?? -Infinity))
          throw new Error(`row ${row.number}, column ${column}: expected a value above ${about.lowest[column]}, because the model takes its logarithm. Received: ${row.values[place]}`);
      });
    if (about.known.length && !about.known.includes(name))
      throw new Error(`the series ${name} was not trained on. Known: ${about.known.slice(0, 5).join(", ")}`);
    windows.push({name, rows: newest, history: own.slice(-4 * about.steps)});
  }
  if (!windows.length) throw new Error(`no series is long enough: ${left.slice(0, 3).join("; ")}. Expected at least ${about.steps} rows`);
  return {windows, left};
}

/** The arrays that the graph reads, by name: `[type, values, shape]`. */
function arraysOf(windows, about) {
  const count = windows.length, inputs = new Float64Array(count * about.steps * about.inputs.length);
  const future = about.future && new Float64Array(count * about.ahead * about.future.length);
  let put = 0, ahead = 0;
  for (const {rows} of windows) {
    for (const row of rows) {
      const clock = about.calendar.length ? calendarOf(row.time) : {};
      for (const name of about.inputs) inputs[put++] = about.read.includes(name) ? row.values[about.read.indexOf(name)] : clock[name];
    }
    for (let step = 0; future && step < about.ahead; step++) {
      const clock = calendarOf(aheadOf(rows, step, about));
      for (const name of about.future) future[ahead++] = clock[name];
    }
  }
  const found = {inputs: ["float64", inputs, [count, about.steps, about.inputs.length]]};
  if (future) found.future = ["float64", future, [count, about.ahead, about.future.length]];
  if (about.known.length)
    found.series = ["int64", BigInt64Array.from(windows, ({name}) => BigInt(about.known.indexOf(name))), [count]];
  return found;
}

/** The time of a step ahead, counted from 0. */
const aheadOf = (rows, step, about) => rows.at(-1).time + (about.every || 1) * (about.gap + step + 1);
