// Uploads, one after another, with their progress on every page; each file becomes visible when all of it has arrived. They go on until the
// console is left.
// INVARIANT: a name that is taken is asked about before the file is sent.

import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { call, CallError, upload } from '../api.ts'
import { formatBytes, formatPercent, visible, visibleLines } from '../format.ts'
import { fileUrl } from '../route.ts'
import { ask, tell } from './dialog.tsx'
import { Bar } from './small.tsx'

interface Upload {
  readonly directory: string
  readonly file: File
  readonly sentBytes: number
  readonly error?: string
  readonly cancel: () => void
}

const uploads = signal<readonly Upload[]>([])
/** The directory into which a file was stored last; another object each time. */
const stored = signal<{ readonly directory: string } | undefined>(undefined)
let queue = Promise.resolve()

/** Calls `again` when a file was stored in the directory. */
export function useStored(directory: string, again: () => void): void {
  const last = stored.value
  useEffect(() => {
    if (last?.directory === directory) again()
  }, [last])
}

export function addUploads(directory: string, files: readonly File[]): void {
  for (const file of files) enqueue(directory, file, false)
}

function enqueue(directory: string, file: File, overwrite: boolean): void {
  const ending = new AbortController()
  const cancel = (): void => {
    ending.abort()
    change(file, undefined)
  }
  uploads.value = [...uploads.value, { directory, file, sentBytes: 0, cancel }]
  queue = queue.then(() => (ending.signal.aborted ? undefined : send(directory, file, { overwrite, signal: ending.signal })))
}

function change(file: File, changes: Partial<Upload> | undefined): void {
  uploads.value = uploads.value.flatMap(each => (each.file !== file ? [each] : changes === undefined ? [] : [{ ...each, ...changes }]))
}

async function send(
  directory: string,
  file: File,
  { overwrite, signal: ending }: { readonly overwrite: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const path = `${directory === '/' ? '' : directory}/${file.name}`
  try {
    if (!overwrite && (await isTaken(path, ending))) return askToReplace(directory, file)
    await upload(path, file, { overwrite, signal: ending, onSent: sentBytes => change(file, { sentBytes }) })
    change(file, undefined)
    tell(`Stored ${visible(path)}`)
    stored.value = { directory }
  } catch (error) {
    // Another one has made the file meanwhile.
    if (error instanceof CallError && error.code === 'EEXIST' && !overwrite) return askToReplace(directory, file)
    change(file, { error: (error as Error).message })
  }
}

/** Throws if a directory has the name: it is not replaced. */
async function isTaken(path: string, ending: AbortSignal): Promise<boolean> {
  try {
    const { type } = await call('namespace.stat', { path }, ending)
    if (type === 'directory') throw new CallError('EISDIR', `${path} is a directory; nothing was sent`)
    return true
  } catch (error) {
    if (error instanceof CallError && error.code === 'ENOENT') return false
    throw error
  }
}

/** Resolves with the answer, so that one dialog does not take the place of another. */
function askToReplace(directory: string, file: File): Promise<void> {
  change(file, undefined)
  return new Promise(resolve => {
    ask({
      title: `Replace ${visible(file.name)}?`,
      text: `There is a file of this name in ${visible(directory)}.`,
      action: 'Replace',
      danger: true,
      run: async () => {
        enqueue(directory, file, true)
        return undefined
      },
      closed: resolve,
    })
  })
}

export function Uploads() {
  const list = uploads.value
  if (list.length === 0) return null
  return (
    <ul class="uploads" aria-label="Uploads">
      {list.map(({ directory, file, sentBytes, error, cancel }, i) => {
        const percent = formatPercent(sentBytes, file.size)
        return (
          <li key={i}>
            <span>
              {visible(file.name)} <span class="dim">{formatBytes(file.size)} into</span>{' '}
              <a class="path" href={fileUrl(directory)}>
                {visible(directory)}
              </a>
            </span>
            {error === undefined ? (
              <span class="with-bar">
                <Bar part={sentBytes} whole={file.size} label={`${percent} sent`} />
                {percent}
              </span>
            ) : (
              <span class="bad" role="alert">
                {visibleLines(error)}
              </span>
            )}
            <button type="button" class="quiet" onClick={cancel}>
              {error === undefined ? 'Cancel' : 'Dismiss'}
            </button>
          </li>
        )
      })}
    </ul>
  )
}
