/**
 * The score as the server computes it (src/domain/score.h), for showing it while one types and for explaining it:
 * impact × probability × the mean factor of the assets, in whole hundredths.
 */
import type { Risk } from './api.gen';

export type Level = Risk['level'];

export const FACTORS: Record<string, number> = { LOW: 80, MEDIUM: 100, HIGH: 125, CRITICAL: 150 };
const LEVELS: [number, Level][] = [[2000, 'CRITICAL'], [1500, 'HIGH'], [1000, 'MEDIUM'], [0, 'LOW']];

export interface Explained {
    score: number;
    level: Level;
    /** The mean factor of the assets; null: there is none, and the score is impact × probability alone. */
    factor: number | null;
}

export function explain(impact: number, probability: number, criticalities: readonly string[]): Explained {
    const n = criticalities.length;
    const sum = criticalities.reduce((all, name) => all + (FACTORS[name] ?? 100), 0);
    const hundredths = n === 0 ? 100 * impact * probability : Math.floor((2 * impact * probability * sum + n) / (2 * n));
    return { score: hundredths / 100, level: levelOf(hundredths / 100), factor: n === 0 ? null : sum / n / 100 };
}

export function levelOf(score: number): Level {
    return LEVELS.find(([least]) => Math.round(score * 100) >= least)![1];
}
