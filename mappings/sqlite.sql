-- The embedded store's schema, version 2. Tables and columns are named after the records and their fields
-- (processors/records.py, sulh/stores/__init__.py); nested values are JSON text, times ISO 8601 text in UTC, so that
-- text order is order of time. What is derived for look-ups or for the desk stands below "derived".

-- "sulh" in ASCII: tells our file from any other SQLite file.
PRAGMA application_id = 1937075304;
PRAGMA user_version = 3;

-- ---------------------------------------------------------------------------------------------------- records

CREATE TABLE documents (
  -- A key of its own: the rowid of a table without an INTEGER PRIMARY KEY may change, and the full-text index hangs on it.
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  revision INTEGER NOT NULL,
  source TEXT NOT NULL,
  url TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  authors TEXT NOT NULL,
  published_at TEXT,
  published_from TEXT NOT NULL,
  fetched_at TEXT NOT NULL,
  language TEXT NOT NULL,
  comments TEXT NOT NULL,
  links TEXT NOT NULL,
  capture TEXT NOT NULL,
  sketch TEXT NOT NULL,
  story TEXT NOT NULL,
  credit TEXT NOT NULL,
  declared TEXT NOT NULL,
  -- When it came out, as far as anyone knows.
  dated_at TEXT NOT NULL GENERATED ALWAYS AS (coalesce(published_at, fetched_at)) VIRTUAL,
  day TEXT NOT NULL GENERATED ALWAYS AS (substr(coalesce(published_at, fetched_at), 1, 10)) VIRTUAL
) STRICT;
CREATE INDEX documents_by_story ON documents (story, credit);
CREATE INDEX documents_by_day ON documents (day, source);
CREATE INDEX documents_by_source ON documents (source, dated_at);
CREATE INDEX documents_by_fetch ON documents (fetched_at);

-- Former texts of an address; the current one stands in documents.
CREATE TABLE revisions (
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  source TEXT NOT NULL,
  url TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  authors TEXT NOT NULL,
  published_at TEXT,
  published_from TEXT NOT NULL,
  fetched_at TEXT NOT NULL,
  language TEXT NOT NULL,
  comments TEXT NOT NULL,
  links TEXT NOT NULL,
  capture TEXT NOT NULL,
  sketch TEXT NOT NULL,
  story TEXT NOT NULL,
  credit TEXT NOT NULL,
  declared TEXT NOT NULL,
  PRIMARY KEY (id, revision)
) STRICT;

