"""Learns from example sentences the weights by which `likeness` judges: a logistic regression a language.

`python -m processors.annotate.learn [LANGUAGE ...]`, or `make learn`. It needs scikit-learn, which judging does not.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from processors.annotate.actors import mentions
from processors.annotate.events import reader_of
from processors.annotate.lexicon import LANGUAGES
from processors.annotate.likeness import EXAMPLES, NOTHING, TURNS, Example, digest_of, examples, features
from processors.annotate.parties import line_of

STRENGTH = 10.0
"""The inverse of the regularisation. Over 300 labelled texts that nothing was made with, 5 to 20 are alike and 60 is a
point of F1 below."""

LEAST = 0.5
"""A weight below is left out: F1 over the same texts stays within half a point, and half of the weights are left;
from 1 on it falls by two points and more."""


def rows(example: Example, language: str) -> Iterator[tuple[dict[str, float], str, frozenset[str], float]]:
    """Give for each two groups of an example what is weighed, the kind told, its turns, and the row's weight."""
    given = example.names
    found = [
        mention
        for mention in mentions(example.text, language)
        if not any(mention.start < name.end and name.start < mention.end for name in given)
    ]
    named = sorted((*given, *found), key=lambda mention: mention.start)
    kinds: dict[frozenset[str], dict[str, frozenset[str]]] = defaultdict(dict)
    for told in example.told:
        for two in combinations(sorted(told.parties), 2):
            kinds[frozenset(two)].setdefault(told.kind, told.turns)
    seen, marks = reader_of(language).seen(example.text, named)
    groups = sorted({line_of(mention.actor) for mention in named})
    pairs = [frozenset(pair) for pair in combinations(groups, 2)]
    if example.about:
        pairs = [*kinds] or [frozenset()]
    marks.append("about" if example.about else "named")
    for pair in pairs:
        told_of = kinds.get(pair) or {NOTHING: frozenset()}
        for kind, turns in sorted(told_of.items()):
            yield features(seen, marks, pair), kind, turns, 1 / len(told_of)


def learn(path: Path, language: str, *, least: float = LEAST) -> dict[str, Any]:
    """Give the weights of at least this size that the examples of a file teach, as `likeness.Likeness` reads them."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    taught = [row for example in examples(path) for row in rows(example, language)]
    vectorizer = DictVectorizer()
    matrix = vectorizer.fit_transform([given for given, _, _, _ in taught])
    weight = [share for _, _, _, share in taught]

    def fitted(wanted: list[Any]) -> Any:
        model = LogisticRegression(C=STRENGTH, max_iter=3000)
        return model.fit(matrix, wanted, sample_weight=weight)

    kinds = fitted([kind for _, kind, _, _ in taught])
    turns = [fitted([turn in turned for _, _, turned, _ in taught]) for turn in TURNS]
    columns = [*map(str, kinds.classes_), *TURNS]
    coefficients = [*kinds.coef_, *(turn.coef_[0] for turn in turns)]
    weights = {}
    for at, feature in enumerate(vectorizer.feature_names_):
        row: list[float] = []
        for column, of in enumerate(coefficients):
            if abs(of[at]) >= least:
                row += [column, round(float(of[at]), 2)]
        if row:
            weights[feature] = row
    return {
        "examples": digest_of(path),
        "columns": columns,
        "bias": [round(float(value), 3) for value in (*kinds.intercept_, *(turn.intercept_[0] for turn in turns))],
        "weights": weights,
    }


def main(languages: list[str]) -> None:
    """Learn the weights of these languages, all by default, and write them beside the examples."""
    for language in languages or LANGUAGES:
        learned = learn(EXAMPLES / f"{language}.txt", language)
        path = EXAMPLES / f"{language}.json"
        rest = {key: value for key, value in learned.items() if key != "weights"}
        # A feature a line, so that a change can be read.
        lines = ",\n".join(
            f"{json.dumps(feature, ensure_ascii=False)}:{json.dumps(row, separators=(',', ':'))}"
            for feature, row in learned["weights"].items()
        )
        head = json.dumps(rest, ensure_ascii=False)[:-1]
        path.write_text(f'{head},\n"weights":{{\n{lines}\n}}}}\n', encoding="utf-8")
        print(f"{path.name}: {len(learned['weights'])} features, {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main(sys.argv[1:])
