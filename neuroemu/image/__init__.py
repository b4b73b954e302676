"""The deployed program as a file: manifest, sections, checksums, symbols, and bit fields declared once."""
