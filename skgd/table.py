"""Tables of text, for data that prints itself."""


def table(head, lines):
    """Return lines of text in columns: the first to the left, the rest to the right.

    Parameters
    ----------
    head : tuple of str
    lines : list of tuple of str

    Returns
    -------
    str

    Examples
    --------
    >>> from skgd.table import table
    >>> print(table(("rule", "epochs"), [("adam", "120"), ("momentum", "95")]))
    rule      epochs
    ----------------
    adam         120
    momentum      95
    """
    widths = [max(map(len, column)) for column in zip(head, *lines)]
    texts = [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:]))])
        for line in (head, *lines)
    ]
    return "\n".join([texts[0], "-" * len(texts[0]), *texts[1:]])
