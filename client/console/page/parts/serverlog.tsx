// The last lines of the log of a server, and those that follow.

import { useState } from 'preact/hooks'
import { LogText } from './failure.tsx'
import { Panel } from './small.tsx'

/** `server`: `namenode`, or the id of a datanode. */
export function ServerLog({ server, title }: { readonly server: string; readonly title: string }) {
  const [round, setRound] = useState(0)
  return (
    <Panel
      title={title}
      actions={
        <button type="button" onClick={() => setRound(round + 1)}>
          {round === 0 ? 'Follow' : 'Read again'}
        </button>
      }
    >
      {round === 0 ? (
        <p class="dim">
          The last lines that the server has logged, for the superuser. <code>gristmill logs --server {server}</code> prints them.
        </p>
      ) : (
        <LogText key={round} url={`/api/serverlog/${server}`} follow />
      )}
    </Panel>
  )
}
