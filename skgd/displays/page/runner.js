// A descent: the surface, the batches, and the loop around the package's step.

// A part as its methods take it: with values for its fields.
const made = (base, table, name, fields) => ({ ...base, ...table[name], ...table[name].fields, ...fields, name });

// The generator of the package, pcg32, from one of its states.
function generatorOf(seed) {
  const word = 0xffffffffn, all = (1n << 64n) - 1n, hex = SEEDS[seed % SEEDS.length];
  let state = BigInt("0x" + hex.slice(0, 16));
  const increment = BigInt("0x" + hex.slice(16));
  return () => {
    const before = state;
    state = (before * 6364136223846793005n + increment) & all;
    const mixed = (((before >> 18n) ^ before) >> 27n) & word, turn = before >> 59n;
    return Number(((mixed >> turn) | (mixed << (32n - turn))) & word);
  };
}

const draw_below = (next, n) => {
  const high = next() >>> 5, low = next() >>> 6;
  return trunc((high * 67108864 + low) * 2 ** -53 * n);
};

// What is minimised, as a function of theta in the order of the package: weights, then the rest.
function surfaceOf(spec) {
  const look = SURFACES[spec.surface], { d = 2, axes = [0, 1], network } = look, [value, gradient] = ANALYTIC[spec.surface] ?? [], { k = look.k?.[2] } = spec;
  const penalty = made(PENALTY, PENALTIES, spec.penalty ?? "none", { l1_ratio: spec.l1_ratio }), { X, y } = spec.data ?? DATA[look.data] ?? { X: [[]], y: [] };
  const n = y.length, p = X[0].length, model = made({}, MODELS, look.model ?? "linear"), loss = made({}, LOSSES, look.loss ?? "squared_error", look.lossFields);
  const rows = { model, loss, X, y, p, order: y.map((_, i) => i), normalized: network === "batchnorm" }, strengths = Array.from({ length: d }, (_, j) => j < p ? spec.alpha ?? 0 : 0);
  const sum = network ? network_value : mean_loss, add = network ? add_network_gradient : add_mean_gradient;
  return {
    ...look, d, axes, n, rows, penalty, strengths, quadratic: look.quadratic && penalty.prox === PENALTY.prox,
    value: t => value ? value(t[0], t[1], k) : strengths.reduce((total, alpha, j) => total + alpha * penalty.value(penalty, t[j]), sum(rows, t)),
    add(t, g, from, to, order) {
      if (!value) return add({ ...rows, order }, from, to, t, g);
      const added = gradient(t[0], t[1], k);
      t.forEach((_, j) => { g[j] += added[j]; });
    },
    predict(x, t) {
      if (network) return t[1] * Math.tanh(hidden(rows, x, t[0], ...centre_and_spread(rows, 0, n))[0]);
      const f = model.value(model, x * t[0], t, p);
      return loss.name === "poisson" ? Math.exp(f) : f;
    },
  };
}

// The gradient of the smooth part over all rows.
function gradientOf(surface, t) {
  const g = Array(surface.d).fill(0);
  surface.add(t, g, 0, surface.n, surface.rows?.order);
  return g.map((v, j) => v + surface.strengths[j] * surface.penalty.gradient(surface.penalty, t[j]));
}

// The smallest and the largest curvature of the smooth part at a point.
function curvatures(surface, t) {
  const h = 1e-5, { d } = surface;
  const H = t.map((_, i) => {
    const moved = by => gradientOf(surface, t.map((v, j) => i === j ? v + by : v));
    const up = moved(h), down = moved(-h);
    return up.map((v, j) => (v - down[j]) / (2 * h));
  });
  if (d === 1) return [H[0][0], H[0][0]];
  const mid = (H[0][0] + H[1][1]) / 2, off = hypot((H[0][0] - H[1][1]) / 2, (H[0][1] + H[1][0]) / 2);
  return [mid - off, mid + off];
}

// A descent from its start: rule, fields, rate, schedule, scheduleFields, batch, sampling, seed.
function descend(surface, spec) {
  const { d, n, penalty } = surface, zeros = () => Array(d).fill(0), start = spec.start.slice(0, d), order = Array.from({ length: n }, (_, i) => i);
  const size = n && spec.batch && (spec.batch < n || spec.sampling === "replacement") ? min(spec.batch, n) : 0, perEpoch = size ? ceil(n / size) : 1;
  const rule = made({ ...RULE, n_memory: 0, n_scalars: 0 }, RULES, size && RULES[spec.rule + "_beta"] ? spec.rule + "_beta" : spec.rule, spec.fields);
  const schedule = made(SCHEDULE, SCHEDULES, spec.schedule ?? "constant", spec.scheduleFields), move = stepOf(rule, penalty), next = generatorOf(spec.seed ?? 0);
  if (schedule.then) schedule.then = made(SCHEDULE, SCHEDULES, schedule.then);
  schedule.horizon ??= ceil((spec.horizon ?? 200) / perEpoch);
  const state = {
    theta: start.slice(), iterate: start.slice(), g: zeros(),
    memory: Array.from({ length: rule.n_memory }, zeros), scalars: Array(rule.n_scalars).fill(0),
  };
  const run = { rule, size, t: 0, path: [start], losses: [surface.value(start)] };
  let best = run.losses[0], stale = 0, factor = 1;
  run.to = last => {
    while (run.t < last && factor && !run.diverged) {
      const k = run.t % perEpoch, from = k * size, time = schedule.per === "update" ? run.t : floor(run.t / perEpoch);
      if (size && !k) shuffle(order, next, SAMPLINGS[spec.sampling ?? "shuffle"]);
      surface.add(state.theta, state.g, from, size ? min(from + size, n) : n, order);
      move({ optimizer: rule, penalty }, surface, state, null, ++run.t, spec.rate * factor * schedule.multiplier(schedule, time));
      const point = (rule.extrapolates ? state.iterate : state.theta).slice(), loss = surface.value(point);
      run.path.push(point);
      run.losses.push(loss);
      run.diverged = !(loss <= 1e10 * max(1e-12, run.losses[0]) + 1e-300);
      stale = loss < best ? 0 : stale + 1;
      best = min(best, loss);
      if (schedule.patience(schedule) && stale >= schedule.patience(schedule)) {
        factor = schedule.next_factor(schedule, factor);
        stale = 0;
      }
    }
    return run;
  };
  return run;
}

// The largest stable rate of a run's rule where the largest curvature is L; null if it has none.
function stableRate(run, L) {
  const limit = run.rule.stability_limit(run.rule);
  return limit === null || !(L > 0) || run.size ? null : limit * 2 / L;
}

// The closed form of a rule on a quadratic with given curvatures, or null.
function factorOf({ rule, size }, rate, memory, curvature) {
  const beta = rule.name === "gd" ? 0 : memory;
  if (size || !["gd", "momentum", "nesterov_beta"].includes(rule.name)) return null;
  const scale = rate * (rule.averaged ? 1 - beta : 1);
  return max(...curvature.map(c => convergence_factor(scale * c, beta, rule.name === "nesterov_beta")));
}
