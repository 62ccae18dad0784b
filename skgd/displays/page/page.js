// The state of the page, its address, its controls, the hands, and what is said.
const st = {};
let scene = {}, language = "en", timer = 0, saying = 0, job = 0, plane, fit, chart, picture;
// Korean is stored in letters: three classes of them are the parts of a syllable.
const syllable = (_, a, b, c) => String.fromCharCode(a.charCodeAt() * 588 + b.charCodeAt() * 28 + FINALS.indexOf(c || " ") + 3096);
const korean = text => text.split("`").map((part, k) => k % 2 ? part : part.replace(RegExp("([A-S])([a-u])([0-9T-Zv-z#$%&*]?)", "g"), syllable)).join("");
// Words are numbered where the page is put together; those of a table are in its order.
const word = k => (language === "ko" && korean(WORDS[1][k])) || WORDS[0][k];
const wordIn = (first, table, name) => word(first + Object.keys(table).indexOf(name));
const filled = (text, values) => text.replaceAll("}", "{").split("{").map((part, k) => k % 2 ? values[part] : part).join("");
const clip = (v, low, high) => max(low, min(high, v));
const quietly = action => {
  try {
    return action();
  } catch {
    return null;
  }
};

// A rate that suits a rule on a surface, and the state that both begin with.
function usualRate(surface, rule) {
  const { rate, box } = SURFACES[surface], plain = { momentum: 0.25, nesterov: 0.6, nesterov_beta: 0.25 }, long = { adagrad: 5, adadelta: 120 };
  return +(RULES[rule].newton_fraction ? (box[1] - box[0]) * 0.02 * (long[rule] ?? 1) : rate * (plain[rule] ?? 1)).toPrecision(2);
}

function fresh(surface, rule) {
  const look = SURFACES[surface];
  return {
    preset: "", surface, k: look.k?.[2] ?? 0, rule, rate: usualRate(surface, rule), fields: {}, schedule: "constant", scheduleFields: {},
    batch: 0, sampling: "shuffle", seed: 0, penalty: look.penalty ?? "none", alpha: 0.8, l1_ratio: 0.5, data: null,
    ghost: "", ghostRate: 0.1, ghostFields: {}, ghostBatch: 0, start: look.start.slice(0, look.d ?? 2), horizon: 60, n: 40, map: "rate",
  };
}

const story = id => {
  const { link, ...state } = PRESETS[id];
  return { ...fresh(state.surface, state.rule ?? "gd"), n: state.horizon ?? 60, ...state, preset: id };
};
const specOf = s => ({ ...s, start: toTheta(scene.surface, s.start) });

// The address says what differs from the story, or from what surface and rule begin with.
const baseOf = s => s.preset ? story(s.preset) : fresh(s.surface, s.rule);

function writeAddress(isStep) {
  const q = new URLSearchParams(), base = baseOf(st);
  for (const key in base) {
    const value = JSON.stringify(st[key]);
    if (value !== JSON.stringify(base[key]) || (st.preset ? key === "preset" : ["surface", "rule"].includes(key))) q.set(key, typeof st[key] === "string" ? st[key] : value);
  }
  if ("#" + q !== location.hash) quietly(() => history[isStep ? "pushState" : "replaceState"](null, "", "#" + q));
}

function readAddress() {
  const q = new URLSearchParams(location.hash.slice(1)), first = () => GIVEN ? { ...fresh("given", GIVEN.state.rule), ...GIVEN.state } : story("small");
  const named = () => q.get("preset") in PRESETS ? story(q.get("preset")) : fresh(q.get("surface") ?? "quadratic", q.get("rule") ?? "momentum");
  const base = (q.size && quietly(named)) || first();
  for (const [key, text] of q) {
    const old = base[key], value = typeof old === "string" ? text : quietly(() => JSON.parse(text));
    if (key !== "preset" && typeof value === typeof old && (!old?.map || (value?.length === old.length && value.every(Number.isFinite)))) base[key] = value;
  }
  base.horizon = clip(round(base.horizon), 1, 2000);
  base.seed = clip(round(base.seed), 0, SEEDS.length - 1);
  base.n = clip(round(base.n), 0, base.horizon);
  Object.assign(st, base);
  if (!quietly(build)) build(Object.assign(st, first()));
}

