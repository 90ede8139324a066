// Why a job or an attempt has failed, with the author's stack; and what its program has printed.

import type { JobStatus } from '../../../../src/protocol/job.ts'
import { fetchText } from '../api.ts'
import { visible } from '../format.ts'
import { fileUrl } from '../route.ts'
import { Badge } from './small.tsx'
import { Shown, useAsked } from './states.tsx'

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

export function LogText({ url }: { readonly url: string }) {
  const asked = useAsked(signal => fetchText(url, signal), [url])
  return (
    <Shown asked={asked} what="the logs">
      {text =>
        text === '' ? (
          <p class="dim">Nothing was printed.</p>
        ) : (
          <pre class="text" tabIndex={0} aria-label="Log">
            {text}
          </pre>
        )
      }
    </Shown>
  )
}
