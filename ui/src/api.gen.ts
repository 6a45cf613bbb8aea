// Made by ui/types.mjs from the API's OpenAPI document.

export interface Risk {
    id: string;
    ref: number;
    title: string;
    description: string | null;
    impact: number;
    probability: number;
    score: number;
    level: 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL';
    status: 'DRAFT' | 'ACTIVE' | 'MITIGATED' | 'ACCEPTED' | 'CLOSED';
    category: string | null;
    treatment: 'MITIGATE' | 'ACCEPT' | 'TRANSFER' | 'AVOID';
    owner: string | null;
    tags: string[];
    frameworks: string[];
    source: string | null;
    external_id: string | null;
    custom_fields: Record<string, unknown>;
    review_date: string | null;
    created_by: string | null;
    created_at: string;
    updated_at: string;
    version: number;
    assets: AssetBrief[];
    mitigations: Mitigation[];
}

export interface RiskRecord {
    id: string;
    ref: number;
    title: string;
    description: string | null;
    impact: number;
    probability: number;
    score: number;
    level: 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL';
    status: 'DRAFT' | 'ACTIVE' | 'MITIGATED' | 'ACCEPTED' | 'CLOSED';
    category: string | null;
    treatment: 'MITIGATE' | 'ACCEPT' | 'TRANSFER' | 'AVOID';
    owner: string | null;
    tags: string[];
    frameworks: string[];
    source: string | null;
    external_id: string | null;
    custom_fields: Record<string, unknown>;
    review_date: string | null;
    created_by: string | null;
    created_at: string;
    updated_at: string;
    version: number;
}

export interface RiskChange {
    title: string;
    description: string | null;
    impact: number;
    probability: number;
    status: 'DRAFT' | 'ACTIVE' | 'MITIGATED' | 'ACCEPTED' | 'CLOSED';
    category: string | null;
    treatment: 'MITIGATE' | 'ACCEPT' | 'TRANSFER' | 'AVOID';
    owner: string | null;
    tags: string[];
    frameworks: string[];
    source: string | null;
    external_id: string | null;
    custom_fields: Record<string, unknown>;
    review_date: string | null;
    asset_ids: string[];
}

export interface RiskBrief {
    id: string;
    ref: number;
    title: string;
    score: number;
    level: string;
    status: string;
}

export interface RiskPage {
    items: Risk[];
    total: number;
    total_is_exact: boolean;
    page: number | null;
    limit: number;
    next: string | null;
}

export type RiskArray = RiskRecord[];

export interface Bulk {
    ids: string[];
    set: RiskChange;
    delete: boolean;
    restore: boolean;
    changes: BulkChange[];
}

export interface BulkChange {
    id: string;
    version: number;
    set: RiskChange;
}

export interface BulkResult {
    updated: number;
    deleted: number;
    restored: number;
    items: RiskVersion[];
}

export interface Values {
    items: string[];
    is_complete: boolean;
}

export interface RiskVersion {
    id: string;
    version: number;
}

export interface Change {
    at: string;
    actor: string;
    actor_id: string | null;
    action: string;
    version: number;
    member: string | null;
    subject: string | null;
    from: unknown;
    to: unknown;
}

export interface ChangePage {
    items: Change[];
    total: number;
    total_is_exact: boolean;
    page: number | null;
    limit: number;
    next: string | null;
}

export interface RiskName {
    id: string;
    ref: number;
    title: string;
}

export interface Activity {
    at: string;
    actor: string;
    actor_id: string | null;
    action: string;
    version: number;
    risk: RiskName;
    member: string | null;
    subject: string | null;
    from: unknown;
    to: unknown;
}

export interface ActivityPage {
    items: Activity[];
    total: number;
    total_is_exact: boolean;
    page: number | null;
    limit: number;
    next: string | null;
}

export interface Mitigation {
    id: string;
    risk_id: string;
    title: string;
    description: string | null;
    assignee: string | null;
    status: 'PLANNED' | 'IN_PROGRESS' | 'DONE';
    progress: number;
    due_date: string | null;
    cost: number;
    mitigation_time: number;
    created_by: string | null;
    created_at: string;
    updated_at: string;
    version: number;
    sub_actions: SubAction[];
}

export interface MitigationOfRisk {
    id: string;
    risk_id: string;
    title: string;
    description: string | null;
    assignee: string | null;
    status: 'PLANNED' | 'IN_PROGRESS' | 'DONE';
    progress: number;
    due_date: string | null;
    cost: number;
    mitigation_time: number;
    created_by: string | null;
    created_at: string;
    updated_at: string;
    version: number;
    risk: RiskName;
}

export interface MitigationChange {
    title: string;
    description: string | null;
    assignee: string | null;
    status: 'PLANNED' | 'IN_PROGRESS' | 'DONE';
    progress: number;
    due_date: string | null;
    cost: number;
    mitigation_time: number;
}

export interface MitigationItems {
    items: Mitigation[];
    total: number;
}

export interface MitigationPage {
    items: MitigationOfRisk[];
    total: number;
    total_is_exact: boolean;
    page: number | null;
    limit: number;
    next: string | null;
}

