// Why a job or an attempt has failed, with the author's stack; and what its program has printed.

import type { JobStatus } from '../../../../src/protocol/job.ts'
import { followText } from '../api.ts'
import { visible } from '../format.ts'
import { fileUrl } from '../route.ts'
import { Badge } from './small.tsx'
import { Failed, Loading } from './states.tsx'
import { useEffect, useRef, useState } from 'preact/hooks'

export function Failure({ failure: { code, message, stack, record } }: { readonly failure: NonNullable<JobStatus['failure']> }) {
  return (
    <section class="failure" aria-label="Failure">
      <p>
        <Badge tone="bad">{code}</Badge> <strong>{visible(message.split('\n')[0]!)}</strong>
      </p>
      {message.includes('\n') && <pre>{message}</pre>}
      {record && (
        <p>
          At the record at byte {record.offset} of{' '}
          <a class="path" href={fileUrl(record.path)}>
            {visible(record.path)}
          </a>
        </p>
      )}
      {stack !== undefined && (
        <pre tabIndex={0} aria-label="Stack of the program">
          {stack}
        </pre>
      )}
    </section>
  )
}

/** Older text is for the command line. */
const logCharsMax = 1_000_000

/** The text as it comes. `follow`: until the job has ended. */
export function LogText({ url, follow = false }: { readonly url: string; readonly follow?: boolean }) {
  const [text, setText] = useState<string | undefined>(undefined)
  const [error, setError] = useState<Error | undefined>(undefined)
  const [over, setOver] = useState(false)
  const box = useRef<HTMLPreElement>(null)
  useEffect(() => {
    const ending = new AbortController()
    const { signal } = ending
    setText(undefined)
    setError(undefined)
    setOver(false)
    followText(follow ? `${url}${url.includes('?') ? '&' : '?'}follow=true` : url, signal, piece =>
      setText((last = '') => (last + piece).slice(-logCharsMax)),
    ).then(
      () => !signal.aborted && setOver(true),
      (thrown: unknown) => !signal.aborted && setError(thrown as Error),
    )
    return () => ending.abort()
  }, [url, follow])
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [text])
  if (error && text === undefined) return <Failed error={error} />
  if (text === undefined && !over) return <Loading what="the logs" />
  return (
    <>
      {text ? (
        <pre ref={box} class="text" tabIndex={0} aria-label="Log">
          {text}
        </pre>
      ) : (
        <p class="dim">Nothing was printed.</p>
      )}
      {error && <Failed error={error} />}
      {follow && !over && !error && (
        <p class="dim" role="status">
          More is shown as it comes.
        </p>
      )}
    </>
  )
}
