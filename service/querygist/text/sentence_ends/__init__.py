"""Where a sentence ends: full stops, line ends, quotations and brackets."""