function build() {
  const key = JSON.stringify([st.surface, st.k, st.penalty, st.alpha, st.l1_ratio, st.data]);
  if (scene.key !== key) {
    const surface = surfaceOf(st), minima = minimaOf(surface);
    scene = { key, surface, minima, least: minima.length ? surface.value(minima[0]) : 0 };
  }
  const { surface } = scene, spec = specOf(st), second = { rule: st.ghost, rate: st.ghostRate, fields: st.ghostFields, batch: st.ghostBatch, schedule: "constant" };
  scene.run = descend(surface, spec).to(st.horizon);
  return scene.ghost = st.ghost ? descend(surface, { ...spec, ...second }).to(st.horizon) : scene.run;
}

function draw() {
  const { surface, run } = scene, n = min(st.n, run.t), here = surface.quadratic ? surface.strengths.map(() => 0) : run.path[n];
  scene.curvature = here.every(v => abs(v) < 1e6) ? curvatures(surface, here) : [0, 0];
  scene.L = scene.curvature[1];
  plane = drawPlane(scene, st.n);
  drawLoss(scene, st.n, st.horizon);
  if (!($("fitBox").hidden = surface.rows.p !== 1)) fit = drawFit(scene, st.n, st.point);
  if (chart?.map === st.map) picture = drawChart(scene, chart, st);
  else $("map").width += 0;
  Object.assign($("scrub"), { max: st.horizon, value: st.n });
  $("scrub").setAttribute("aria-valuetext", st.n);
  $("count").textContent = `${st.n} / ${st.horizon}`;
  tell(n);
}

// Say where the descent is: at once for the eye, and at rest for those who listen.
function tell(n) {
  const { run, surface, L } = scene, stable = stableRate(run, L), mark = log10((stable ?? 0) / 1e-4) / 6, ended = run.diverged && n === run.t;
  const values = { n, loss: show(run.losses[n], 4), at: toPage(surface, run.path[n]).map(v => show(v)).join(", "), rate: show(st.rate), stable: show(stable ?? 0) };
  const said = [ended ? word("diverged") : word("say")];
  if (stable) said.push(st.rate > stable ? word("tooLarge") : word("stable"));
  if (run.path[n].some((v, j) => v === 0 && surface.strengths[j])) said.push(word("zeros"));
  const text = filled(said.join(" "), values);
  $("say").textContent = text;
  $("say").className = ended ? "bad" : "";
  if ($("edge")) $("edge").style = mark > 0 && mark < 1 ? `left:${100 * mark}%` : "display:none";
  clearTimeout(saying);
  if (!timer) saying = setTimeout(() => { $("live").textContent = text; }, 700);
}

// Compute the map in short pieces, so that hands are not held up.
function chartSoon() {
  const { surface, run } = scene, factor = surface.quadratic && !SCHEDULES[st.schedule].fields ? factorOf(run, st.rate, run.rule.beta, scene.curvature) : null;
  const kinds = [["rate", word("map.rate")], ...(factor === null ? [] : [["closed", word("map.closed")]]), ["basins", word("map.basins")]];
  if (!kinds.some(([kind]) => kind === st.map)) st.map = "rate";
  $("mapKind").replaceChildren(...kinds.map(([kind, text]) => new Option(filled(text, { n: min(st.horizon, 200) }), kind, false, kind === st.map)));
  const found = factor === null || !scene.minima.length ? null : simulatedFactor(scene, specOf(st)), memory = memoryOf(st.rule);
  const hint = filled(st.map === "basins" ? word("hintBasins") : word("hintMap"), { beta: memory ? `, ${memory} ↑` : "" });
  $("mapHint").textContent = hint + (st.map === "basins" || !stableRate(run, scene.L) ? "" : " " + word("hintStable")) + (factor === null ? "" : " " + filled(word("factor"), { factor: show(factor), found: found === null ? "–" : show(found) }));
  const mine = ++job, next = chartOf(scene, { ...st }), all = next.w * next.h;
  const work = () => {
    if (mine !== job) return;
    for (const end = performance.now() + 12; next.cells.length < all && performance.now() < end;) next.cells.push(cellOf(scene, next, next.cells.length));
    if (next.cells.length < all) return setTimeout(work);
    chart = next;
    picture = drawChart(scene, chart, st);
  };
  setTimeout(work, 60);
}

function change(values, rebuilds, isStep) {
  Object.assign(st, values);
  build();
  draw();
  chartSoon();
  if (rebuilds) control();
  writeAddress(isStep);
}

// Choose a surface, a rule or a story: a step in the history.
function choose(values) {
  stop();
  change({ preset: "", ...values }, true, true);
}

