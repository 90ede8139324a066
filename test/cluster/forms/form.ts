// Form of a call of node:fs: a title, and a function that makes the call on node:fs or on the library and returns the outcome to compare. A
// form may be marked as refused by the library.

/** Untyped on purpose: a compiler would reject half of these arguments. */
export interface Given {
  readonly fs: any
  /** A new path, in the local directory or in the cluster. */
  readonly at: (name: string) => string
  /** A file with the content 0123456789. */
  readonly digits: string
  readonly dir: string
}
export type Form = readonly [title: string, run: (given: Given) => Promise<unknown>, refused?: 'refused']

export const mode = (stats: { mode: number }): string => stats.mode.toString(8)
/** Events of a stream until it is closed, and its state then. */
export const life = async (stream: any, names: readonly string[], start: () => void): Promise<unknown> => {
  const events: string[] = []
  for (const name of [...names, 'close', 'error']) stream.on(name, () => events.push(name))
  const before = [stream.pending, stream.closed]
  start()
  await new Promise(resolve => { stream.once('close', resolve) })
  return { events, before, after: [stream.pending, stream.closed, stream.destroyed] }
}

export const ended = (stream: any, last = 'x'): Promise<void> => new Promise((resolve, reject) => {
  stream.once('error', reject)
  stream.end(last, (error?: Error | null) => { if (error) reject(error); else resolve() })
})

export const encodings = ['utf8', 'utf-8', 'UTF8', 'latin1', 'binary', 'ascii', 'hex', 'base64', 'base64url', 'utf16le', 'ucs2']
