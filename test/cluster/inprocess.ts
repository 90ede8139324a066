// Runs the command line in this process, for tests that do not depend on a separate process: arguments, environment and stdin in; exit
// code and output out. It opens and closes the cluster each time, as a process does.

import { PassThrough, Writable } from 'node:stream'
import { loadWorld, openMill } from '../../client/cli/bootstrap.ts'
import { Printer } from '../../client/cli/printer.ts'
import { runWords } from '../../client/cli/session.ts'
import { readSettings } from '../../client/settings.ts'
import { version } from '../../src/base/version.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { localDisk } from '../../src/world/disk.ts'
import { localMachine } from '../../src/world/machine.ts'
import type { Result } from '../kit/cluster.ts'

/** Runs a command with exactly this environment: `run` of the kit, without the process. */
export async function runHere(words: readonly string[], env: Readonly<Record<string, string>>, input = ''): Promise<Result> {
  const texts = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') => {
    const decoder = new TextDecoder()
    return new Writable({ write(chunk: Buffer, _encoding, done) { texts[name] += decoder.decode(chunk, { stream: true }); done() } })
  }
  const ending = new AbortController()
  const stdin = new PassThrough()
  stdin.end(input)
  const printer = new Printer({ stdin, stdout: sink('stdout'), stderr: sink('stderr') } as never, env)
  const machine: Machine = Object.create(localMachine, { environment: { value: env }, userDirectory: { value: env['HOME'] } })
  const code = await runWords({
    words, printer, signal: ending.signal, version, env, cwd: process.cwd(),
    settings: flags => readSettings({ disk: localDisk, machine }, flags), machine: async () => machine, world: loadWorld, open: openMill,
  })
  if (code === 'interrupted') throw new Error(`${words.join(' ')} was interrupted, by nobody`)
  return { code, ...texts }
}
