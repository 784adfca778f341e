"""An assistant that looks, measures, cites and admits: pages, an API, and the terminal."""