export interface SubAction {
    id: string;
    title: string;
    completed: boolean;
}

export interface SubActionChange {
    title: string;
    completed: boolean;
}

export interface Asset {
    id: string;
    name: string;
    type: string | null;
    criticality: 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL';
    owner: string | null;
    external_id: string | null;
    risk_count: number;
    created_by: string | null;
    created_at: string;
    updated_at: string;
    version: number;
}

export interface AssetBrief {
    id: string;
    name: string;
    type: string | null;
    criticality: string;
}

export interface AssetWithRisks {
    id: string;
    name: string;
    type: string | null;
    criticality: 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL';
    owner: string | null;
    external_id: string | null;
    risk_count: number;
    created_by: string | null;
    created_at: string;
    updated_at: string;
    version: number;
    risks: RiskBrief[];
}

export interface AssetChange {
    name: string;
    type: string | null;
    criticality: 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL';
    owner: string | null;
    external_id: string | null;
}

export interface AssetPage {
    items: Asset[];
    total: number;
    total_is_exact: boolean;
    page: number | null;
    limit: number;
    next: string | null;
}

export interface User {
    id: string;
    email: string;
    full_name: string | null;
    role: 'viewer' | 'analyst' | 'admin';
    is_active: boolean;
    must_change_password: boolean;
    created_at: string;
    updated_at: string;
    last_login_at: string | null;
    version: number;
}

export interface UserChange {
    email: string;
    full_name: string | null;
    role: 'viewer' | 'analyst' | 'admin';
    is_active: boolean;
    password: string;
}

export interface OwnUserChange {
    full_name: string | null;
}

export interface UserPage {
    items: User[];
    total: number;
    total_is_exact: boolean;
    page: number | null;
    limit: number;
    next: string | null;
}

export interface Login {
    email: string;
    password: string;
}

export interface PasswordChange {
    current_password: string;
    new_password: string;
}

export interface Session {
    token: string;
    expires_in: number;
    user: User;
}

export interface Token {
    id: string;
    name: string;
    scope: 'read' | 'full';
    created_at: string;
    expires_at: string;
    last_used_at: string | null;
}

export interface TokenChange {
    name: string;
    scope: 'read' | 'full';
    expires_at: string;
}

export interface NewToken {
    id: string;
    name: string;
    scope: 'read' | 'full';
    created_at: string;
    expires_at: string;
    last_used_at: string | null;
    token: string;
}

export interface TokenItems {
    items: Token[];
    total: number;
}

export interface LevelCounts {
    CRITICAL: number;
    HIGH: number;
    MEDIUM: number;
    LOW: number;
}

export interface StatusCounts {
    DRAFT: number;
    ACTIVE: number;
    MITIGATED: number;
    ACCEPTED: number;
}

export interface ScaleCounts {
    '1': number;
    '2': number;
    '3': number;
    '4': number;
    '5': number;
}

export interface Stats {
    total_risks: number;
    global_risk_score: number;
    high_risks: number;
    mitigated_risks: number;
    risks_by_severity: LevelCounts;
    overdue_mitigations: number;
}

export interface MatrixCell {
    impact: number;
    probability: number;
    count: number;
}

export type Matrix = MatrixCell[];

export interface TrendDay {
    date: string;
    score: number;
    total: number;
    critical: number;
    high: number;
    medium: number;
    low: number;
}

export type Trend = TrendDay[];

export interface Distribution {
    total: number;
    by_level: LevelCounts;
    by_status: StatusCounts;
    by_impact: ScaleCounts;
    by_probability: ScaleCounts;
}

export interface MitigationMetrics {
    total: number;
    planned: number;
    in_progress: number;
    done: number;
    overdue: number;
    average_progress: number;
    completion_rate: number;
    total_cost: number;
}

export interface AuditEntry {
    at: string;
    actor: string;
    actor_id: string | null;
    action: string;
    target: string;
    address: string;
    result: string;
    detail: string;
}

export interface AuditPage {
    items: AuditEntry[];
    total: number;
    total_is_exact: boolean;
    page: number | null;
    limit: number;
    next: string | null;
}

export interface ImportRefusal {
    row: number;
    column: string;
    reason: string;
}

export interface ImportResult {
    imported: number;
    updated: number;
    unchanged: number;
    skipped: number;
    unknown_columns: string[];
    errors: ImportRefusal[];
    errors_total: number;
}

export interface Export {
    format: string;
    version: number;
    exported_at: string;
    assets: unknown[];
    risks: unknown[];
}

export interface DatabaseHealth {
    status: string;
    latency_us: number | null;
    checked_ms_ago: number;
}

export interface PoolHealth {
    status: string;
    verdict: string;
    open: number;
    in_use: number;
    idle: number;
    waiting: number;
    max_open: number;
}

export interface RedisHealth {
    status: string;
    breaker: string;
    for_ms: number;
}

export interface Checks {
    database: DatabaseHealth;
    pool: PoolHealth;
    redis: unknown;
}

export interface Health {
    status: string;
    version: string;
    checks: Checks;
}

export interface PoolWait {
    count: number;
    mean_us: number;
    max_us: number;
}

