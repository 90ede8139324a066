// Makes an unmodified program misbehave: at the n-th call of its map or reduce in an attempt, up to `times` in all, it throws, hangs, ends
// its process, or exhausts memory. A wrapper file is written beside the program and removed on dispose.

import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { forgetDirectory, watchDirectory } from './process/reaper.ts'
import type { Plan } from './misbehaviour.ts'

export interface Misbehaviour {
  /** Default: `map`. */
  readonly in?: Plan['in']
  /** `exit` ends the process with code 0; `heap` fills V8's heap, `memory` buffers outside of it. */
  readonly how: Plan['how']
  /** Number of the call within an attempt; default: 1. */
  readonly nth?: number
  /** Limit over all attempts; default: 1, so that the next attempt succeeds. */
  readonly times?: number
}

export interface MisbehavingProgram {
  /** Path to pass to `run` in place of the program. */
  readonly program: string
  /** Number of times it has misbehaved. */
  readonly happened: number
  [Symbol.asyncDispose](): Promise<void>
}

/** REQUIRES: kept with `await using` until the job has ended. */
export async function misbehaving(
  program: string,
  { in: where = 'map', how, nth = 1, times = 1 }: Misbehaviour,
): Promise<MisbehavingProgram> {
  let happened = 0
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.end(Buffer.of(happened < times ? 1 : 0))
    if (happened < times) happened++
  })
  await new Promise<void>((ready, failed) => {
    server.once('error', failed)
    server.listen(0, '127.0.0.1', ready)
  })
  server.unref()
  const { port } = server.address() as { port: number }
  const original = resolve(program)
  // Beside the program, because its assets are found relative to it.
  const file = join(dirname(original), `.misbehaving-${randomUUID()}.ts`)
  watchDirectory(file)
  const kit = fileURLToPath(new URL('./misbehaviour.ts', import.meta.url))
  await writeFile(
    file,
    [
      `import program from ${JSON.stringify(original)}`,
      `import { misbehave } from ${JSON.stringify(kit)}`,
      `export default misbehave(program, ${JSON.stringify({ in: where, how, nth, port } satisfies Plan)})`,
    ].join('\n'),
  )
  return {
    program: file,
    get happened() {
      return happened
    },
    async [Symbol.asyncDispose]() {
      server.close()
      await rm(file, { force: true })
      forgetDirectory(file)
    },
  }
}
