// The main file of the command line. It owns the process: signals, the end of stdout's reader, and the exit code.

import { GristmillError } from '../../src/base/errors.ts'
import { version } from '../../src/base/version.ts'
import { loadMachine, loadSettings, loadWorld, openMill } from './bootstrap.ts'
import { Printer } from './printer.ts'
import { runWords } from './session.ts'

/** Killed by a signal: 128 and its number, as a shell would say it. */
const signalCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export async function main(words: readonly string[] = process.argv.slice(2)): Promise<void> {
  const printer = new Printer()
  const ending = new AbortController()
  let signalCode = 130
  printer.onGone = () => ending.abort(new GristmillError('EPIPE', 'the reader of the output has gone'))
  for (const [name, code] of Object.entries(signalCodes)) {
    process.on(name, () => {
      // Whoever asks twice does not want to wait for a clean end.
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
