// The pictures. Each has a frame, which knows where a number stands and what stands where.
const $ = id => document.getElementById(id);
const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name);
const show = (v, digits = 3) => {
  const near = +v.toPrecision(digits), size = abs(near);
  return (size && (size < 1e-3 || size >= 1e5) ? near.toExponential().replace("e+", "e") : String(near)).replaceAll("-", "−");
};

// Round numbers between two ends: 1, 2 or 5 times a power of ten apart.
function ticks(low, high, count) {
  const raw = (high - low) / count, unit = 10 ** floor(log10(raw)), step = unit * [1, 2, 5, 10].find(m => m * unit >= raw * 0.999);
  const found = [];
  for (let k = ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push([k * step, show(k * step, 6)]);
  return found;
}

// Round numbers on an axis of decimal logarithms.
function logTicks(low, high, count) {
  if (high - low > 2) return ticks(low, high, count).filter(([k]) => k === round(k)).map(([k]) => [k, show(10 ** k)]);
  return Array.from({ length: 40 }, (_, k) => k - 20).flatMap(k => [1, 2, 5].map(m => m * 10 ** k)).filter(v => v >= 10 ** low && v <= 10 ** high).map(v => [log10(v), show(v)]);
}

// Clear a canvas and draw axes with ticks; left, top, right, bottom and box say where and what.
function framed(id, ratio, box, xs, ys, names = []) {
  const canvas = $(id), w = canvas.clientWidth, h = round(w * ratio), dense = min(2, devicePixelRatio), ctx = canvas.getContext("2d");
  canvas.width = w * dense;
  canvas.height = h * dense;
  ctx.scale(dense, dense);
  ctx.font = "12px system-ui";
  ctx.lineJoin = "round";
  const [x0, x1, y0, y1] = box, left = 42, top = 6, wide = w - left - 8, high = h - top - 20;
  const f = {
    ctx, box, left, top, wide, high,
    at: ([x, y]) => [left + (x - x0) / (x1 - x0) * wide, top + (y1 - y) / (y1 - y0) * high],
    under: (u, v) => [x0 + (u - left) / wide * (x1 - x0), y1 - (v - top) / high * (y1 - y0)],
  };
  f.axes = () => {
    ctx.strokeStyle = colour("line");
    ctx.strokeRect(left, top, wide, high);
    for (const [v, text] of ys) write(f, text, left - 4, max(top + 9, f.at([x0, v])[1] + 4), "soft", "right");
    let used = 0;
    for (const [v, text] of xs) {
      const half = ctx.measureText(text).width / 2, u = min(left + wide - half, f.at([v, y0])[0]);
      if (u - half > used) write(f, text, u, h - 6, "soft", "center");
      if (u - half > used) used = u + half + 6;
    }
    write(f, names[0] ?? "", left + wide - 5, top + high - 7, "ink", "right");
    write(f, names[1] ?? "", left + 5, top + 14, "ink", "left");
  };
  f.inside = action => {
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, wide, high);
    ctx.clip();
    action();
    ctx.restore();
  };
  return f;
}

function write({ ctx }, text, u, v, name, align) {
  ctx.textAlign = align;
  ctx.lineWidth = 3;
  ctx.strokeStyle = colour("paper");
  ctx.strokeText(text, u, v);
  ctx.fillStyle = colour(name);
  ctx.fillText(text, u, v);
}

// Draw a line through points, until one is too far away to draw.
function trace(f, points, name, width, dash = []) {
  const { ctx } = f;
  ctx.setLineDash(dash);
  ctx.strokeStyle = colour(name);
  ctx.lineWidth = width;
  ctx.beginPath();
  points.map(f.at).every(([u, v]) => abs(u) + abs(v) < 1e6 && (ctx.lineTo(u, v), true));
  ctx.stroke();
  ctx.setLineDash([]);
}

function dot(f, point, radius, name, edge = "paper") {
  const { ctx } = f, [u, v] = f.at(point);
  ctx.beginPath();
  ctx.arc(u, v, radius, 0, 7);
  ctx.fillStyle = name.includes("(") ? name : colour(name);
  ctx.fill();
  ctx.lineWidth = 2;
  ctx.strokeStyle = colour(edge);
  ctx.stroke();
}

const toPage = ({ axes, d }, t) => axes.slice(0, d).map(j => t[j]);
const toTheta = ({ axes, d }, p) => axes.slice(0, d).map((_, j) => p[axes.indexOf(j)]);

