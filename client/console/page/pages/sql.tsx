// SQL: an editor, the answer of the query, its plan, and those of before. INVARIANT: a query out of the address is shown, and not run.

import { useEffect, useRef, useState } from 'preact/hooks'
import type { CallReply } from '../../calls.ts'
import { call } from '../api.ts'
import { baseName, visible } from '../format.ts'
import { tell } from '../parts/dialog.tsx'
import { Editor } from '../parts/editor.tsx'
import { Title } from '../parts/shell.tsx'
import { Panel } from '../parts/small.tsx'
import { PlanView, SqlResult } from '../parts/sqlresult.tsx'
import { Empty } from '../parts/states.tsx'
import { route, setQuery } from '../route.ts'
import type { SqlPlan } from '../../sql.ts'
import { addHistory, clearHistory, readHistory } from '../sqlhistory.ts'
import { emptyAnswer, planOf, runSql, type SqlAnswer } from '../sqlrun.ts'
import { isExplained, suggestionsFor, tablesIn, type KnownTable, type SqlPlace, type Suggestion } from '../sqltext.ts'

/** Longer queries are not in the address. */
const sharedCharsMax = 4_000

const example = `-- tables are files of the cluster, by their paths, and those of the catalogue, by their names
SELECT 42 AS answer`

/** Tables of the catalogue, and their columns once the query names them. */
function useTables(): { readonly suggest: (place: SqlPlace, text: string) => Promise<readonly Suggestion[]> } {
  const known = useRef<Map<string, KnownTable> | undefined>(undefined)
  const load = async (): Promise<Map<string, KnownTable>> => {
    if (known.current) return known.current
    const found = new Map<string, KnownTable>()
    let after: string | undefined
    for (let page = 0; page < 10; page++) {
      const { tables, next }: CallReply<'table.list'> = await call('table.list', after === undefined ? {} : { after })
      for (const { name, kind } of tables) found.set(name.toLowerCase(), { name, kind })
      after = next
      if (after === undefined) break
    }
    return known.current = found
  }
  const columns = async (all: Map<string, KnownTable>, text: string): Promise<void> => {
    const wanted = [...new Set(tablesIn(text).values())].map(name => all.get(name.toLowerCase())).filter(table => table && !table.columns)
    if (wanted.length === 0) return
    const { tables } = await call('table.get', { names: wanted.slice(0, 10).map(table => table!.name) })
    for (const { name, kind, columns: own } of tables) all.set(name.toLowerCase(), { name, kind, columns: own })
  }
  return {
    suggest: async (place, text) => {
      if (place.kind === 'path') return pathsAt(place.path)
      const all = await load()
      await columns(all, text)
      return suggestionsFor(place, text, [...all.values()])
    },
  }
}

/** Names of the directory that has been written so far. */
async function pathsAt(path: string): Promise<readonly Suggestion[]> {
  const directory = path.slice(0, path.lastIndexOf('/') + 1)
  const { entries } = await call('namespace.list', { path: directory === '/' ? '/' : directory.slice(0, -1) })
  const start = path.slice(directory.length)
  return entries
    .filter(entry => baseName(entry.path).startsWith(start))
    .slice(0, 40)
    .map(({ path: own, type }) => ({ text: `${own.replaceAll("'", "''")}${type === 'directory' ? '/' : ''}`, note: type }))
}

/** Text, answer and plan of the editor. Leaving the page ends the query. */
function useQuery() {
  const shared = route.value.query.get('q')
  const [text, setText] = useState(shared ?? readHistory()[0] ?? example)
  const [ran, setRan] = useState('')
  const [answer, setAnswer] = useState<SqlAnswer | undefined>(undefined)
  const [plan, setPlan] = useState<SqlPlan | undefined>(undefined)
  const [history, setHistory] = useState(readHistory())
  const ending = useRef<AbortController | undefined>(undefined)
  useEffect(() => () => ending.current?.abort(), [])
  const begin = (): AbortSignal => {
    ending.current?.abort()
    ending.current = new AbortController()
    setPlan(undefined)
    return ending.current.signal
  }
  const keep = (): void => {
    setRan(text)
    setHistory(addHistory(text))
    setQuery({ q: text.length <= sharedCharsMax ? text : '' })
  }
  const explain = async (analyze: boolean): Promise<void> => {
    const signal = begin()
    setAnswer(emptyAnswer)
    try {
      const found = await planOf(text, signal, analyze)
      if (ending.current?.signal !== signal) return
      setAnswer(undefined)
      setPlan(found)
    } catch (error) {
      if (ending.current?.signal !== signal) return
      setAnswer(signal.aborted
        ? { ...emptyAnswer, state: 'cancelled' } : { ...emptyAnswer, state: 'failed', error: (error as Error).message })
    }
  }
  const run = (): void => {
    keep()
    if (isExplained(text)) return void explain(false)
    const signal = begin()
    setAnswer(emptyAnswer)
    void runSql(text, signal, next => {
      if (ending.current?.signal === signal) setAnswer(next)
    })
  }
  return { text, setText, ran, answer, plan, history, setHistory, run, explain, cancel: () => ending.current?.abort() }
}

export function SqlPage() {
  const { text, setText, ran, answer, plan, history, setHistory, run, explain, cancel } = useQuery()
  const { suggest } = useTables()
  const busy = answer?.state === 'running'
  return (
    <>
      <Title
        text="SQL"
        actions={
          <>
            <a class="button" href="/tables">
              Tables
            </a>
            <button type="button" onClick={() => void explain(false)} disabled={busy}>
              Explain
            </button>
            <button
              type="button"
              onClick={() => void explain(true)}
              disabled={busy}
              title="Runs the query, drops its rows, and shows what each stage has read and written"
            >
              Analyze
            </button>
            {busy ? (
              <button type="button" class="danger" onClick={cancel}>
                Cancel
              </button>
            ) : (
              <button type="button" class="primary" onClick={run}>
                Run
              </button>
            )}
          </>
        }
      />
      <Editor text={text} change={setText} run={run} suggest={suggest} />
      {plan && <PlanView plan={plan} />}
      {answer ? (
        <SqlResult answer={answer} sql={ran} />
      ) : (
        !plan && (
          <Empty title="No query has run yet">
            A table is a file or directory of the cluster: <code>FROM '/logs/*.csv'</code>. Queries run with your rights.
          </Empty>
        )
      )}
      <History entries={history} take={setText} clear={() => setHistory([])} />
    </>
  )
}

interface HistoryProps {
  readonly entries: readonly string[]
  readonly take: (sql: string) => void
  readonly clear: () => void
}

function History({ entries, take, clear }: HistoryProps) {
  if (entries.length === 0) return null
  return (
    <Panel
      title="History"
      actions={
        <button
          type="button"
          class="quiet"
          onClick={() => {
            clearHistory()
            clear()
            tell('The history of this browser is empty')
          }}
        >
          Clear
        </button>
      }
    >
      <ul class="history" aria-label="Queries of before">
        {entries.slice(0, 20).map(entry => (
          <li key={entry}>
            <button type="button" class="quiet" onClick={() => take(entry)} title={entry.slice(0, 500)}>
              {visible(entry.replaceAll(/\s+/g, ' ').slice(0, 140))}
            </button>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
