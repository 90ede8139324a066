// What one client has to show: a job that runs it against a gateway, the row it adds to the table at the end, and where `--install` puts
// the clients. A client that is not installed is a row of its own, not a failure.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../tidy/source.ts'

export interface Row {
  /** Name and version. */
  readonly client: string
  readonly result: string
  readonly failed?: boolean
}

/** Clients of one dialect. */
export interface Peers {
  /** Fetches the clients from package registries. Throws what cannot be had. */
  readonly install: () => Promise<void>
  /** Jobs by name. */
  readonly jobs: Readonly<Record<string, () => Promise<Row>>>
}

const exec = promisify(execFile)

export const cache = join(root, 'node_modules/.cache/interop')
export const skipped = 'SKIPPED: run with --install'

/** A Python environment of its own: clients pin versions of the same libraries that exclude each other. */
export class Venv {
  readonly #dir: string
  readonly #packages: readonly string[]

  constructor(name: string, packages: readonly string[]) {
    this.#dir = join(cache, name)
    this.#packages = packages
  }

  get bin(): string { return join(this.#dir, 'bin') }
  get python(): string { return join(this.bin, 'python') }

  async install(): Promise<void> {
    if (!existsSync(this.python)) await exec('python3', ['-m', 'venv', this.#dir])
    await exec(this.python, ['-m', 'pip', 'install', '-q', ...this.#packages])
  }

  /** Version of an installed package; undefined: it is not here. */
  version(name: string): Promise<string | undefined> {
    if (!existsSync(this.python)) return Promise.resolve(undefined)
    return exec(this.python, ['-c', `import importlib.metadata as m; print(m.version('${name}'))`])
      .then(({ stdout }) => stdout.trim(), () => undefined)
  }
}

/** Runs a client; its row is that of an exit with 0. */
export async function ran(
  client: string, command: readonly [file: string, ...args: string[]], env: Readonly<Record<string, string | undefined>> = {},
): Promise<Row> {
  const [file, ...args] = command
  try {
    await exec(file, args, { env: { ...process.env, ...env }, maxBuffer: 2 ** 26 })
    return { client, result: 'passed' }
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    console.log(`${client}:\n${stdout.slice(-4000)}${stderr.slice(-4000)}`)
    return { client, result: 'FAILED', failed: true }
  }
}
