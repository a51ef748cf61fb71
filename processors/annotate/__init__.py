"""The step annotate: language, story, actors and events of a document."""