// Controls, from the fields and ranges of the package's parts.
const RANGES = { eps: [1e-12, 1, true], every: [1, 200], horizon: [10, 400], length: [1, 100], decay: [1e-4, 1, true], power: [0, 2], "[0, 1)": [0, 0.999], "(0, 1]": [0.001, 1] };
const node = (tag, set, ...children) => {
  const found = Object.assign(document.createElement(tag), set);
  found.append(...children);
  return found;
};

function slider(id, label, value, [low, high, log], set) {
  const output = node("b", {}), input = node("input", { type: "range", id, max: 1000, value: 1000 * (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low)) });
  const tellValue = v => {
    output.textContent = show(v);
    input.setAttribute("aria-valuetext", show(v));
  };
  input.oninput = () => {
    const u = input.value / 1000, v = +(log ? low * (high / low) ** u : low + u * (high - low)).toPrecision(3);
    tellValue(v);
    set(v);
  };
  tellValue(value);
  return node("label", {}, label + " ", output, input);
}

function choice(id, label, options, value, set) {
  const select = node("select", { id }, ...options.map(([key, text]) => new Option(text, key, false, key === String(value))));
  select.onchange = () => set(select.value);
  return node("label", {}, label, select);
}

// One control for each field of a part.
function fieldControls({ fields = {}, ranges = {} } = {}, key, prefix = "") {
  return Object.keys(fields).map(name => {
    const value = st[key][name] ?? fields[name], range = ranges[name], set = v => change({ [key]: { ...st[key], [name]: v } }), id = key + name, label = prefix + name;
    if (Array.isArray(range)) return choice(id, label, range.map(v => [v, v]), value, set);
    if (typeof value === "boolean") {
      const input = node("input", { type: "checkbox", id, checked: value });
      input.onchange = () => set(input.checked);
      return node("label", {}, input, label);
    }
    const reach = RANGES[range] ?? RANGES[name];
    return reach ? slider(id, label, value ?? st.horizon, reach, set) : "";
  });
}

function control() {
  const look = SURFACES[st.surface], { n } = scene.surface, batched = n && (st.batch || (st.ghost && st.ghostBatch)), focused = document.activeElement.id, named = (first, table) => Object.keys(table).map((name, k) => [name, word(first + k)]);
  const pick = (key, text, options, set = v => change({ [key]: v }, true)) => choice(key, text, options, st[key], set);
  const move = (key, text, range) => slider(key, text, st[key], range, v => change({ [key]: v })), rates = [1e-4, 100, true];
  const batch = (key, text) => n ? pick(key, text, [...new Set([0, 1, 2, 3, 5, 8, 10, 16, st[key]])].filter(v => v < n).sort((a, b) => a - b).map(v => [String(v), v ? String(v) : word("all")]), v => change({ [key]: +v }, true)) : "";
  const surfaces = named(wordsOf("surface"), SURFACES), rules = named(wordsOf("rule"), RULES);
  $("controls").replaceChildren(
    pick("surface", word("surface"), surfaces, v => choose({ ...fresh(v, st.rule), ghost: st.ghost, ghostRate: st.ghost ? usualRate(v, st.ghost) : 0.1 })),
    look.k ? slider("k", wordIn(wordsOf("k"), ANALYTIC, st.surface), st.k, [look.k[0], look.k[1], look.kLog], v => change({ k: v })) : "",
    look.penalized ? pick("penalty", word("penalty"), named(wordsOf("penalty"), PENALTIES)) : "",
    st.penalty === "none" ? "" : move("alpha", "alpha", [0.01, 5, true]),
    st.penalty === "elasticnet" ? move("l1_ratio", "l1_ratio", [0, 1]) : "",
    pick("rule", word("rule"), rules, v => choose({ rule: v, fields: {}, rate: usualRate(st.surface, v) })),
    node("div", {}, move("rate", word("rate"), rates), node("div", { className: "edge" }, node("i", { id: "edge" }))),
    ...fieldControls(RULES[st.rule], "fields"),
    pick("schedule", word("schedule"), named(wordsOf("schedule"), SCHEDULES), v => change({ schedule: v, scheduleFields: {} }, true)),
    ...fieldControls(SCHEDULES[st.schedule], "scheduleFields"),
    batch("batch", word("batch")),
    batched ? pick("sampling", word("sampling"), named(wordsOf("sampling"), SAMPLINGS)) : "",
    batched ? choice("seed", "random_state", SEEDS.map((_, k) => [String(k), String(k)]), st.seed, v => change({ seed: +v })) : "",
    pick("ghost", word("ghost"), [["", word("none")], ...rules], v => choose({ ghost: v, ghostFields: {}, ghostBatch: st.batch, ghostRate: v ? usualRate(st.surface, v) : 0.1 })),
    ...st.ghost ? [move("ghostRate", word("ghostRate"), rates), ...fieldControls(RULES[st.ghost], "ghostFields", word("its") + " "), batch("ghostBatch", word("ghostBatch"))] : [],
    slider("horizon", word("horizon"), st.horizon, [10, 1000, true], v => change({ horizon: round(v), n: min(st.n, round(v)) })),
  );
  if (focused) $(focused)?.focus();
  const key = (name, text, dash) => node("span", {}, node("i", { className: dash, style: `border-color:var(--${name})` }), text);
  const titled = (rule, fields, batch) => [wordIn(wordsOf("rule"), RULES, rule), ...Object.keys(fields).map(name => `${name}=${fields[name]}`), ...batch ? [`${word("batch")} ${batch}`] : []].join(", ");
  $("cap").textContent = wordIn(wordsOf("surface"), SURFACES, st.surface);
  $("paths").replaceChildren(key("b", titled(st.rule, st.fields, scene.run.size), ""), ...(st.ghost ? [key("c", titled(st.ghost, st.ghostFields, scene.ghost.size), "dashed")] : []));
  $("fitKey").replaceChildren(key("a", word("start"), "dashed"), key("soft", word("before"), "dashed"), key("b", word("now"), ""));
  $("fitHint").textContent = look.draggable ? word("hintFit") : "";
  $("fit").tabIndex = look.draggable ? 0 : -1;
  $("fit").setAttribute("role", look.draggable ? "application" : "img");
  const ids = Object.keys(PRESETS), at = ids.indexOf(st.preset);
  $("preset").replaceChildren(new Option(word("noStory"), ""), ...ids.map((id, k) => new Option(`${k + 1}. ${word(wordsOf("story") + k)}`, id, false, k === at)));
  $("told").replaceChildren(...at < 0 ? [] : [word(wordsOf("told") + at) + " ", node("a", { href: "guide/" + PRESETS[st.preset].link, textContent: word("more") })]);
  $("earlier").disabled = at <= 0;
  $("later").disabled = at === ids.length - 1;
}

