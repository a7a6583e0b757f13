// Events of a detection: cut by the threshold that the reader chooses, exactly as anomalies/events.py cuts them.
"use strict";
const {series, ranges, columns, detector} = data;
const at = unpacked(data.at), scores = unpacked(data.scores), segment = unpacked(data.segment);
const actual = data.actual.map(unpacked), expected = data.expected.map(unpacked), shares = data.shares.map(unpacked);

/** First and last row of each event, as `cut_events` gives them. */
function cut(threshold) {
  const exit = threshold * detector.exit, stretches = [], merged = [];
  for (let row = 0; row < scores.length; row++) {
    if (!(scores[row] > threshold)) continue;
    const first = row;
    while (row + 1 < scores.length && segment[row + 1] === segment[first] && scores[row + 1] > exit) row++;
    stretches.push([first, row]);
  }
  for (const [first, last] of stretches) {
    const before = merged.at(-1);
    if (before && segment[before[1]] === segment[first] && first - before[1] - 1 <= detector.merge_gap) before[1] = last;
    else merged.push([first, last]);
  }
  return merged.filter(([first, last]) => last - first + 1 >= detector.min_steps);
}

/** Expected alarms per week, as `Detector.alarms_at` gives them: linear between the thresholds that it knows. */
function alarms(threshold) {
  const [thresholds, rates] = detector.rates;
  if (!thresholds.length) return NaN;
  if (threshold <= thresholds[0]) return rates[0];
  if (threshold >= thresholds.at(-1)) return rates.at(-1);
  const next = bisect(thresholds, 0, thresholds.length, threshold);
  const part = (threshold - thresholds[next - 1]) / (thresholds[next] - thresholds[next - 1]);
  return rates[next - 1] + part * (rates[next] - rates[next - 1]);
}

/** The events of a threshold, the most severe first; each has its number by that order. */
function eventsOf(threshold) {
  const found = cut(threshold).map(([first, last]) => {
    let peak = first;
    for (let row = first; row <= last; row++) if (scores[row] > scores[peak] || Number.isNaN(scores[peak])) peak = row;
    return {first, last, peak, start: at[first], end: at[last], time: at[peak], steps: last - first + 1, score: scores[peak],
            severity: scores[peak] / threshold, rate: alarms(scores[peak]), series: seriesOf(first)};
  });
  found.sort((one, other) => other.severity - one.severity || one.first - other.first);
  found.forEach((event, rank) => { event.number = rank + 1; });
  return found;
}

/** First and last row of each labelled stretch; none without labels. */
const labelled = data.labelled ?? [];
const overlap = (event, [first, last]) => event.first <= last && event.last >= first;
const isLabelled = event => labelled.some(stretch => overlap(event, stretch));
const foundOf = events => labelled.filter(stretch => events.some(event => overlap(event, stretch))).length;

function seriesOf(row) {
  let low = 0, high = ranges.length - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; if (ranges[middle][0] <= row) low = middle; else high = middle - 1; }
  return low;
}
