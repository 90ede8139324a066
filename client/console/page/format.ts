// Values as text, for people.

import type { FileStatus } from '../../../src/protocol/namespace.ts'
import { formatBytes, formatDuration } from '../../../src/base/units.ts'

export { formatBytes, formatDuration }

export const formatCount = (value: number): string => value.toLocaleString('en-US')

export function formatPercent(part: number, whole: number): string {
  if (whole === 0) return '0 %'
  const percent = (part / whole) * 100
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`
}

/** As `ls -l` writes it: `+` behind it for an access control list, whose mask stands in the place of the group's rights then. */
export function formatMode({ mode, type, acl }: Pick<FileStatus, 'mode' | 'type' | 'acl'>): string {
  let text = type === 'directory' ? 'd' : '-'
  for (let shift = 6; shift >= 0; shift -= 3) {
    const bits = (mode >> shift) & 7
    text += `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`
  }
  if ((mode & 0o1000) !== 0) text = `${text.slice(0, -1)}${mode & 1 ? 't' : 'T'}`
  return acl ? `${text}+` : text
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${formatCount(count)} ${count === 1 ? one : many}`

/** Characters that a page does not show, or by which a name looks like another one. */
const hidden = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g // oxlint-disable-line no-control-regex
export const visible = (text: string): string => text.replaceAll(hidden, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** The same of a text of several lines, such as a message of the server. */
export const visibleLines = (text: string): string => text.split('\n').map(visible).join('\n')

/** With a full stop, unless it ends with a mark of its own. */
export const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`)

export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
