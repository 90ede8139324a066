// States that every page has: loading, empty, failed; and hooks that ask the server and say which one it is.

import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { CallError } from '../api.ts'
import { visibleLines } from '../format.ts'

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

interface Asked<T> {
  readonly data?: T | undefined
  readonly error?: Error | undefined
  readonly reload: () => void
}

/** Asks when `keys` change. Data stay while they are asked for again. */
export function useAsked<T>(ask: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[]): Asked<T> {
  const [round, setRound] = useState(0)
  const [state, setState] = useState<{ data?: T; error?: Error }>({})
  useEffect(() => {
    const ending = new AbortController()
    ask(ending.signal).then(
      data => {
        if (!ending.signal.aborted) setState({ data })
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setState(last => ({ ...last, error: error as Error }))
      },
    )
    return () => ending.abort()
  }, [...keys, round])
  return { ...state, reload: () => setRound(last => last + 1) }
}

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