export interface PoolClosed {
    lifetime: number;
    idle: number;
    surplus: number;
    broken: number;
    check: number;
    stopping: number;
}

export interface Pool {
    verdict: string;
    open: number;
    in_use: number;
    idle: number;
    opening: number;
    max_open: number;
    max_idle: number;
    waiting: number;
    max_waiting: number;
    workers: number;
    cannot_open_for_ms: number | null;
    jobs: number;
    refused: number;
    timed_out: number;
    held_long: number;
    wait: PoolWait;
    opened: number;
    open_failures: number;
    closed: PoolClosed;
}

export interface Pools {
    general: Pool;
    password: Pool;
}

export interface OpsRequests {
    rate: number[];
    errors: number[];
    p50_ms: unknown[];
    p95_ms: unknown[];
    p99_ms: unknown[];
}

export interface OpsRoute {
    route: string;
    method: string;
    rate: number[];
    errors: number[];
    p50_ms: unknown[];
    p95_ms: unknown[];
    p99_ms: unknown[];
}

export interface OpsPool {
    in_use: number[];
    waiting: number[];
}

export interface OpsProcess {
    cpu: number[];
    resident_bytes: number[];
}

export interface Ops {
    step_seconds: number;
    at: string[];
    all: OpsRequests;
    routes: OpsRoute[];
    hit_rate: unknown[];
    pool: OpsPool;
    process: OpsProcess;
}

export interface Generations {
    risks: number;
    assets: number;
    accounts: number;
}

export interface CacheLosses {
    capacity: number;
    expired: number;
    outdated: number;
    replaced: number;
}

export interface CachePart {
    entries: number;
    bytes: number;
    max_bytes: number;
    hits: number;
    unverified: number;
    misses: number;
    coalesced: number;
    hit_rate: number | null;
    second_hits: number;
    loads: number;
    load_failures: number;
    repeats: number;
    stores: number;
    passed: number;
    too_large: number;
    late: number;
    evictions: CacheLosses;
    loading: number;
    waiting: number;
}

export interface Cache {
    enabled: boolean;
    generations: Generations;
    age_ms: number | null;
    responses: CachePart;
    sessions: CachePart;
    second_level: unknown;
}

export interface SecondLevel {
    breaker: string;
    for_ms: number;
    trouble: string;
    hits: number;
    misses: number;
    refused: number;
    expired: number;
    not_asked: number;
    timeouts: number;
    errors: number;
    stores: number;
    store_errors: number;
    dropped: number;
    too_large: number;
    opened: number;
    reading: number;
    writing: number;
}

export interface OpenApi {
    openapi: string;
    info: unknown;
    paths: unknown;
    components: unknown;
    security: unknown;
    servers: unknown;
}

export interface FieldError {
    field: string;
    message: string;
}

export interface Problem {
    type: string;
    title: string;
    status: number;
    detail: string;
    errors: FieldError[];
    error: string;
}

export const limits = {
    RiskChange: {
        title: {
            maxLength: 300
        },
        description: {
            maxLength: 20000
        },
        impact: {
            minimum: 1,
            maximum: 5
        },
        probability: {
            minimum: 1,
            maximum: 5
        },
        status: {
            enum: [
                'DRAFT',
                'ACTIVE',
                'MITIGATED',
                'ACCEPTED',
                'CLOSED'
            ]
        },
        category: {
            maxLength: 100
        },
        treatment: {
            enum: [
                'MITIGATE',
                'ACCEPT',
                'TRANSFER',
                'AVOID'
            ]
        },
        owner: {
            maxLength: 200
        },
        tags: {
            maxItems: 50,
            itemLength: 60
        },
        frameworks: {
            maxItems: 50,
            itemLength: 100
        },
        source: {
            maxLength: 100
        },
        external_id: {
            maxLength: 200
        }
    },
    MitigationChange: {
        title: {
            maxLength: 500
        },
        description: {
            maxLength: 20000
        },
        assignee: {
            maxLength: 200
        },
        status: {
            enum: [
                'PLANNED',
                'IN_PROGRESS',
                'DONE'
            ]
        },
        progress: {
            minimum: 0,
            maximum: 100
        },
        cost: {
            minimum: 0,
            maximum: 1000000000000
        },
        mitigation_time: {
            minimum: 0,
            maximum: 36500
        }
    },
    SubActionChange: {
        title: {
            maxLength: 300
        }
    },
    AssetChange: {
        name: {
            maxLength: 300
        },
        type: {
            maxLength: 100
        },
        criticality: {
            enum: [
                'LOW',
                'MEDIUM',
                'HIGH',
                'CRITICAL'
            ]
        },
        owner: {
            maxLength: 200
        },
        external_id: {
            maxLength: 300
        }
    },
    UserChange: {
        email: {
            maxLength: 254
        },
        full_name: {
            maxLength: 200
        },
        role: {
            enum: [
                'viewer',
                'analyst',
                'admin'
            ]
        },
        password: {
            maxLength: 256
        }
    },
    TokenChange: {
        name: {
            maxLength: 100
        },
        scope: {
            enum: [
                'read',
                'full'
            ]
        }
    }
} as const;
