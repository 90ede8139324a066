// Small parts with one look everywhere: badges, bars, facts, times.

import type { ComponentChildren } from 'preact'
import { formatBytes, formatPercent } from '../format.ts'
import { formatTime, otherTime } from '../times.ts'

type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'dim'

/** A word with a tone; the word says it without the colour. */
export const Badge = ({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) => (
  <span class={`badge badge-${tone}`}>{children}</span>
)

export const jobTones: Readonly<Record<string, Tone>> = {
  running: 'busy',
  publishing: 'busy',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'dim',
  waiting: 'dim',
  done: 'good',
  killed: 'dim',
  'not run': 'dim',
  lost: 'warn',
}
export const nodeTones: Readonly<Record<string, Tone>> = { live: 'good', stale: 'warn', dead: 'bad', left: 'dim', away: 'warn' }

export function Bar({
  part,
  whole,
  label,
  tone,
}: {
  readonly part: number
  readonly whole: number
  readonly label: string
  readonly tone?: Tone | undefined
}) {
  const percent = whole === 0 ? 0 : Math.min(100, (part / whole) * 100)
  return (
    <span class={`meter meter-${tone ?? 'busy'}`} role="img" aria-label={label}>
      <span style={{ width: `${percent}%` }} />
    </span>
  )
}

export function Space({
  usedBytes,
  capacityBytes,
  freeBytes,
}: {
  readonly usedBytes: number
  readonly capacityBytes: number
  readonly freeBytes: number
}) {
  const full = capacityBytes - freeBytes
  const label = `${formatBytes(usedBytes)} of blocks; ${formatPercent(full, capacityBytes)} of ${formatBytes(capacityBytes)} in use`
  const tone = capacityBytes > 0 && freeBytes / capacityBytes < 0.1 ? 'bad' : undefined
  return (
    <span class="with-bar" title={label}>
      <Bar part={full} whole={capacityBytes} label={label} tone={tone} />
      {formatPercent(full, capacityBytes)}
    </span>
  )
}

export const Time = ({ ms }: { readonly ms: number }) => (
  <time class="time" dateTime={new Date(ms).toISOString()} title={otherTime(ms)}>
    {formatTime(ms)}
  </time>
)

export const Facts = ({ facts }: { readonly facts: ReadonlyArray<readonly [string, ComponentChildren]> }) => (
  <dl class="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
)

export const Panel = ({
  title,
  actions,
  children,
}: {
  readonly title: string
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}) => (
  <section class="panel" aria-label={title}>
    <div class="panel-head">
      <h2>{title}</h2>
      {actions}
    </div>
    {children}
  </section>
)
