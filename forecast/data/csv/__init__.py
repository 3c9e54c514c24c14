"""Read price tables from text: separator, header, numbers, dates and what the columns mean, without guessing."""
