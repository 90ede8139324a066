// Parses and formats sizes and durations.

import { GristmillError } from './errors.ts'

export const KiB = 1024
export const MiB = 1024 * KiB
export const GiB = 1024 * MiB

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1, b: 1,
  k: KiB, kib: KiB, kb: 1000,
  m: MiB, mib: MiB, mb: 1000 ** 2,
  g: GiB, gib: GiB, gb: 1000 ** 3,
  t: 1024 * GiB, tib: 1024 * GiB, tb: 1000 ** 4,
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, '': 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }

function parse(text: string, units: Readonly<Record<string, number>>, what: string, example: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text)
  const name = match?.[2]!.toLowerCase()
  const unit = name !== undefined && Object.hasOwn(units, name) ? units[name] : undefined
  if (!match || unit === undefined) throw new GristmillError('EINVAL', `"${text}" is not a ${what}; write for instance ${example}`)
  return Math.round(Number(match[1]) * unit)
}

/** The whole number that the text writes in decimal digits; NaN for other text and for numbers outside of the bounds. */
export function parseWhole(text: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const value = (min < 0 ? /^-?\d+$/ : /^\d+$/).test(text) ? Number(text) : NaN
  return value >= min && value <= max ? value : NaN
}

/** `"128MiB"`, `"64k"` (1024), `"1.5GB"` (1000) or `"4096"` as bytes. */
export const parseBytes = (text: string): number => parse(text, sizeUnits, 'size', '128MiB')

/** `"30s"`, `"5m"`, `"1h"` or `"250"` (milliseconds) as milliseconds. */
export const parseDuration = (text: string): number => parse(text, durationUnits, 'duration', '30s')

/** Bytes for people: `1.5 MiB`. Three significant digits at most. */
export function formatBytes(bytes: number): string {
  if (bytes < KiB) return `${bytes} B`
  const names = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes / KiB
  let unit = 0
  while (value >= 1023.5 && unit < names.length - 1) { value /= KiB; unit++ }
  return `${value >= 99.5 ? value.toFixed(0) : value.toFixed(1)} ${names[unit]}`
}

/** Milliseconds for people: `340 ms`, `2.4 s`, `3m 12s`, `2h 05m`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`
  return `${Math.floor(seconds / 3600)}h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')}m`
}
