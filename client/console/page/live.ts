// State of the cluster for the whole page: one long poll, while the page is visible. A lost connection is tried again with growing pauses,
// and the page says so.

import { computed, effect, signal } from '@preact/signals'
import type { LiveState, LiveSample } from '../live.ts'
import { CallError, fetchJson, session } from './api.ts'
import { ClusterClock } from './clusterclock.ts'

interface LiveView extends Omit<LiveState, 'version'> {
  /** The console does not answer. */
  readonly lost?: string | undefined
  /** When the last answer came, by this computer's clock. */
  readonly atMs: number
}

const clock = new ClusterClock()

export const clusterNow = (): number => clock.at(Date.now())

export const live = signal<LiveView>({ jobs: [], samples: [], since: {}, atMs: 0 })

/** The console answers, and the cluster answers it. */
export const answers = computed(() => live.value.lost === undefined && !live.value.trouble)

const samplesMax = 360
const pauseMaxMs = 10_000

export function followLive(): void {
  let stop = (): void => {}
  let wanted = false
  const update = (): void => {
    const now = session.value.state === 'in' && document.visibilityState === 'visible'
    if (now === wanted) return
    wanted = now
    stop()
    if (!now) return
    const ending = new AbortController()
    stop = () => ending.abort()
    void follow(ending.signal)
  }
  document.addEventListener('visibilitychange', update)
  effect(update)
}

async function follow(signal: AbortSignal): Promise<void> {
  let version = 0
  for (let pauseMs = 500; !signal.aborted;) {
    try {
      const from = live.value.samples.at(-1)?.atMs ?? 0
      const next = await fetchJson<LiveState>(`/api/live?after=${version}&from=${from}`, signal)
      // A console that was started again counts from 1.
      const again = next.version < version
      version = again ? 0 : next.version
      if (next.status) clock.note(next.status.nowMs, Date.now())
      live.value = { ...next, samples: merged(live.value.samples, next.samples), lost: undefined, atMs: Date.now() }
      pauseMs = 500
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof CallError && error.code === 'UNAUTHENTICATED') return
      live.value = { ...live.value, lost: (error as Error).message }
      version = 0
      await sleep(pauseMs, signal)
      pauseMs = Math.min(pauseMaxMs, pauseMs * 2)
    }
  }
}

const merged = (old: readonly LiveSample[], more: readonly LiveSample[]): readonly LiveSample[] =>
  (more.length === 0 ? old : [...old, ...more].slice(-samplesMax))

export const sleep = (ms: number, signal: AbortSignal): Promise<void> => new Promise(resolve => {
  const timer = setTimeout(resolve, ms)
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
})
