// Shares with their intervals, and texts put together by group and by time.

const Z = 1.959964; // of a 95 % interval
const STEPS = ["hour", "day", "week", "month"];
const [FEWEST, MOST] = [4, 120]; // points of a line

/** Return Wilson's interval of a share. */
export function wilson(count, of) {
  if (!of) return [0, 1];
  const share = count / of, z2 = Z * Z / of;
  const middle = (share + z2 / 2) / (1 + z2);
  const reach = (Z / (1 + z2)) * Math.sqrt(share * (1 - share) / of + z2 / (4 * of));
  return [Math.max(middle - reach, 0), Math.min(middle + reach, 1)];
}

/** Return a Map from each key to {of, counts: Map(label → texts)}; rows without a key are left out. */
export function counted(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (key == null || key === "") continue;
    if (!groups.has(key)) groups.set(key, { of: 0, counts: new Map() });
    const group = groups.get(key);
    group.of++;
    for (const label of row.labels) group.counts.set(label, (group.counts.get(label) ?? 0) + 1);
  }
  return groups;
}

/** Return the time of a cell in milliseconds, or null. Numbers are seconds or milliseconds since 1970. */
export function timeOf(cell) {
  const text = cell.trim();
  if (/^\d{9,10}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^\d{12,13}$/.test(text)) return Number(text);
  if (!/\d{4}/.test(text)) return null;
  const plain = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(text) ? `${text.replace(" ", "T")}Z` : text;
  const time = Date.parse(plain);
  return Number.isNaN(time) ? null : time;
}

/**
 * Choose hours, days, weeks or months: the shortest of which most hold some times, unless that leaves too few of them to
 * see anything; and never one that tells no more apart than the next (dates alone are days, not hours).
 */
export function stepFor(times, some) {
  const bins = STEPS.map((step) => new Set(times.map((time) => beginning(time, step))).size);
  const telling = [0, 1, 2, 3].filter((i) => i === 3 || bins[i] > bins[i + 1]);
  const seen = telling.filter((i) => bins[i] >= FEWEST && bins[i] <= MOST);
  return STEPS[seen.find((i) => times.length / bins[i] >= some) ?? seen.at(-1) ?? telling[0]];
}

/** Return the beginning of the hour, day, week or month (UTC) that a time is in. */
export function beginning(time, step) {
  const at = new Date(time);
  if (step === "hour") return at.setUTCMinutes(0, 0, 0);
  at.setUTCHours(0, 0, 0, 0);
  if (step === "week") at.setUTCDate(at.getUTCDate() - ((at.getUTCDay() + 6) % 7));
  if (step === "month") at.setUTCDate(1);
  return at.getTime();
}
