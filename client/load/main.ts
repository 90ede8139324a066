// Entry point of the process in which a submitter loads a program and drives it; killed by its parent. Side effects of the program's module
// and of its function happen here.

import { readFile, rm } from 'node:fs/promises'
import { asError } from '../../src/base/errors.ts'
import { connectParent } from '../../src/world/child.ts'
import type { LoadEvent, ProgramDrive } from './driving.ts'
import type { ToLoader } from './loader.ts'

const parent = connectParent()
const ready = Promise.all([import('./driving.ts'), import('../../src/world/disk.ts'), import('../../src/world/programglobals.ts')])
let drive: ProgramDrive | undefined
let sent: Promise<unknown> = Promise.resolve()

/** The program may replace them. */
const printing = [process.stdout, process.stderr]

function tell(event: LoadEvent): void {
  sent = sent.then(async () => {
    // The parent ends this process at the last event: what the program has printed must have left it.
    if ('ended' in event || 'error' in event) await Promise.all(printing.map(flushed))
    await parent.send(event)
  })
}

/** Resolves when what was written to the stream is with the operating system, or the stream has failed. */
const flushed = (stream: NodeJS.WriteStream): Promise<void> => new Promise(resolve => {
  if (stream.destroyed || stream.writableEnded) return resolve()
  stream.write('', () => resolve())
})

/** As Node does without a handler, except for failures of steps. */
function onUnhandled(handle: (reason: unknown) => boolean): void {
  process.on('unhandledRejection', reason => {
    if (handle(reason)) return
    console.error(reason)
    process.exit(1)
  })
}

parent.onMessage(async message => {
  try {
    const [{ ProgramDrive: Drive }, { localDisk: disk }, { programGlobals: globals }] = await ready
    const given = message as ToLoader
    if ('result' in given) return drive?.deliver(given.step, given.result)
    if ('stored' in given) {
      const lines = (await readFile(given.stored, 'latin1')).split('\n').filter(line => line !== '')
      await rm(given.stored, { force: true })
      return drive?.deliver(given.step, { lines, isShipped: given.isShipped })
    }
    Object.assign(globalThis, { [Symbol.for('gristmill.place')]: given.load.place })
    const rest = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
    globals.hold()
    drive = new Drive({ disk, rest, onUnhandled, globals }, tell)
    await drive.start(given.load)
  } catch (thrown) {
    const { code, message: text, details } = asError(thrown)
    tell({ error: { code, message: text, details: JSON.parse(JSON.stringify(details)) as Record<string, unknown> } })
  }
})
