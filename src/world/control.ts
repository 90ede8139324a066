// How a test takes hold of a process that it has started: messages over the channel that Node gives a child and its parent, so
// nobody else can send one, and only where GRISTMILL_TEST_KIT=1 was set. A process that is held ends when its test does.

import { asError, GristmillError } from '../base/errors.ts'
import type { Trigger } from '../ports/failpoints.ts'
import { localDisk } from './disk.ts'
import { ArmedFailpoints, parseFailpoints, type Armed } from './failpoints.ts'
import { FaultyDisk, standStill, type DiskFault } from './faulty.ts'

/** The first message: what holds from the start, before the process has looked at anything. */
export interface Begin { readonly kind: 'begin'; readonly armed: readonly Armed[]; readonly faults: readonly DiskFault[] }

export type ControlRequest =
  | { readonly kind: 'arm'; readonly armed: Armed }
  /** Failpoints are disarmed, and what they hold goes on. */
  | { readonly kind: 'disarm' }
  | { readonly kind: 'spoil'; readonly fault: DiskFault }
  | { readonly kind: 'healDisks' }
  /** The event loop stands still for so long. */
  | { readonly kind: 'stall'; readonly ms: number }
  | { readonly kind: 'trigger'; readonly what: Trigger }

/** Answers carry the number of what was asked. */
export interface ControlMessage { readonly id: number; readonly ask: ControlRequest }
export interface ControlReply { readonly id: number; readonly error?: string }

export interface TestHold { readonly failpoints: ArmedFailpoints; readonly disk: FaultyDisk }

/** Returns once the test has said what shall hold from the start. Throws CONFIG_INVALID if nobody may take hold of this process. */
export async function takeHold(): Promise<TestHold> {
  const { GRISTMILL_TEST_KIT: kit, GRISTMILL_FAILPOINTS: text = '' } = process.env
  if (kit !== '1')
    throw new GristmillError(
      'CONFIG_INVALID',
      'GRISTMILL_FAILPOINTS makes a process fail on purpose; it is for tests, which set GRISTMILL_TEST_KIT=1 beside it',
    )
  const failpoints = new ArmedFailpoints(parseFailpoints(text))
  const disk = new FaultyDisk(localDisk)
  // Started by hand, with the variables alone.
  if (!process.send) return { failpoints, disk }
  process.once('disconnect', () => { process.kill(process.pid, 'SIGKILL') })
  await new Promise<void>(resolve => {
    process.on('message', (message: Begin | ControlMessage) => {
      if (!('kind' in message)) return void answer(message, { failpoints, disk })
      for (const armed of message.armed) failpoints.arm(armed)
      for (const fault of message.faults) disk.add(fault)
      resolve()
    })
  })
  return { failpoints, disk }
}

async function answer({ id, ask }: ControlMessage, held: TestHold): Promise<void> {
  let error: string | undefined
  try {
    await carryOut(ask, held)
  } catch (thrown) {
    error = asError(thrown).message
  }
  if (process.connected) process.send!({ id, ...error !== undefined && { error } } satisfies ControlReply)
}

async function carryOut(ask: ControlRequest, { failpoints, disk }: TestHold): Promise<void> {
  switch (ask.kind) {
    case 'arm': return failpoints.arm(ask.armed)
    case 'disarm': return failpoints.heal()
    case 'spoil': return disk.add(ask.fault)
    case 'healDisks': return disk.heal()
    case 'stall': return standStill(ask.ms)
    case 'trigger': return failpoints.trigger(ask.what)
  }
}
