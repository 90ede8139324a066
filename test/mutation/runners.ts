// Parent of runner.ts: one child process, started on first use and again after it had to be killed.

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { root } from './plant.ts'
import type { Request, Verdict } from './runner.ts'

export class Runner {
  #child: ChildProcess | undefined

  /** Returns undefined if it took longer than `ms`, or if the process ended. */
  async meet(request: Request, ms: number): Promise<Verdict | undefined> {
    const child = this.#child ??= await start()
    const ended = new AbortController()
    const late = setTimeout(() => this.close(), ms)
    const message = once(child, 'message', { signal: ended.signal }).then(([verdict]) => verdict as Verdict, () => undefined)
    const end = (): void => ended.abort()
    child.once('exit', end)
    child.send(request)
    try {
      return await message
    } finally {
      clearTimeout(late)
      child.removeListener('exit', end)
    }
  }

  close(): void {
    const child = this.#child
    this.#child = undefined
    // With all its workers, one of which may be in an endless loop.
    if (child?.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL')
  }
}

async function start(): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'runner.ts'), { cwd: root, detached: true, stdio: 'ignore' })
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error('test/mutation/runner.ts ends at once: start it by hand to see why')
    }),
  ])
  return child
}
