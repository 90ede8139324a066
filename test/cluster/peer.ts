// Client of a second process on an embedded cluster (child/embedded.ts): one request at a time.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { bundled, compiledIn } from '../tidy/bundle.ts'

const program = bundled('peer')

export class Peer {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>
  readonly gone: Promise<void>
  errors = ''

  constructor(dir: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [program, dir], {
      env: { ...env, NODE_COMPILE_CACHE: compiledIn }, stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child.stderr!.on('data', (bytes: Buffer) => { this.errors += bytes.toString() })
    this.#child.stdin!.on('error', () => {})
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
    this.gone = new Promise(resolve => this.#child.once('exit', () => resolve()))
  }

  get pid(): number { return this.#child.pid! }

  async ready(): Promise<this> {
    await this.#next()
    return this
  }

  async ask(...request: string[]): Promise<unknown> {
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`)
    const answer = await this.#next() as { value?: unknown; code?: string; message?: string }
    if (answer.code !== undefined) throw Object.assign(new Error(answer.message), { code: answer.code })
    return answer.value
  }

  async #next(): Promise<unknown> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`the process has ended: ${this.errors}`)
    return JSON.parse(value)
  }

  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child.kill(signal)
    await this.gone
  }

  /** Lets it close the cluster that it opened. */
  async leave(): Promise<void> {
    this.#child.stdin!.end()
    await this.gone
  }
}
