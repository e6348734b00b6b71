"""The data sets that have names. No imports: `headstart list datasets` reads this."""

NAMED: dict[str, str] = {
    "digits": "1,797 handwritten digits, 8×8 grey; ships with scikit-learn",
    "mnist": "70,000 handwritten digits, 28×28 grey; found on disk or downloaded (11 MB)",
    "fashion-mnist": "70,000 articles of clothing, 28×28 grey; found on disk or downloaded (30 MB)",
}
