// A setting's value for people: sizes and durations with their units.

import { settings as table, type Setting, type SettingName } from './settings.ts'
import { formatBytes, formatDuration } from './units.ts'

export function valueText(name: SettingName, value: unknown): string {
  const { type }: Setting<unknown> = table[name]
  if (typeof value !== 'number') return Array.isArray(value) ? value.join(' ') : String(value)
  return type.startsWith('size') ? formatBytes(value) : type.startsWith('duration') ? formatDuration(value) : String(value)
}
