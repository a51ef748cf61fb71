"""Learns from example sentences the weights by which `likeness` and `reading` judge: logistic regressions.

One a language weighs the words of a sentence. One over all languages weighs what the sentences of a text say together:
it is learned from the reports, by weights of words that were learned without them, as texts to come will be read.

`python -m processors.annotate.learn [LANGUAGE ...]`, or `make learn`. It needs scikit-learn, which judging does not.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any, cast

from processors.annotate.actors import Named, beside, mentions
from processors.annotate.events import candidates, reader_of
from processors.annotate.lexicon import LANGUAGES
from processors.annotate.likeness import (
    EXAMPLES,
    NOTHING,
    TURNS,
    Example,
    Likeness,
    digest_of,
    examples,
    features,
    files_of,
    reports,
)
from processors.annotate.parties import line_of, settle
from processors.annotate.reading import READING
from processors.records import Document, Kind, Language

STRENGTH = 10.0
"""The inverse of the regularisation. Over 300 labelled texts that nothing was made with, 5 to 20 are alike and 60 is a
point of F1 below."""

TOGETHER = 0.3
"""The same for how a text is read; .03 and 1 are as good."""

LEAST = 0.5
"""A weight below is left out: F1 over the same texts stays within half a point, and half of the weights are left;
from 1 on it falls by two points and more."""

LITTLE = 0.005
"""A weight below moves no chance by a hundredth."""

_DAY = datetime(2015, 6, 1, tzinfo=UTC)
"""When the reports came out, as far as it matters."""


def rows(example: Example, language: str) -> Iterator[tuple[dict[str, float], str, frozenset[str], float]]:
    """Give for each two groups of an example what is weighed, the kind told, its turns, and the row's weight."""
    named = beside(example.names, mentions(example.text, language))
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


def learn(paths: Sequence[Path], language: str, *, least: float = LEAST) -> dict[str, Any]:
    """Give the weights of at least this size that the examples of files teach, as `likeness.Likeness` reads them."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    taught = [row for path in paths for example in examples(path) for row in rows(example, language)]
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
        "examples": digest_of(paths),
        "columns": columns,
        "bias": [round(float(value), 3) for value in (*kinds.intercept_, *(turn.intercept_[0] for turn in turns))],
        "weights": weights,
    }


def told_by(report: Sequence[Example], language: Language) -> tuple[Document, Named, set[tuple[frozenset[str], Kind]]]:
    """Give a report as a document, the groups that it names, and what its sentences tell."""
    title, *sentences = report
    text = ""
    named = []
    for sentence in sentences:
        named += [replace(name, start=name.start + len(text), end=name.end + len(text)) for name in sentence.names]
        text += f"{sentence.text} "
    told = set()
    for telling in (telling for sentence in report for telling in sentence.told):
        settled = settle(telling.kind, (), (), sorted(telling.parties))
        if settled is not None:
            told.add((frozenset(line_of(actor) for actor, _ in settled[1]), settled[0]))
    document = Document(
        id="report",
        source="report",
        url="report",
        title=title.text,
        text=text.rstrip(),
        published_at=_DAY,
        fetched_at=_DAY,
        capture="",
        language=language,
    )
    return document, {"title": title.names, "text": tuple(named)}, told


def taught_by(path: Path, language: Language, likeness: Likeness) -> Iterator[tuple[Mapping[str, float], bool]]:
    """Give for each candidate of a file's reports what speaks for and against it, and whether it is told."""
    for report in reports(path):
        document, named, told = told_by(report, language)
        for candidate in candidates(document, named=named, likeness=likeness):
            yield candidate.features, (candidate.parties, candidate.kind) in told


def learn_reading(taught: Sequence[tuple[Mapping[str, float], bool]]) -> dict[str, Any]:
    """Give what each feature of a candidate counts for, as `reading.Reading` has it."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = DictVectorizer()
    matrix = vectorizer.fit_transform([given for given, _ in taught])
    model = LogisticRegression(C=TOGETHER, max_iter=5000).fit(matrix, [told for _, told in taught])
    named = zip(vectorizer.feature_names_, model.coef_[0], strict=True)
    return {
        "bias": round(float(model.intercept_[0]), 3),
        "weights": {name: round(float(weight), 3) for name, weight in named if abs(weight) >= LITTLE},
    }


def main(languages: list[str]) -> None:
    """Learn the weights of these languages, all by default, and how to read texts, and write them by the examples."""
    read: list[tuple[Mapping[str, float], bool]] = []
    for language in LANGUAGES:
        sentences, whole = files_of(language)
        read += taught_by(whole, cast(Language, language), Likeness(learn([sentences], language)))
        print(f"{language}: reports read", flush=True)
        if not languages or language in languages:
            _write(EXAMPLES / f"{language}.json", learn([sentences, whole], language))
    every = [path for language in LANGUAGES for path in files_of(language)]
    _write(READING, {"examples": digest_of(every), **learn_reading(read)})


def _write(path: Path, learned: Mapping[str, Any]) -> None:
    rest = {key: value for key, value in learned.items() if key != "weights"}
    # A feature a line, so that a change can be read.
    lines = ",\n".join(
        f"{json.dumps(feature, ensure_ascii=False)}:{json.dumps(row, separators=(',', ':'))}"
        for feature, row in learned["weights"].items()
    )
    head = json.dumps(rest, ensure_ascii=False)[:-1]
    path.write_text(f'{head},\n"weights":{{\n{lines}\n}}}}\n', encoding="utf-8")
    print(f"{path.name}: {len(learned['weights'])} features, {path.stat().st_size // 1024} KiB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