// The minima in the usual view: low points of a grid, from which smaller and smaller steps go down.
function minimaOf(surface) {
  const [x0, x1, y0, y1] = surface.box, { d } = surface, N = d > 1 ? 60 : 240, found = [];
  const point = (j, i) => toTheta(surface, [x0 + j / N * (x1 - x0), y0 + i / N * (y1 - y0)]), value = (j, i) => surface.value(point(j, i));
  const low = Array.from({ length: d > 1 ? N + 1 : 1 }, (_, i) => Array.from({ length: N + 1 }, (_, j) => value(j, i)));
  const around = [-1, 0, 1].flatMap(a => [-1, 0, 1].map(b => [a, b])).filter(([a, b]) => a || b);
  low.forEach((line, i) => line.forEach((v, j) => {
    if (around.some(([a, b]) => low[i + a]?.[j + b] < v) || (surface.convex && found.length)) return;
    let t = point(j, i), least = v, size = (x1 - x0) / N;
    for (let k = 0; k < 3000 && size > 1e-9; k++) {
      const near = around.map(step => t.map((q, m) => q + step[m] * size)), values = near.map(surface.value), best = min(...values);
      if (best < least) [least, t] = [best, near[values.indexOf(best)]];
      else size /= 2;
    }
    if (surface.penalty.name === "l1" || surface.penalty.name === "elasticnet") t = t.map(q => abs(q) < 1e-6 ? 0 : q);
    const [x, y = y0] = toPage(surface, t), inside = x > x0 && x < x1 && (d < 2 || (y > y0 && y < y1));
    const flat = !surface.convex && curvatures(surface, t)[0] < 1e-4;
    if (inside && !flat && found.every(q => hypot(...q.map((w, m) => w - t[m])) > 0.01 * (x1 - x0))) found.push(t);
  }));
  return found.sort((a, b) => surface.value(a) - surface.value(b));
}

// The usual view, made wider until it holds the paths; what is too far away is cut off.
function viewOf(surface, paths) {
  const [x0, x1, y0, y1] = surface.box, mid = [(x0 + x1) / 2, (y0 + y1) / 2], half = [(x1 - x0) / 2, (y1 - y0) / 2];
  const far = paths.flat().map(t => max(...toPage(surface, t).map((v, i) => abs(v - mid[i]) / half[i]))).filter(v => v < 1e4);
  const reach = max(1, ...far), factor = reach > 1.02 ? 2 ** (ceil(2 * Math.log2(reach * 1.1)) / 2) : 1;
  return [0, 1].flatMap(i => [mid[i] - factor * half[i], mid[i] + factor * half[i]]);
}

// The values on a grid, and levels that are round numbers, denser where the surface is low.
const NX = 96, NY = 80;
function groundOf(surface, [x0, x1, y0, y1]) {
  const values = Array.from({ length: NX * NY }, (_, k) => surface.value(toTheta(surface, [x0 + k % NX / (NX - 1) * (x1 - x0), y0 + floor(k / NX) / (NY - 1) * (y1 - y0)])));
  const low = min(...values), high = max(...values.filter(v => v < 1e300)), levels = [];
  for (let k = 1; k < 13; k++) {
    const level = u => low + (high - low) * (u / 13) ** 2.4, gap = level(k + 0.5) - level(k - 0.5), unit = 10 ** floor(log10(gap));
    const step = unit * (gap > 5 * unit ? 5 : gap > 2 * unit ? 2 : 1), near = round(level(k) / step) * step;
    if (near > low && near < high && !(near <= levels.at(-1))) levels.push(near);
  }
  return { values, levels };
}

// Paint the bands between the levels, with a line at each level, and write the levels on a diagonal.
function paintGround(f, surface, { values, levels }) {
  const w = round(f.wide * 2), h = round(f.high * 2), image = new ImageData(w, h), last = levels.length;
  const bands = new Uint8Array(w * h), rgb = colour("band").split(" ").map(Number);
  for (let k = 0; k < w * h; k++) {
    const u = k % w / w * (NX - 1), v = (1 - (floor(k / w) + 1) / h) * (NY - 1), j = floor(u), i = floor(v), a = u - j, b = v - i, m = i * NX + j;
    const value = (1 - b) * ((1 - a) * values[m] + a * values[m + 1]) + b * ((1 - a) * values[m + NX] + a * values[m + NX + 1]);
    let band = 0;
    while (band < last && !(value < levels[band])) band++;
    bands[k] = band;
    const edge = (k % w && bands[k - 1] !== band) || (k >= w && bands[k - w] !== band);
    image.data.set([...rgb, edge ? 150 : 150 * (1 - band / last) + 12], 4 * k);
  }
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: w, height: h });
  canvas.getContext("2d").putImageData(image, 0, 0);
  const places = [];
  for (let s = 0.06, used = -1; s < 0.94; s += 0.004) {
    const [p, q] = [s, s + 0.004].map(r => bands[floor(h * (0.97 - 0.9 * r)) * w + floor(w * r)]);
    if (p !== q && s > used) {
      places.push([show(levels[min(p, q)]), f.left + s * f.wide, f.top + (0.97 - 0.9 * s) * f.high + 4]);
      used = s + 34 / f.wide;
    }
  }
  return { canvas, places };
}

