"""What the data is: tables, boxes, vectors, errors. Imports nothing else of ours."""
