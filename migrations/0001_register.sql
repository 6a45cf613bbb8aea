-- The register. One text for all engines: text ids made by the program, times in UTC milliseconds,
-- scores in hundredths, flags 0/1, lists one item a line. What only one engine has is in
-- 0001_register.ENGINE.sql.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Generations of what cached answers depend on; bumped by the transaction that writes.
CREATE TABLE cache_generation (
    scope TEXT PRIMARY KEY,
    generation BIGINT NOT NULL
);
INSERT INTO cache_generation (scope, generation) VALUES ('accounts', 1), ('assets', 1), ('risks', 1);

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('risk_ref', 0);

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    full_name TEXT,
    role TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    password_hash TEXT,
    must_change_password INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_login_at BIGINT,
    version BIGINT NOT NULL
);

CREATE INDEX account_of_role ON account (role, email);

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES account (id),
    is_session INTEGER NOT NULL,
    name TEXT,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX token_by_user ON token (user_id, is_session, id);
CREATE INDEX token_by_expiry ON token (expires_at);

-- Columns in the order of risk_table (src/domain/risk.c), then what the API does not show.
CREATE TABLE risk (
    id TEXT NOT NULL UNIQUE,
    ref INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT,
    impact INTEGER NOT NULL,
    probability INTEGER NOT NULL,
    score INTEGER NOT NULL,
    level TEXT NOT NULL,
    status TEXT NOT NULL,
    category TEXT,
    treatment TEXT NOT NULL,
    owner TEXT,
    tags TEXT NOT NULL,
    frameworks TEXT NOT NULL,
    source TEXT,
    external_id TEXT,
    custom_fields TEXT NOT NULL,
    review_date TEXT,
    created_by TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    deleted_at BIGINT,
    title_fold TEXT NOT NULL
);
-- One index per order in which a list can be read …
CREATE INDEX risk_by_score ON risk (score DESC, id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_title ON risk (title_fold, id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_created_at ON risk (created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_updated_at ON risk (updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_impact ON risk (impact, id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_probability ON risk (probability, id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_source ON risk (COALESCE(source, ''), id) WHERE deleted_at IS NULL;
CREATE INDEX risk_by_status ON risk (status, id) WHERE deleted_at IS NULL;
-- … and one per filter, in the default order. A level is a range of scores.
CREATE INDEX risk_of_status ON risk (status, score DESC, id) WHERE deleted_at IS NULL;
CREATE INDEX risk_of_category ON risk (category, score DESC, id)
    WHERE deleted_at IS NULL AND category IS NOT NULL;
CREATE INDEX risk_of_owner ON risk (owner, score DESC, id)
    WHERE deleted_at IS NULL AND owner IS NOT NULL;
CREATE INDEX risk_of_review_date ON risk (review_date)
    WHERE deleted_at IS NULL AND review_date IS NOT NULL;
-- Deleted risks keep their external id: an import must know them.
CREATE UNIQUE INDEX risk_by_external_id ON risk (COALESCE(source, ''), external_id)
    WHERE external_id IS NOT NULL;

-- What risks are found by exists only while they are not deleted, so that matches can be counted
-- without looking at the risks. It is derived from them, and compared by `openrisk check` rather
-- than by foreign keys: the folded text that is searched …
CREATE TABLE risk_text (
    risk_ref INTEGER PRIMARY KEY,
    search_text TEXT NOT NULL
);
-- … and tags and frameworks once more.
CREATE TABLE risk_label (
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    risk_ref INTEGER NOT NULL,
    PRIMARY KEY (kind, label, risk_ref)
);
CREATE INDEX risk_label_of_risk ON risk_label (risk_ref);

CREATE TABLE asset (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT,
    criticality TEXT NOT NULL,
    owner TEXT,
    external_id TEXT,
    risk_count BIGINT NOT NULL,
    created_by TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    name_fold TEXT NOT NULL
);
CREATE UNIQUE INDEX asset_by_name ON asset (name_fold);
CREATE UNIQUE INDEX asset_by_external_id ON asset (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX asset_of_criticality ON asset (criticality, name_fold);
CREATE INDEX asset_of_type ON asset (type, name_fold) WHERE type IS NOT NULL;
CREATE INDEX asset_by_risk_count ON asset (risk_count, id);
CREATE INDEX asset_by_updated_at ON asset (updated_at, id);

CREATE TABLE risk_asset (
    risk_ref INTEGER NOT NULL REFERENCES risk (ref),
    asset_id TEXT NOT NULL REFERENCES asset (id),
    PRIMARY KEY (risk_ref, asset_id)
);
CREATE UNIQUE INDEX risk_asset_of_asset ON risk_asset (asset_id, risk_ref);

-- Columns in the order of mitigation_table, then what the API does not show.
CREATE TABLE mitigation (
    id TEXT PRIMARY KEY,
    risk_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    assignee TEXT,
    status TEXT NOT NULL,
    progress INTEGER NOT NULL,
    due_date TEXT,
    cost BIGINT NOT NULL,
    mitigation_time BIGINT NOT NULL,
    created_by TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    risk_ref INTEGER NOT NULL REFERENCES risk (ref),
    progress_by_hand INTEGER NOT NULL,
    import_key TEXT,
    hidden INTEGER NOT NULL -- 1: its risk is deleted
);
CREATE INDEX mitigation_of_risk ON mitigation (risk_ref, id);
-- With the status, so that what is overdue, or has a status, is found without a look at the rows.
CREATE INDEX mitigation_by_due_date ON mitigation (COALESCE(due_date, '9999-12-31'), id, status)
    WHERE hidden = 0;
CREATE INDEX mitigation_of_assignee ON mitigation (assignee, COALESCE(due_date, '9999-12-31'), id)
    WHERE hidden = 0 AND assignee IS NOT NULL;

CREATE TABLE sub_action (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    completed INTEGER NOT NULL,
    mitigation_id TEXT NOT NULL REFERENCES mitigation (id),
    position INTEGER NOT NULL
);
CREATE INDEX sub_action_of_mitigation ON sub_action (mitigation_id, position, id);

-- One row per write to a risk: what changed, and the figures after it. The timeline shows the changes;
-- the trend can be recomputed from score, status and deleted.
CREATE TABLE risk_history (
    seq INTEGER PRIMARY KEY,
    risk_ref INTEGER NOT NULL REFERENCES risk (ref),
    at BIGINT NOT NULL,
    actor_id TEXT,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    version BIGINT NOT NULL,
    score INTEGER NOT NULL,
    status TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    changes TEXT NOT NULL
);
CREATE INDEX risk_history_of_risk ON risk_history (risk_ref, seq);

-- Figures, maintained by every writing transaction; openrisk check recomputes them.
CREATE TABLE risk_tally (
    impact INTEGER NOT NULL,
    probability INTEGER NOT NULL,
    level TEXT NOT NULL,
    status TEXT NOT NULL,
    count BIGINT NOT NULL,
    score_sum BIGINT NOT NULL,
    PRIMARY KEY (impact, probability, level, status)
);
CREATE TABLE day_figure (
    day INTEGER PRIMARY KEY, -- days since 1970-01-01 UTC; the state at its end
    critical BIGINT NOT NULL,
    high BIGINT NOT NULL,
    medium BIGINT NOT NULL,
    low BIGINT NOT NULL,
    score_sum BIGINT NOT NULL
);
CREATE TABLE mitigation_tally (
    status TEXT NOT NULL,
    due_date TEXT NOT NULL, -- '' = none
    count BIGINT NOT NULL,
    progress_sum BIGINT NOT NULL,
    cost_sum BIGINT NOT NULL,
    PRIMARY KEY (status, due_date)
);

-- What an import last said of a risk: later imports change only what changed at the source.
CREATE TABLE import_baseline (
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    risk_ref INTEGER NOT NULL REFERENCES risk (ref),
    members TEXT NOT NULL,
    PRIMARY KEY (source, external_id)
);
CREATE INDEX import_baseline_of_risk ON import_baseline (risk_ref);

CREATE TABLE audit_log (
    seq INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    actor_id TEXT,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    address TEXT NOT NULL,
    result TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_log_of_actor ON audit_log (actor, seq);
CREATE INDEX audit_log_of_action ON audit_log (action, seq);
CREATE INDEX audit_log_of_result ON audit_log (result, seq);
CREATE INDEX audit_log_by_time ON audit_log (at, seq);
