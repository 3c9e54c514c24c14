"""Read price tables from text: separator, header, dates and numbers, without guessing."""
