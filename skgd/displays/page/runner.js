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
  return Math.trunc((high * 67108864 + low) * 2 ** -53 * n);
};

const ANALYTIC = {
  quadratic: [quadratic_value, quadratic_gradient],
  rosenbrock: [rosenbrock_value, rosenbrock_gradient],
  saddle: [saddle_value, saddle_gradient],
  waves: [waves_value, waves_gradient],
};

// What is minimised, as a function of theta in the order of the package: weights, then the rest.
function surfaceOf(spec) {
  const look = SURFACES[spec.surface], { d = 2, axes = [0, 1], network } = look, [value, gradient] = ANALYTIC[spec.surface] ?? [];
  const penalty = made(PENALTY, PENALTIES, spec.penalty ?? "none", { l1_ratio: spec.l1_ratio ?? 0.5 });
  const shared = { ...look, d, axes, n: 0, penalty, strengths: Array(d).fill(0), quadratic: spec.surface === "quadratic" };
  if (value) {
    const k = spec.k ?? look.k[2];
    return { ...shared, value: t => value(t[0], t[1] ?? 0, k), add(t, g) {
      const added = gradient(t[0], t[1] ?? 0, k);
      t.forEach((_, j) => { g[j] += added[j]; });
    } };
  }
  const { X, y } = spec.data ?? DATA[look.data], n = y.length, p = X[0].length, all = y.map((_, i) => i);
  const model = made({}, MODELS, look.model ?? "linear"), loss = made({}, LOSSES, look.loss ?? "squared_error", look.lossFields);
  const rows = { model, loss, X, y, p, order: all };
  if (network) {
    const normalized = network === "batchnorm";
    return {
      ...shared, n, rows, value: t => network_value(rows, t, normalized),
      add(t, g, from, to, order) { add_network_gradient({ ...rows, order }, from, to, t, normalized, g); },
      predict: (x, t) => t[1] * Math.tanh(hidden(x, t[0], normalized, ...centre_and_spread(rows, 0, n))[0]),
    };
  }
  const strengths = shared.strengths.map((_, j) => j < p && penalty.name !== "none" ? spec.alpha ?? 0 : 0);
  return {
    ...shared, n, rows, strengths,
    quadratic: loss.name === "squared_error" && model.name !== "gabor" && (penalty.name === "none" || penalty.name === "l2"),
    value: t => strengths.reduce((sum, alpha, j) => sum + alpha * penalty.value(penalty, t[j]), mean_loss(rows, t)),
    add(t, g, from, to, order) { add_mean_gradient({ ...rows, order }, from, to, t, g); },
    predict(x, t) {
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
  const mid = (H[0][0] + H[1][1]) / 2, off = Math.hypot((H[0][0] - H[1][1]) / 2, (H[0][1] + H[1][0]) / 2);
  return [mid - off, mid + off];
}

class Run {
  // spec: rule, fields, rate, start, schedule, scheduleFields, batch, sampling, seed, horizon
  constructor(surface, spec) {
    const { d, n, penalty } = surface, zeros = () => Array(d).fill(0), start = spec.start.slice(0, d);
    const batch = n && spec.batch && (spec.batch < n || spec.sampling === "replacement") ? Math.min(spec.batch, n) : 0;
    const name = batch && RULES[spec.rule + "_beta"] ? spec.rule + "_beta" : spec.rule;
    this.surface = surface;
    this.rule = made({ ...RULE, n_memory: 0, n_scalars: 0, newton_fraction: null }, RULES, name, spec.fields);
    this.move = stepOf(this.rule, penalty);
    this.parts = { optimizer: this.rule, penalty };
    this.rate = spec.rate;
    this.schedule = made({}, SCHEDULES, spec.schedule ?? "constant", spec.scheduleFields);
    if (this.schedule.then) this.schedule.then = made({}, SCHEDULES, this.schedule.then);
    this.size = batch;
    this.perEpoch = batch ? Math.ceil(n / batch) : 1;
    this.schedule.horizon ??= Math.ceil((spec.horizon ?? 200) / this.perEpoch);
    this.sampling = SAMPLINGS[spec.sampling ?? "shuffle"];
    this.generator = batch ? generatorOf(spec.seed ?? 0) : null;
    this.order = Array.from({ length: n }, (_, i) => i);
    this.state = {
      theta: start.slice(), iterate: start.slice(), g: zeros(),
      memory: Array.from({ length: this.rule.n_memory }, zeros), scalars: Array(this.rule.n_scalars).fill(0),
    };
    this.t = 0;
    this.path = [start];
    this.losses = [surface.value(start)];
    this.diverged = false;
  }

  // The rate of update t, counted from 1.
  rateAt(t) {
    const time = this.schedule.per === "update" ? t - 1 : Math.floor((t - 1) / this.perEpoch);
    return this.rate * this.schedule.multiplier(this.schedule, time);
  }

  step() {
    if (this.diverged) return false;
    const { surface, state } = this, k = this.t % this.perEpoch;
    this.t += 1;
    if (this.size && k === 0) shuffle(this.order, this.generator, this.sampling);
    const start = this.size ? k * this.size : 0, stop = this.size ? Math.min(start + this.size, surface.n) : surface.n;
    surface.add(state.theta, state.g, start, stop, this.order);
    this.move(this.parts, { strengths: surface.strengths }, state, null, this.t, this.rateAt(this.t));
    const point = (this.rule.extrapolates ? state.iterate : state.theta).slice(), loss = surface.value(point);
    this.path.push(point);
    this.losses.push(loss);
    this.diverged = !(loss <= 1e10 * Math.max(1e-12, this.losses[0]) + 1e-300);
    return true;
  }

  to(n) {
    while (this.t < n && this.step());
    return this;
  }
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
  return Math.max(...curvature.map(c => convergence_factor(scale * c, beta, rule.name === "nesterov_beta")));
}