// Words and theme, then everything that depends on them.
function showAll() {
  const mode = quietly(() => localStorage.getItem("mode")), dark = mode === "dark" || (mode !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  const root = document.documentElement;
  root.className = dark ? "dark" : "";
  root.lang = language;
  document.title = word("title");
  document.querySelectorAll("[data-word]").forEach(e => { e.textContent = word(e.dataset["word"]); });
  document.querySelectorAll("[data-label]").forEach(e => { e.setAttribute("aria-label", word(e.dataset["label"])); });
  $("lang").textContent = language === "ko" ? "English" : "한국어";
  $("lang").lang = language === "ko" ? "en" : "ko";
  stop();
  draw();
  control();
  draw();
  chartSoon();
}

// Time.
function stop() {
  clearTimeout(timer);
  timer = 0;
  $("play").textContent = word("play");
}

function stepTo(n) {
  stop();
  st.n = clip(n, 0, st.horizon);
  draw();
  writeAddress();
}

function play() {
  if (timer) return stepTo(st.n);
  const last = max(scene.run.t, scene.ghost?.t ?? 0), wait = 1000 / $("speed").value;
  if (st.n >= last) st.n = 0;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return stepTo(last);
  const first = st.n, begin = performance.now();  // a slow picture leaves steps out
  const go = () => {
    st.n = max(st.n + 1, first + round((performance.now() - begin) / wait));
    if (st.n >= last) return stepTo(last);
    timer = setTimeout(go, wait);
    draw();
  };
  $("play").textContent = word("pause");
  timer = setTimeout(go, wait);
}

// Hands.
const rounded = (p, box) => p.map((v, i) => +v.toFixed(max(0, 3 - floor(log10(box[2 * i + 1] - box[2 * i])))));
const startAt = p => change({ start: rounded(p.slice(0, scene.surface.d), scene.surface.box) });

function movePoint(p) {
  const { X, y } = scene.surface.rows, [x, level] = rounded(p, fit.box), put = (values, v) => values.map((old, i) => i === st.point ? v : old);
  change({ data: { X: put(X, [x]), y: put(y, level) } });
}

function nearest([x, y]) {
  const { X, y: old } = scene.surface.rows, [u, v] = fit.at([x, y]), far = X.map((row, i) => hypot(...fit.at([row[0], old[i]]).map((q, j) => q - [u, v][j])));
  st.point = far.indexOf(min(...far));
}

function chooseInMap([x, y]) {
  if (chart.basins) return startAt([x, y]);
  const { box, memory } = chart, rate = +(10 ** clip(x, box[0], box[1])).toPrecision(3);
  change({ rate, fields: memory ? { ...st.fields, [memory]: +clip(y, 0, 0.999).toFixed(3) } : st.fields }, true);
}

function drag(id, frame, take, begin) {
  const canvas = $(id);
  let held = false;
  const move = event => {
    const box = canvas.getBoundingClientRect(), point = frame().under(event.clientX - box.left, event.clientY - box.top);
    if (event.type === "pointerdown") begin?.(point);
    take(point);
  };
  canvas.onpointerdown = event => {
    if (event.button || !frame() || canvas.tabIndex < 0) return;
    held = true;
    quietly(() => canvas.setPointerCapture(event.pointerId));
    move(event);
  };
  canvas.onpointermove = event => { if (held) move(event); };
  canvas.onpointerup = canvas.onpointercancel = () => { held = false; };
}

const ARROWS = { "ArrowLeft": [-1, 0], "ArrowRight": [1, 0], "ArrowUp": [0, 1], "ArrowDown": [0, -1] };

function onKey(event) {
  const id = event.target.id, tag = event.target.tagName, key = event.key, arrow = ARROWS[key], by = event.shiftKey ? 0.002 : 0.02;
  const moved = (p, box) => p.map((v, i) => v + arrow[i] * by * (box[2 * i + 1] - box[2 * i]));
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (arrow && id === "plane") startAt(moved(st.start, scene.surface.box));
  else if (arrow && id === "map" && chart) chooseInMap(chart.basins ? moved(st.start, chart.box) : moved([log10(st.rate), scene.run.rule[chart.memory] ?? 0], chart.box));
  else if (id === "fit" && arrow) movePoint(moved([scene.surface.rows.X[st.point ?? 0][0], scene.surface.rows.y[st.point ??= 0]], fit.box));
  else if (id === "fit" && key === "n") change({ point: ((st.point ?? -1) + 1) % scene.surface.n });
  else if (["INPUT", "SELECT", "A"].includes(tag)) return;
  else if (key === " " && tag !== "BUTTON") play();
  else if (key === "ArrowRight") stepTo(st.n + 1);
  else if (key === "ArrowLeft") stepTo(st.n - 1);
  else if (key === "r") stepTo(0);
  else return;
  event.preventDefault();
}

function listen() {
  const turn = by => choose(story(Object.keys(PRESETS)[max(0, Object.keys(PRESETS).indexOf(st.preset) + by)]));
  const clicks = { play, next: () => stepTo(st.n + 1), back: () => stepTo(st.n - 1), reset: () => stepTo(0), earlier: () => turn(-1), later: () => turn(1) };
  for (const id in clicks) $(id).onclick = clicks[id];
  drag("plane", () => plane, startAt);
  drag("fit", () => fit, movePoint, nearest);
  drag("map", () => picture, chooseInMap);
  $("scrub").oninput = () => stepTo(+$("scrub").value);
  $("mapKind").onchange = () => change({ map: $("mapKind").value });
  $("preset").onchange = () => choose($("preset").value ? story($("preset").value) : {});
  $("share").onclick = () => quietly(() => navigator.clipboard.writeText(location.href).then(() => {
    $("share").textContent = $("live").textContent = word("copied");
    setTimeout(() => { $("share").textContent = word("share"); }, 1800);
  }, () => {}));
  $("lang").onclick = () => {
    language = language === "ko" ? "en" : "ko";
    quietly(() => history.replaceState(null, "", "?lang=" + language + location.hash));
    showAll();
  };
  document.onkeydown = onKey;
  addEventListener("resize", draw);
  for (const event of ["popstate", "hashchange"]) addEventListener(event, () => {
    stop();
    readAddress();
    showAll();
  });
  matchMedia("(prefers-color-scheme: dark)").onchange = showAll;
}

if (GIVEN) Object.assign(SURFACES, { given: GIVEN.surface }) && Object.assign(DATA, { given: GIVEN.data });
for (const id of ["story", "home"]) $(id).hidden = GIVEN;
$("share").hidden = location.protocol === "about:";
language = new URLSearchParams(location.search).get("lang") ?? (navigator.language.startsWith("ko") ? "ko" : "en");
readAddress();
listen();
showAll();
globalThis.descent = { descend, surfaceOf, state: st, scene: () => scene, chart: () => chart, frame: () => plane };
