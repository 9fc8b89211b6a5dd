"""HTML to blocks: what a reader of the page sees, in time proportional to its length."""
