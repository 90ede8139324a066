// Times as text, local or in UTC, as the user has chosen.

import { signal } from '@preact/signals'

/** Times are shown local or in UTC, as the user has chosen. */
export const utc = signal(localStorage.getItem('utc') === 'true')
export function setUtc(on: boolean): void {
  utc.value = on
  localStorage.setItem('utc', String(on))
}

const two = (value: number): string => String(value).padStart(2, '0')

/** `2026-11-27 08:15:42`, always of the same width. */
export function formatTime(ms: number): string {
  const date = new Date(ms)
  if (utc.value) return date.toISOString().slice(0, 19).replace('T', ' ')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`
}

export const otherTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
