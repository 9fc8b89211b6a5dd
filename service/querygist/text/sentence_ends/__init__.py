"""Ends of sentences: full stops, line ends, quotations and brackets."""
