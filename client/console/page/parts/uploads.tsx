// Uploads into a directory: one after another, with their progress; each file becomes visible when all of it has arrived.

import { useEffect, useRef, useState } from 'preact/hooks'
import { CallError, upload } from '../api.ts'
import { formatBytes, formatPercent, visible, visibleLines } from '../format.ts'
import { ask, tell } from './dialog.tsx'
import { Bar } from './small.tsx'

interface Upload {
  readonly file: File
  readonly sentBytes: number
  readonly error?: string
  readonly cancel: () => void
}

interface UploadList {
  readonly list: readonly Upload[]
  readonly add: (files: readonly File[]) => void
}

export function useUploads(directory: string, onStored: () => void): UploadList {
  const [list, setList] = useState<readonly Upload[]>([])
  const queue = useRef(Promise.resolve())
  const alive = useRef(true)
  useEffect(
    () => () => {
      alive.current = false
    },
    [],
  )
  const change = (file: File, changes: Partial<Upload> | undefined): void =>
    setList(all =>
      changes === undefined
        ? all.filter(each => each.file !== file)
        : all.map(each => (each.file === file ? { ...each, ...changes } : each)),
    )
  const send = async (file: File, overwrite: boolean, signal: AbortSignal): Promise<void> => {
    const path = `${directory === '/' ? '' : directory}/${file.name}`
    try {
      await upload(path, file, { overwrite, signal, onSent: sentBytes => change(file, { sentBytes }) })
      change(file, undefined)
      tell(`Stored ${visible(path)}`)
      if (alive.current) onStored()
    } catch (error) {
      if (error instanceof CallError && error.code === 'EEXIST' && !overwrite) {
        change(file, undefined)
        return ask({
          title: `Replace ${visible(file.name)}?`,
          text: 'There is a file of this name.',
          action: 'Replace',
          danger: true,
          run: async () => {
            enqueue(file, true)
            return undefined
          },
        })
      }
      change(file, { error: (error as Error).message })
    }
  }
  const enqueue = (file: File, overwrite: boolean): void => {
    const ending = new AbortController()
    setList(all => [
      ...all,
      {
        file,
        sentBytes: 0,
        cancel: () => {
          ending.abort()
          change(file, undefined)
        },
      },
    ])
    queue.current = queue.current.then(() => (ending.signal.aborted ? undefined : send(file, overwrite, ending.signal)))
  }
  return {
    list,
    add: files => {
      for (const file of files) enqueue(file, false)
    },
  }
}

export function Uploads({ uploads: { list } }: { readonly uploads: UploadList }) {
  if (list.length === 0) return null
  return (
    <ul class="uploads" aria-label="Uploads">
      {list.map(({ file, sentBytes, error, cancel }, i) => {
        const percent = formatPercent(sentBytes, file.size)
        return (
          <li key={i}>
            <span>
              {visible(file.name)} <span class="dim">{formatBytes(file.size)}</span>
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
