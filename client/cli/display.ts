// Formats modes, sizes and times as Unix tools do. Pure: the current time is an argument.

/** `-rw-r--r--`, `drwxr-xr-t`. */
export function formatMode(mode: number, type: 'file' | 'directory'): string {
  let text = type === 'directory' ? 'd' : '-'
  for (let shift = 6; shift >= 0; shift -= 3) {
    const bits = (mode >> shift) & 7
    text += (bits & 4 ? 'r' : '-') + (bits & 2 ? 'w' : '-')
    const sticky = shift === 0 && (mode & 0o1000) !== 0
    text += sticky ? (bits & 1 ? 't' : 'T') : (bits & 1 ? 'x' : '-')
  }
  return text
}

/** Like `ls -h`: at most three digits and a letter, rounded up: `999`, `1.5K`, `12M`. */
export function formatHuman(bytes: number): string {
  if (bytes < 1024) return String(bytes)
  const letters = 'KMGTPE'
  let value = bytes / 1024
  let unit = 0
  while (value > 1023 && unit < letters.length - 1) { value /= 1024; unit++ }
  const text = value < 9.95 ? (Math.ceil(value * 10) / 10).toFixed(1) : String(Math.ceil(value))
  return text === '1024' && unit < letters.length - 1 ? `1.0${letters[unit + 1]}` : `${text}${letters[unit]}`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number): string => String(n).padStart(2, '0')

/** Like `ls -l`: time of day within half a year, else the year. Local time. */
export function formatTime(ms: number, nowMs: number): string {
  const date = new Date(ms)
  const head = `${months[date.getMonth()]} ${String(date.getDate()).padStart(2)}`
  const recent = ms <= nowMs + 3_600_000 && nowMs - ms < 15_778_476_000
  return recent ? `${head} ${two(date.getHours())}:${two(date.getMinutes())}` : `${head}  ${date.getFullYear()}`
}

/** `2026-11-22 23:18:05.120 +0100`. */
export function formatInstant(ms: number): string {
  const date = new Date(ms)
  const offset = -date.getTimezoneOffset()
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}` +
    `.${String(date.getMilliseconds()).padStart(3, '0')} ${zone}`
}

/** Thousands separated by commas: `4,523,101`. The first call of `toLocaleString` takes 30 ms, in which it reads its tables. */
export const formatCount = (n: number): string => String(Math.round(n)).replace(/\B(?=(?:\d{3})+$)/g, ',')

/** `1 block`, `4,523 blocks`; `others` for words that do not end in s. */
export const plural = (n: number, one: string, others = `${one}s`): string => `${formatCount(n)} ${n === 1 ? one : others}`

export const percent = (part: number, whole: number): string => (whole === 0 ? '0%' : `${Math.round((100 * part) / whole)}%`)