// The large picture.
function drawPlane(scene, n) {
  const { surface, run, ghost } = scene, runs = [ghost, run], { d } = surface, given = surface.given ?? [];
  const shown = runs.map(r => r.path.slice(0, n + 1)), box = viewOf(surface, [...shown, given]), [x0, x1] = box;
  const xs = Array.from({ length: 401 }, (_, k) => x0 + k / 400 * (x1 - x0)), curve = d > 1 ? [] : xs.map(x => [x, surface.value([x])]);
  const place = t => d > 1 ? toPage(surface, t) : [t[0], surface.value(t)];
  if (d < 2) {
    const high = max(...curve.map(p => p[1]));
    box.splice(2, 2, -0.05 * high, 1.05 * high);
  }
  const names = surface.names?.map(name => name.at ? name : word(name)) ?? ["x", d > 1 ? "y" : word("loss")], f = framed("plane", 0.8, box, ticks(x0, x1, 6), ticks(box[2], box[3], 5), names);
  const key = [scene.key, box, f.wide, colour("band")].join();
  if (d > 1 && scene.groundKey !== key) Object.assign(scene, { groundKey: key, ground: paintGround(f, surface, groundOf(surface, box)) });
  if (d > 1) f.ctx.drawImage(scene.ground.canvas, f.left, f.top, f.wide, f.high);
  f.axes();
  const marks = scene.minima.map(t => f.at(place(t))), free = ([, u, v]) => marks.every(([x, y]) => abs(u - x - 20) > 36 || abs(v - y - 4) > 12);
  if (d > 1) for (const [text, u, v] of scene.ground.places.filter(free)) write(f, text, u, v, "ink", "center");
  f.inside(() => {
    trace(f, curve, "soft", 2);
    trace(f, given.map(place), "c", 6);
    for (const r of runs) {
      const points = r.path.slice(0, n + 1).map(place), name = r === run ? "b" : "c";
      trace(f, points, "paper", 5);
      trace(f, points, name, 2.4, r === run ? [] : [7, 5]);
      if (r === run && n < 160) for (const p of points) dot(f, p, 2, name, name);
      dot(f, points.at(-1), 6, name);
    }
    dot(f, place(run.path[0]), 9, "a");
    scene.minima.forEach((t, k) => {
      const [u, v] = marks[k], left = u > f.wide;
      dot(f, place(t), 4, "paper", "ink");
      write(f, show(+surface.value(t).toFixed(9), 2), left ? u - 9 : u + 9, v + 4, "ink", left ? "right" : "left");
    });
  });
  return f;
}

function drawLoss({ run, ghost }, n, horizon) {
  const runs = [ghost, run], seen = runs.flatMap(r => r.losses.slice(0, n + 1)).filter(v => v > 1e-16 && v < 1e300).map(log10);
  const low = min(...seen), high = max(...seen), pad = max(0.1, 0.05 * (high - low));
  const box = seen.length ? [0, horizon, low - pad, high + pad] : [0, horizon, -1, 1];
  const f = framed("loss", 0.5, box, ticks(0, horizon, 5), logTicks(box[2], box[3], 8));
  f.axes();
  f.inside(() => {
    for (const r of runs) trace(f, r.losses.slice(0, n + 1).map((v, k) => [k, v > 0 ? min(box[3], max(box[2], log10(v))) : box[2]]), r === run ? "b" : "c", 2.2, r === run ? [] : [7, 5]);
  });
}

// The data, and the curves of the start, of the step before, and of now; made wider for a curve that is far away.
function drawFit({ surface, run }, n, chosen) {
  const { X, y } = surface.rows, xs = X.map(row => row[0]), k = min(n, run.t), [x0, x1] = [min(...xs) - 0.2, max(...xs) + 0.2], mid = (min(...y) + max(...y)) / 2;
  const curve = t => Array.from({ length: 241 }, (_, i) => x0 + i / 240 * (x1 - x0)).map(x => [x, surface.predict(x, run.path[t])]);
  const half = 1.4 * (max(...y) - mid), reach = max(...curve(k).map(([, v]) => abs(v - mid) / half)), wide = reach > 3 && reach < 1e9 ? 2 ** ceil(Math.log2(reach)) * half : half;
  const [y0, y1] = [mid - wide, mid + wide], f = framed("fit", 0.5, [x0, x1, y0, y1], ticks(x0, x1, 5), ticks(y0, y1, 4), ["x", "y"]);
  f.axes();
  f.inside(() => {
    for (const [t, name, dash] of [[0, "a", [2, 4]], [max(0, k - 1), "soft", [6, 4]], [k, "b", []]]) trace(f, curve(t), name, 2.2, dash);
    xs.forEach((x, i) => dot(f, [x, y[i]], surface.draggable ? 6 : 3.5, surface.draggable && i === chosen ? "a" : "ink"));
  });
  return f;
}

