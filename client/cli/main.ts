// Entry point of the command line. Owns the process: signals, a closed stdout, and the exit code.

import { GristmillError } from '../../src/base/errors.ts'
import { version } from '../../src/base/version.ts'
import { loadMachine, loadSettings, loadWorld, openMill } from './bootstrap.ts'
import { Printer } from './printer.ts'
import { runWords } from './session.ts'

/** Exit codes after a signal: 128 plus its number, the shell convention. */
const signalCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export async function main(words: readonly string[] = process.argv.slice(2)): Promise<void> {
  const ending = new AbortController()
  const printer = new Printer(process, process.env, () => {
    ending.abort(new GristmillError('EPIPE', 'the reader of the output has closed it'))
  })
  let signalCode = 130
  for (const [name, code] of Object.entries(signalCodes)) {
    process.on(name, () => {
      // A second signal ends the process without cleanup.
      if (ending.signal.aborted) process.exit(code)
      signalCode = code
      ending.abort(new GristmillError('ABORTED', 'interrupted'))
    })
  }
  const code = await runWords({
    words, printer, signal: ending.signal, version, env: process.env, cwd: process.cwd(),
    settings: loadSettings, machine: loadMachine, world: loadWorld, open: openMill,
  })
  process.exit(code === 'interrupted' ? signalCode : code)
}
