// One server process, started through the bin as an operator would start it, and ended by its process id. If started with `begin`, it can
// be asked to fail at a named point, to have a bad disk, or to report at once.

import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ControlReply, ControlRequest, ControlMessage, Begin } from '../../../src/world/control.ts'
import { watchProcess } from './reaper.ts'

/** Path of the bin; the only place that names it. The build rewrites it: an installed package has the same layout. */
export const bin = fileURLToPath(new URL('../../../client/cli/gristmill.js', import.meta.url))

const readyMs = 180_000
const goneMs = 20_000
const askMs = 30_000

export interface ServerPlan {
  readonly role: 'namenode' | 'datanode' | 'gateway' | 'serve' | 'serve-kv' | 'console'
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Files that it may have open; default: the limit of this process. */
  readonly openFiles?: number
  /** Makes the process controllable by the test; these faults hold from its start. */
  readonly begin?: Begin
}

interface Ready { readonly id: string; readonly address: string; readonly listening: string }

export class ServerProcess {
  readonly #child: ChildProcess
  readonly #gone: Promise<void>
  readonly #asked = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  #next = 1
  /** Signal or exit code of its end. */
  ended: string | undefined
  /** Tail of its stderr. */
  errors = ''

  constructor({ role, args, env, openFiles, begin }: ServerPlan) {
    const command = [process.execPath, bin, role, '--json', ...args]
    // `exec`: the server replaces the shell, so that `pid` is the server's.
    const [file, ...rest] = openFiles === undefined ? command : ['/bin/sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, ...command]
    const child = (this.#child = spawn(file!, rest, {
      env: { ...env, ...(begin && { GRISTMILL_TEST_KIT: '1' }) },
      stdio: ['ignore', 'pipe', 'pipe', ...(begin ? ['ipc' as const] : [])],
    }))
    watchProcess(child)
    child.stderr!.on('data', (bytes: Buffer) => { this.errors = (this.errors + bytes.toString()).slice(-50_000) })
    this.#gone = new Promise(resolve => {
      child.once('error', error => { this.ended ??= error.message; resolve() })
      child.once('exit', (code, signal) => {
        this.ended ??= signal ?? `exit code ${code}`
        for (const { reject } of this.#asked.values()) reject(new Error(`the process has ended (${this.ended})`))
        resolve()
      })
    })
    if (begin) {
      child.send(begin, () => {})
      child.on('message', (answer: ControlReply) => {
        const waiting = this.#asked.get(answer.id)
        this.#asked.delete(answer.id)
        if (answer.error === undefined) waiting?.resolve()
        else waiting?.reject(new Error(answer.error))
      })
    }
  }

  get pid(): number { return this.#child.pid ?? 0 }
  get running(): boolean { return this.ended === undefined }
  /** Settles when the process has ended. */
  get gone(): Promise<void> { return this.#gone }

  /** Waits for its ready line. If it ends before, throws with its stderr. */
  async ready(): Promise<Ready> {
    const line = await new Promise<string>((resolve, reject) => {
      let text = ''
      const late = setTimeout(() => reject(new Error(`the process was not ready within ${readyMs} ms:\n${this.errors}`)), readyMs)
      this.#child.stdout!.on('data', (bytes: Buffer) => {
        text += bytes.toString()
        const found = text.split('\n').slice(0, -1).find(part => part.startsWith('{'))
        if (found === undefined) return
        clearTimeout(late)
        resolve(found)
      })
      void this.#gone.then(() => {
        clearTimeout(late)
        reject(new Error(`the process ended before it was ready (${this.ended}):\n${this.errors}`))
      })
    })
    // After the start, the server does not keep this process alive: a test that forgets to stop it can end.
    this.#child.unref();
    for (const stream of [this.#child.stdout, this.#child.stderr, this.#child.channel])
      (stream as unknown as { unref?(): void } | null)?.unref?.()
    return JSON.parse(line) as Ready
  }

  signal(name: NodeJS.Signals): void { this.#child.kill(name) }

  /** Sends a control request and waits for the answer, `extraMs` longer than usual. REQUIRES: it was started with `begin`. */
  async ask(ask: ControlRequest, { extraMs = 0 }: { extraMs?: number } = {}): Promise<void> {
    if (!this.running) throw new Error('the process does not run')
    const id = this.#next++
    await waited(askMs + extraMs, `an answer to ${ask.kind}`, new Promise<void>((resolve, reject) => {
      this.#asked.set(id, { resolve, reject })
      this.#child.send({ id, ask } satisfies ControlMessage, error => { if (error) reject(error) })
    }))
  }

  /** Ends it and waits for its exit; SIGKILL after `goneMs`. */
  async end(signal: 'SIGTERM' | 'SIGKILL' | NodeJS.Signals): Promise<void> {
    if (!this.running) return
    this.#child.kill(signal)
    // A stopped process handles no other signal before SIGCONT.
    if (signal !== 'SIGKILL') this.#child.kill('SIGCONT')
    const late = setTimeout(() => { this.#child.kill('SIGKILL') }, goneMs)
    await this.#gone
    clearTimeout(late)
  }
}

/** Rejects after `ms`. Its timer keeps this process alive meanwhile. */
async function waited<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let late: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => { late = setTimeout(() => reject(new Error(`waited ${ms} ms in vain for ${what}`)), ms) })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(late)
  }
}
