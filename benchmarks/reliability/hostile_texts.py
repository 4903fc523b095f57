"""SQL, conditions and web requests that were made to do harm."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Final

_FILES: Final = ("/etc/passwd", "../../x", "s3://a/b", "http://127.0.0.1:1/x", "~/.ssh/id_rsa", "*")
_READS: Final = (
    "SELECT * FROM read_csv('{}')",
    "SELECT * FROM read_parquet(['{}'])",
    "SELECT * FROM read_text('{}')",
    "SELECT * FROM read_blob('{}')",
    "SELECT * FROM read_json_auto('{}')",
    "SELECT * FROM glob('{}')",
    "FROM '{}'",
    "COPY (SELECT 1) TO '{}'",
    "ATTACH '{}' AS other",
    "EXPORT DATABASE '{}'",
    "IMPORT DATABASE '{}'",
    "LOAD '{}'",
)
_CHANGES: Final = (
    "DROP VIEW images",
    "DELETE FROM images",
    "INSERT INTO images VALUES (1)",
    "UPDATE images SET width = 1",
    "CREATE TABLE a AS SELECT 1",
    "CREATE OR REPLACE VIEW images AS SELECT 1",
    "SET memory_limit = '900GB'",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA database_list; DROP VIEW images",
    "INSTALL httpfs",
    "CALL pragma_version(); DROP VIEW images",
    "SELECT 1; SELECT 2; DROP VIEW images",
    "BEGIN; DROP VIEW images; COMMIT",
    "CHECKPOINT",
    "VACUUM",
    "PREPARE a AS SELECT 1",
    "USE other",
    "WITH a AS (DELETE FROM images RETURNING *) FROM a",
    "SELECT getenv('HOME')",
    "SELECT error(chr(27) || ']0;owned' || chr(7))",
    "SELEC 1",
    "",
    " \n",
    "--",
    "/*",
    "\0",
    "\ud800",
    "SELECT '\ud800'",
    "SELECT " + "(" * 3000 + "1" + ")" * 3000,
    "SELECT " + "NOT " * 20_000 + "true",
    "SELECT 1" + " + 1" * 50_000,
    "FROM images@" + "f" * 5000,
    "FROM pseudo_labels@..",
    'FROM "images@3f"; DROP VIEW images',
    "SELECT * FROM images AS a(" + ",".join(f"c{n}" for n in range(5000)) + ")",
    "SELECT 1e999::INTEGER",
    "SELECT repeat('x', 100000)::INTEGER",
    "SELECT 'x'::DATE FROM images",
    "SELECT count(*) FROM range(100000000000) a, range(100000000000) b",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT count(*) FROM t",
    "SELECT list(n) FROM range(100000000000) t(n)",
)
_ANSWERED: Final = (
    "SELECT 1 AS a",
    "FROM images",
    "SHOW TABLES",
    "SELECT ';' AS a -- ; DROP VIEW images",
    "SELECT $$ DROP VIEW images $$ AS a",
    "SELECT repeat('x', 100000) AS a",
    "SELECT chr(27) || '[2J' AS a",
    "SELECT 'NaN'::FLOAT AS a, 'Infinity'::FLOAT AS b",
    "SELECT NULL AS a",
    "SELECT * FROM images WHERE false",
    "EXPLAIN SELECT 1",
    "VALUES (1), (2)",
)
STATEMENTS: Final = (  # and whether each must be refused
    *((text.format(file), True) for text, file in product(_READS, _FILES)),
    *((text, True) for text in _CHANGES),
    *((text, False) for text in _ANSWERED),
)
_FRAGMENTS: Final = ("kept", "probability", "concept", "1", "'a'", "NULL", "top_ids", "x0")
_JOINTS: Final = ("=", "IN", "LIKE", "AND", ";", "--", "::", ",", ") OR (", "UNION SELECT")
CONDITIONS: Final = (
    *(f"{a} {joint} {b}" for joint in _JOINTS for a, b in pairwise(_FRAGMENTS)),
    *("", " ", "\0", "\ud800", "(", ")", "true) OR (true", "true; DROP VIEW pseudo_labels"),
    "true -- and more",
    "EXISTS (FROM read_csv('/etc/passwd'))",
    "probability > (SELECT count(*) FROM range(100000000000) a, range(9) b WHERE a.range % 7 = 9)",
    "length(list_aggregate(range(100000000000), 'string_agg')) > 1",
    "concept = repeat('x', 4000000000)",
    "NOT " * 20_000 + "kept",
    "(" * 3000 + "kept" + ")" * 3000,
    "regexp_matches(concept, '(a+)+$')",
    "error('stop')",
)
_QUERIES: Final = (
    *("overview", "images", "image", "side", "concepts", "concept", "synonyms", "what-if"),
    *("training", "evaluations", "evaluation", "search", "nothing", "..%2f..%2fetc%2fpasswd"),
)
_PARAMETERS: Final = (
    "",
    "id=..%2f..%2fetc%2fpasswd&name=x&artifact=x",
    "id=%00&name=%00&labels=%00&text=%00",
    "id=%ff%fe&name=%ff&labels=%ff&text=%ff",
    "id='%3b DROP VIEW images--&name='%3b--&where='%3b--&text='",
    "page=-1&limit=-1&offset=-9223372036854775809&probability=nan&region=x:y",
    "page=1e999&limit=99999999999999999999&probability=1e999&region=:::",
    "where=" + "(" * 900 + "&text=" + "x" * 3000 + "&labels=pseudo_labels@" + "f" * 900,
)
_HEADERS: Final = (
    {"host": "evil.example"},
    {"host": "127.0.0.1.evil.example:8000"},
    {"host": ""},
    {"host": "127.0.0.1:8000", "origin": "http://evil.example"},
    {"host": "127.0.0.1:8000", "origin": "null"},
)
REQUESTS: Final = (  # method, path, headers
    *(("GET", f"/api/{q}?{p}", {}) for q, p in product(_QUERIES, _PARAMETERS)),
    *(("GET", f"/picture/{k}?{p}", {}) for k, p in product(("thumb", "crop", "x"), _PARAMETERS)),
    *(
        ("GET", f"/picture/crop?id=toy/000000&box={box}", {})
        for box in ("1", "a,b,c,d", "nan,0,1,1")
    ),
    *(
        ("GET", path, {})
        for path in ("/../etc/passwd", "/static/../server.py", "//", "/%2e%2e/", "/x")
    ),
    *(("GET", "/api/overview", headers) for headers in _HEADERS),
    *(
        (m, "/api/overview", {})
        for m in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X")
    ),
)
