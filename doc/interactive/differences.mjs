// Say in which trajectories the page differs from the package; it runs in node and in a page.
export function differences({ descend, surfaceOf }, goldens, tolerance = 1e-12) {
  return goldens.flatMap(golden => {
    const run = descend(surfaceOf(golden), golden);
    for (const [t, ...expected] of golden.points) {
      run.to(t);
      const found = run.path[t] ?? [];
      const error = Math.max(...expected.map((v, j) => Math.abs(found[j] - v) / Math.max(1, Math.abs(v))));
      if (!(error <= tolerance)) {
        return [`${golden.rule} on ${golden.surface} differs by ${error} at step ${t}`];
      }
    }
    return [];
  });
}
