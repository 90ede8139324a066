// Entry point of a process that drives one program for a datanode: it takes one task, runs the program's steps as their submitter does, and
// tells the outcome. What the program prints is this process's output, which the datanode writes to the log of the attempt.

import { enableCompileCache } from 'node:module'
import { connectParent } from '../../src/world/child.ts'
import type { FromExecutor, ToExecutor } from '../../datanode/executor/messages.ts'

const parent = connectParent()
enableCompileCache(process.argv[2])
const ready = Promise.all([import('./drive.ts'), import('../../src/world/world.ts')])

/** The datanode kills this process if it is gone. */
const send = (message: FromExecutor): Promise<void> => parent.send(message).catch(() => {})

parent.onMessage(async message => {
  const { work, setup } = message as ToExecutor
  await send({ kind: 'began', attempt: work.attempt })
  const [{ driveTask }, { realWorld }] = await ready
  const world = realWorld({ name: 'driver', logLevel: 'silent' })
  const outcome = await driveTask(world, { work, setup }, { print: (text, stream) => { process[stream].write(text) } })
  await Promise.all([process.stdout, process.stderr].map(flushed))
  await send({ kind: 'finished', attempt: work.attempt, outcome })
})

const flushed = (stream: NodeJS.WriteStream): Promise<void> => new Promise(resolve => {
  if (stream.destroyed || stream.writableEnded) return resolve()
  stream.write('', () => resolve())
})

void ready.then(() => send({ kind: 'ready' }))
