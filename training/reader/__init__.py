"""The reader: a small cross-encoder that scores each unit of a page, and the page, for a query."""