// What is left after n steps over rate and memory; its closed form; or where each start ends.
const hueOf = k => `hsl(${205 + 137 * k} 60% 60%)`;
const memoryOf = rule => ["beta", "beta1", "rho"].find(name => RULES[rule].ranges?.[name]);

function chartOf(scene, st) {
  const { surface, run, L } = scene, { map } = st, basins = map === "basins", memory = basins ? null : memoryOf(st.rule);
  const usual = log10(!RULES[st.rule].newton_fraction && L > 0 && surface.quadratic ? 2 / L : usualRate(st.surface, st.rule) * 5);
  const box = basins ? surface.box : [usual - 2, usual + 1, 0, 1], flat = basins ? surface.d < 2 : !memory;
  return { map, basins, memory, box, flat, w: 48, h: flat ? 1 : 30, n: min(st.horizon, 200), cells: [], spec: st };
}

function cellOf(scene, { box, basins, map, memory, w, h, n, spec }, k) {
  const { surface, minima, least, run } = scene, [x0, x1, y0, y1] = box, x = x0 + (k % w + 0.5) / w * (x1 - x0), y = y1 - (floor(k / w) + 0.5) / h * (y1 - y0);
  if (map === "closed") return factorOf(run, 10 ** x, y, scene.curvature);
  const there = basins ? { start: toTheta(surface, [x, y]) } : { rate: 10 ** x, fields: memory ? { ...spec.fields, [memory]: y } : spec.fields };
  const end = descend(surface, { ...specOf(spec), ...there }).to(n), loss = end.losses.at(-1) - least;
  if (end.diverged || (!basins && loss > 10 * (end.losses[0] - least))) return null;
  if (!basins) return log10(max(loss, 1e-14));
  const far = minima.map(m => hypot(...m.map((v, j) => v - end.path.at(-1)[j]))), best = far.indexOf(min(...far));
  return far[best] < 0.06 * (x1 - x0) ? best : -1;
}

function drawChart(scene, chart, st) {
  const { box, basins, memory, map, flat, cells, w, h } = chart, [x0, x1, y0, y1] = box;
  const f = framed("map", flat ? 0.24 : 0.6, box, (basins ? ticks : logTicks)(x0, x1, 5), flat ? [] : ticks(y0, y1, 4));
  const known = cells.filter(v => v !== null), low = min(...known), high = map === "closed" ? 1 : max(...known), { ctx } = f;
  f.inside(() => cells.forEach((v, k) => {
    const light = 28 + 62 * (v - low) / (high - low || 1);
    ctx.fillStyle = v === null || (map === "closed" && v >= 1) ? "hsl(4 60% 40%)" : !basins ? `hsl(205 60% ${light}%)` : v < 0 ? "hsl(0 0% 55%)" : hueOf(v);
    const u = floor(f.wide * (k % w) / w), v0 = floor(f.high * floor(k / w) / h);
    ctx.fillRect(f.left + u, f.top + v0, ceil(f.wide / w) + 1, ceil(f.high / h) + 1);
  }));
  f.axes();
  f.inside(() => {
    const place = t => [toPage(scene.surface, t)[0], toPage(scene.surface, t)[1] ?? (y0 + y1) / 2];
    if (basins) scene.minima.forEach((t, k) => dot(f, place(t), 5, hueOf(k), "ink"));
    if (basins) return dot(f, place(scene.run.path[0]), 8, "a");
    const line = Array.from({ length: 51 }, (_, k) => k / 50.01).map(y => [stableRate({ ...scene.run, rule: { ...scene.run.rule, [memory]: y } }, scene.L), y]).filter(([rate]) => rate);
    for (const [name, width, dash] of [["ink", 5, []], ["paper", 2, [5, 4]]]) trace(f, line.map(([rate, y]) => [log10(rate), y]), name, width, dash);
    dot(f, [min(x1, max(x0, log10(st.rate))), memory ? scene.run.rule[memory] ?? 0 : 0.5], 8, "b");
  });
  return f;
}

// The factor of a step towards the minimum or away from it, by the mean logarithms of early and of late distances.
function simulatedFactor({ surface, minima }, spec) {
  const run = descend(surface, spec).to(600), far = run.path.map(t => hypot(...t.map((v, j) => v - minima[0][j])));
  const late = far.findIndex(v => v < 1e-7 * far[0]), n = late < 0 ? far.length : late, half = floor(n / (run.diverged ? 3 : 2));
  const mean = from => far.slice(from, from + half).reduce((sum, v) => sum + Math.log(v), 0) / half;
  return half < 1 ? null : Math.exp((mean(n - half) - mean(n - 2 * half)) / half);
}
