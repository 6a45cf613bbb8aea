-- Search on SQLite: FTS5 over trigrams, without positions or a copy of the text. It finds
-- candidates, which are then compared with risk_text. The text is folded by the program.
CREATE VIRTUAL TABLE risk_search USING fts5 (
    search_text, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1'
);
