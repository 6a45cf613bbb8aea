-- Search on SQLite: FTS5 over trigrams, without positions or a copy of the text. It finds
-- candidates, which are then compared with risk_text. The text is folded by the program.
CREATE VIRTUAL TABLE risk_search USING fts5 (
    search_text, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1'
);
-- Bytes of new entries that are gathered in memory before they become a segment. Only an import of
-- many risks gathers so much; with the default of 1 MiB the index takes it a sixth longer.
INSERT INTO risk_search (risk_search, rank) VALUES ('hashsize', 16777216);
