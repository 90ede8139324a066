// Makes an ordinary program misbehave: at the n-th call of its map or reduce in an attempt, and so many times in all, it throws, never
// returns, ends its process, or takes all memory. The program itself stays as it is; what runs is a file beside it, for as long as needed.

import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { forgetDirectory, watchDirectory } from './process/reaper.ts'
import type { Plan } from './misbehaviour.ts'

export interface Misbehaviour {
  /** `map` unless told. */
  readonly in?: Plan['in']
  /** `exit` ends the process with code 0; `heap` fills V8's heap, `memory` buffers outside of it. */
  readonly how: Plan['how']
  /** At this call of an attempt; 1 unless told. */
  readonly nth?: number
  /** Over all attempts; 1 unless told: the next attempt succeeds. */
  readonly times?: number
}

export interface MisbehavingProgram {
  /** To be given to `run` instead of the program. */
  readonly program: string
  /** How often it has misbehaved. */
  readonly happened: number
  [Symbol.asyncDispose](): Promise<void>
}

/** `await using` it for as long as the job runs. */
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
  // Beside the program, from where its assets are found.
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
