/** Which component shows which page (pages.json). */
import type { ComponentType } from 'preact';
import type { PageName, Place } from '../router';
import { AssetPage } from './asset';
import { AssetsPage } from './assets';
import { AuditPage } from './audit';
import { DashboardPage } from './dashboard';
import { ImportPage } from './import';
import { OperationsPage } from './operations';
import { ProfilePage } from './profile';
import { RegisterPage } from './register';
import { RiskPage } from './risk';
import { TokensPage } from './tokens';
import { UsersPage } from './users';

export const pageComponents: Record<PageName, ComponentType<{ place: Place }>> = {
    dashboard: DashboardPage,
    register: RegisterPage,
    import: ImportPage,
    risk: RiskPage,
    assets: AssetsPage,
    asset: AssetPage,
    profile: ProfilePage,
    tokens: TokensPage,
    users: UsersPage,
    audit: AuditPage,
    operations: OperationsPage,
};
