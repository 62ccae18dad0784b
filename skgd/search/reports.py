"""What is said of the candidates that were trained together: once, in one table."""

from joblib.logger import short_format_time

MAX_LINES = 20  # of a table


def table(cells, candidates):
    """Return a line for each candidate of some cells, with the number of its splits.

    Parameters
    ----------
    cells : list of Cell
    candidates : list of dict
    """
    counts = {}
    for cell in cells:
        counts[cell.candidate] = counts.get(cell.candidate, 0) + 1
    lines = ["candidate  splits  parameters"]
    for index in sorted(counts)[:MAX_LINES]:
        lines.append(f"{index:9d}  {counts[index]:6d}  {parameters(candidates[index])}")
    left = len(counts) - MAX_LINES
    return "\n".join([*lines, f"... and {left} more"] if left > 0 else lines)


def parameters(params):
    """Return the parameters of a candidate as scikit-learn prints them."""
    return ", ".join(f"{key}={params[key]}" for key in sorted(params))


def failure_report(cells, candidates):
    """Return what is said of all fits that have failed, as the error of each."""
    return (
        "ValueError, of candidates that were trained together. The first: "
        f"{cells[0].failure}\n{table(cells, candidates)}"
    )


def warning_report(cells, candidates, n_fits):
    """Return what is said of all fits that would warn."""
    return (
        f"{len(cells)} of {n_fits} fits would warn, of candidates that were trained together. The "
        f"first: {cells[0].warning}\n{table(cells, candidates)}"
    )


def print_cell(cell, candidates, n_splits, verbose):
    """Print how a cell has ended, as scikit-learn does from ``verbose=2`` on."""
    result, progress = cell.result, ""
    if verbose > 2:
        progress = f" {cell.split + 1}/{n_splits}"
    if verbose > 9:
        progress += f"; {cell.candidate + 1}/{len(candidates)}"
    params = parameters(candidates[cell.candidate])
    begin, end = f"[CV{progress}] END ", params + (";" if params else "")
    end += _scores(result) if verbose > 2 else ""
    end += f" total time={short_format_time(result['fit_time'] + result['score_time'])}"
    print(f"{begin}{'.' * (80 - len(begin) - len(end))}{end}")


def _scores(result):
    """Return the scores of a cell as scikit-learn prints them."""
    test, train = result["test_scores"], result.get("train_scores")
    if isinstance(test, dict):
        train = None if train is None else {k: f"train={v:.3f}, " for k, v in train.items()}
        shown = {k: f"{train[k] if train else ''}test={test[k]:.3f}" for k in sorted(test)}
        return "".join(f" {name}: ({text})" for name, text in shown.items())
    if train is None:
        return f", score={test:.3f}"
    return f", score=(train={train:.3f}, test={test:.3f})"