CREATE TABLE events (
  id TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  parties TEXT NOT NULL,
  polarity TEXT NOT NULL,
  modality TEXT NOT NULL,
  attribution TEXT,
  place TEXT NOT NULL,
  date TEXT,
  field TEXT NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  sentence TEXT NOT NULL,
  rule TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_document ON events (document);
CREATE INDEX events_by_kind ON events (kind, document);

CREATE TABLE comparisons (
  id TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  register TEXT NOT NULL,
  claim TEXT NOT NULL,
  bearing TEXT NOT NULL,
  score REAL NOT NULL,
  field TEXT NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  sentence TEXT NOT NULL,
  why TEXT NOT NULL,
  event TEXT NOT NULL
) STRICT;
CREATE INDEX comparisons_by_document ON comparisons (document);
CREATE INDEX comparisons_by_claim ON comparisons (claim, register, bearing, document);

-- What became of each capture: exactly one row a capture.
CREATE TABLE outcomes (
  capture TEXT NOT NULL PRIMARY KEY,
  source TEXT NOT NULL,
  url TEXT NOT NULL,
  fetched_at TEXT NOT NULL,
  disposition TEXT NOT NULL,
  reason TEXT NOT NULL,
  document TEXT NOT NULL,
  processed_at TEXT,
  day TEXT NOT NULL GENERATED ALWAYS AS (substr(fetched_at, 1, 10)) VIRTUAL
) STRICT;
CREATE INDEX outcomes_by_day ON outcomes (source, day, disposition, reason);
CREATE INDEX outcomes_by_document ON outcomes (document);

CREATE TABLE rejections (
  step TEXT NOT NULL,
  reason TEXT NOT NULL,
  source TEXT NOT NULL,
  url TEXT NOT NULL,
  capture TEXT NOT NULL,
  detail TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (capture, step, url)
) STRICT;
CREATE INDEX rejections_by_time ON rejections (at);

-- The crawl's rows of the ledger, as the archive counts them; the process rows are counted from outcomes.
CREATE TABLE tallies (
  source TEXT NOT NULL,
  day TEXT NOT NULL,
  step TEXT NOT NULL,
  disposition TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (source, day, step, disposition, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
  id TEXT NOT NULL PRIMARY KEY,
  parties TEXT NOT NULL,
  kind TEXT NOT NULL,
  place TEXT NOT NULL,
  opened_at TEXT NOT NULL,
  title TEXT NOT NULL,
  sentence TEXT NOT NULL,
  state TEXT NOT NULL,
  members TEXT NOT NULL,
  origins TEXT NOT NULL,
  caution TEXT NOT NULL,
  held TEXT NOT NULL,
  withdrawn TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX alerts_by_time ON alerts (opened_at);

-- What analysts decided. No reference to alerts: alerts are decided anew from the documents, verdicts stay.
CREATE TABLE verdicts (
  alert TEXT NOT NULL PRIMARY KEY,
  verdict TEXT NOT NULL,
  why TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;

-- The outbox. On disk, "unsure" is the state from just before the first byte is sent until the answer is settled.
CREATE TABLE deliveries (
  id TEXT NOT NULL PRIMARY KEY,
  alert TEXT NOT NULL,
  channel TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'unsure')),
  attempts INTEGER NOT NULL,
  next_attempt TEXT NOT NULL,
  sent_at TEXT,
  error TEXT NOT NULL,
  -- When it was last claimed for sending.
  claimed_at TEXT,
  UNIQUE (alert, channel)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (state, next_attempt);

-- What is wrong with the watch itself, and was told to operators.
CREATE TABLE findings (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  about TEXT NOT NULL,
  said TEXT NOT NULL,
  todo TEXT NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  gone_at TEXT
) STRICT;
CREATE INDEX findings_standing ON findings (gone_at, first_at);

-- ---------------------------------------------------------------------------------------------------- derived

CREATE TABLE event_parties (
  event TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  actor TEXT NOT NULL,
  role TEXT NOT NULL,
  PRIMARY KEY (event, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_parties_by_actor ON event_parties (actor, event);

CREATE TABLE alert_parties (
  alert TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  actor TEXT NOT NULL,
  PRIMARY KEY (alert, actor)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_members (
  alert TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  document TEXT NOT NULL,
  role TEXT NOT NULL,
  event TEXT NOT NULL,
  sentence TEXT NOT NULL,
  PRIMARY KEY (alert, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_members_by_document ON alert_members (document);

CREATE TABLE alert_signals (
  alert TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  shown INTEGER NOT NULL,
  sentence TEXT NOT NULL,
  document TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (alert, position)
) STRICT, WITHOUT ROWID;

-- Which documents (by number) hold which sketch terms: one tree and no more, since a document has dozens of them.
-- A term above 2^63 is stored minus 2^64: SQLite's integers are signed.
CREATE TABLE sketch_terms (
  term INTEGER NOT NULL,
  document INTEGER NOT NULL,
  PRIMARY KEY (term, document)
) STRICT, WITHOUT ROWID;

-- Folded and stemmed words (processors/fold.py); its rowid is documents.number. It keeps its own copy of the words:
-- an external-content index must be told the old words to forget them, and a later fold would tell it others.
CREATE VIRTUAL TABLE documents_fts USING fts5 (title, text, tokenize = "unicode61 remove_diacritics 0");

-- ------------------------------------------------------------------------------------------------------ views

-- One row a story: its first document by (publication, else capture; id), and how many share it.
-- SQLite takes the bare columns of a min() query from the row that holds the minimum.
CREATE VIEW stories AS
SELECT story AS id, first, first_at, first_source, size FROM (
  SELECT story, id AS first, dated_at AS first_at, source AS first_source, count(*) AS size, min(dated_at || ' ' || id)
  FROM documents GROUP BY story
);

-- Where a story comes from: the agency or outlet that one of its documents credits, else the story itself.
CREATE VIEW story_origins AS
SELECT story, coalesce(min(nullif(credit, '')), story) AS origin FROM documents GROUP BY story;

-- source, day, step, disposition, reason, count, as the record LedgerRow.
CREATE VIEW ledger AS
SELECT source, day, step, disposition, reason, count FROM tallies
UNION ALL
SELECT source, day, 'process', disposition, reason, count(*) FROM outcomes GROUP BY source, day, disposition, reason;

-- How many documents, and how many independent origins, bear on each claim in which way.
CREATE VIEW claim_counts AS
SELECT c.register, c.claim, c.bearing, count(*) AS documents, count(DISTINCT o.origin) AS origins,
  min(d.dated_at) AS first_at, max(d.dated_at) AS last_at
FROM comparisons c JOIN documents d ON d.id = c.document JOIN story_origins o ON o.story = d.story
GROUP BY c.register, c.claim, c.bearing;

-- One row an alert, with what an analyst decided.
CREATE VIEW alert_queue AS
SELECT a.id, a.opened_at, a.kind, a.parties, a.place, a.title, a.sentence, a.state, a.held, a.withdrawn,
  json_array_length(a.members) AS documents, json_array_length(a.origins) AS origins,
  coalesce(v.verdict, 'open') AS verdict, coalesce(v.why, '') AS why, v.at AS judged_at
FROM alerts a LEFT JOIN verdicts v ON v.alert = a.id;
