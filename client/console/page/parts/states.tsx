// States that every page has: loading, empty, failed; and hooks that ask the server and say which one it is.

import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { CallError } from '../api.ts'
import { visibleLines } from '../format.ts'
import { answers } from '../live.ts'
import { formatTime } from '../times.ts'

export const Loading = ({ what }: { readonly what: string }) => (
  <div class="state" role="status">
    <span class="spinner" aria-hidden="true" />
    <p>Loading {what}…</p>
  </div>
)

export const Empty = ({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) => (
  <div class="state">
    <p class="state-title">{title}</p>
    {children !== undefined && <p>{children}</p>}
  </div>
)

const titles: Readonly<Record<string, string>> = {
  EACCES: 'You may not see this',
  ENOENT: 'There is nothing here',
  OFFLINE: 'The console does not answer',
  UNAVAILABLE: 'The cluster does not answer',
  TIMEOUT: 'The cluster does not answer',
}

export const Failed = ({ error, retry }: { readonly error: Error; readonly retry?: (() => void) | undefined }) => (
  <div class="state state-bad" role="alert">
    <p class="state-title">{titles[error instanceof CallError ? error.code : ''] ?? 'This did not work'}</p>
    <p>{visibleLines(error.message)}</p>
    {retry && (
      <p>
        <button type="button" onClick={retry}>
          Try again
        </button>
      </p>
    )}
  </div>
)

/** The console or the cluster has not answered: the same question may be answered later. */
export const isUnanswered = (error: Error | undefined): boolean =>
  error instanceof CallError && ['OFFLINE', 'UNAVAILABLE', 'TIMEOUT'].includes(error.code)

/** The thing that was asked about is not there, or this user may not see it any more. */
export const isGone = (error: Error | undefined): boolean =>
  error instanceof CallError && ['ENOENT', 'ENOTDIR', 'EACCES'].includes(error.code)

interface Asked<T> {
  readonly data?: T | undefined
  readonly error?: Error | undefined
  /** When the data came, by this computer's clock. */
  readonly atMs: number
  readonly reload: () => void
}

/**
 * Asks when `keys` change, when the cluster answers again after an answer that did not come, and every `everyMs` while the page is visible
 * (default: never). Data stay while they are asked for again.
 */
export function useAsked<T>(ask: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[], everyMs?: number): Asked<T> {
  const [round, setRound] = useState(0)
  const [state, setState] = useState<{ data?: T; error?: Error; atMs: number }>({ atMs: 0 })
  const busy = useRef(false)
  useEffect(() => {
    const ending = new AbortController()
    busy.current = true
    ask(ending.signal)
      .then(
        data => {
          if (!ending.signal.aborted) setState({ data, atMs: Date.now() })
        },
        (error: unknown) => {
          if (!ending.signal.aborted) setState(last => ({ ...last, error: error as Error }))
        },
      )
      .finally(() => {
        if (!ending.signal.aborted) busy.current = false
      })
    return () => ending.abort()
  }, [...keys, round])
  const reload = (): void => setRound(last => last + 1)
  useEffect(() => {
    if (answers.value && isUnanswered(state.error)) reload()
  }, [answers.value, state.error])
  useEvery(everyMs, () => {
    if (!busy.current) reload()
  })
  return { ...state, reload }
}

/** Pause between questions about things that seldom change. */
export const slowlyMs = 10_000

/** Does the work every `everyMs` while the page is visible and the cluster answers; undefined: never. */
export function useEvery(everyMs: number | undefined, work: () => void): void {
  const latest = useRef(work)
  latest.current = work
  useEffect(() => {
    if (everyMs === undefined) return
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible' && answers.value) latest.current()
    }, everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
}

/** For what is not asked for again by itself: when it was, and a button that asks. */
export const AsOf = ({ atMs, reload }: { readonly atMs: number; readonly reload: () => void }) => (
  <p class="dim">
    As of {formatTime(atMs)}.{' '}
    <button type="button" class="quiet" onClick={reload}>
      Reload
    </button>
  </p>
)

/** Shows data, or the state that is in their place. */
export function Shown<T>({
  asked,
  what,
  children,
}: {
  readonly asked: Asked<T>
  readonly what: string
  readonly children: (data: T) => ComponentChildren
}) {
  if (asked.data !== undefined) return <>{children(asked.data)}</>
  if (asked.error) return <Failed error={asked.error} retry={asked.reload} />
  return <Loading what={what} />
}
